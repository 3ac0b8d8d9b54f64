//! Tells kinds by octets. Content that is several things at once has all of its kinds.

pub mod text;

use crate::content::kind::Kind;
use crate::content::marker::is_marked;

/// Octets of the start of content that are enough for most kinds.
pub const HEAD: usize = 1024;

/// Every kind that octets are, the most likely one first; never none. `octets` are all of the content, or
/// its first [`HEAD`] octets: what is told by the end or by something further in is found in the whole only.
pub fn detect(octets: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    if octets.is_empty() {
        return vec![Kind::Empty];
    }
    let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default();
    let first = by_table(octets).or_else(|| executable(octets)).or_else(|| by_structure(octets));
    kinds.extend(first);
    // Browsers and interpreters go by how it begins, whatever follows.
    let readable = text::readable(head);
    let is_text = kinds.is_empty() && readable.len() == head.len();
    let pdf = memchr::memmem::find(head, b"%PDF-").is_some();
    if first.is_none() && !pdf && readable.len() >= MIN_TEXT.min(head.len()) {
        kinds.extend(text::kinds(readable));
        kinds.extend((is_text && kinds.is_empty()).then_some(Kind::Text));
    }
    kinds.extend((pdf && first != Some(Kind::Pdf)).then_some(Kind::Pdf));
    let is_marked = is_marked(octets);
    if first.is_none() && is_marked {
        kinds.extend(text::embedded(octets));
    }
    kinds.extend(image_of_medium(octets).filter(|kind| first != Some(*kind)));
    if kinds.is_empty()
        && let Some(media) = media(head)
    {
        kinds.push(media);
        kinds.extend((media == Kind::Image && is_image_and_script(head)).then_some(Kind::Script));
    }
    let begins_with_archive = kinds.first().is_some_and(|kind| kind.is_container());
    if is_marked {
        for kind in archive_within(octets, begins_with_archive) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds.extend((kinds.is_empty() && is_lzma(octets)).then_some(Kind::Lzma));
    kinds.extend(kinds.is_empty().then_some(Kind::Data));
    refine(&mut kinds, octets);
    kinds
}

/// Octets of text before something else that are worth reading as text.
const MIN_TEXT: usize = 6;

/// Whether content should be looked at whole: something in it may be taken out, or only the whole tells.
/// `kinds` are those of its first octets.
pub fn is_worth_a_look(kinds: &[Kind], media_type: &str, names: &[String], has_mark: bool) -> bool {
    has_mark
        || kinds.iter().any(|kind| kind.is_container())
        || CONTAINER_TYPES.iter().any(|start| media_type.starts_with(start))
        || crate::content::container::is_message_type(media_type)
        || names.iter().any(|name| has_container_extension(name))
}

/// Declared types of which some reader takes something out.
const CONTAINER_TYPES: &[&str] = &[
    "application/zip",
    "application/x-zip",
    "application/gzip",
    "application/x-gzip",
    "application/x-tar",
    "application/x-7z",
    "application/x-rar",
    "application/vnd.rar",
    "application/vnd.ms-",
    "application/vnd.openxml",
    "application/vnd.oasis",
    "application/msword",
    "application/onenote",
    "application/pdf",
    "application/rtf",
    "application/ms-tnef",
    "application/vnd.ms-tnef",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
    "application/pgp-encrypted",
    "application/x-iso9660",
    "application/java-archive",
    "application/pgp",
    "text/calendar",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
];

fn has_container_extension(name: &str) -> bool {
    let Some((_, extension)) = name.trim_end_matches(['.', ' ']).rsplit_once('.') else { return false };
    CONTAINER_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

const CONTAINER_EXTENSIONS: &[&str] = &[
    "zip", "jar", "7z", "rar", "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "lz", "lzma", "z",
    "tar", "cab", "lzh", "lha", "arj", "ace", "iso", "img", "udf", "vhd", "vhdx", "doc", "xls", "ppt",
    "docx", "docm", "xlsx", "xlsm", "xlsb", "pptx", "pptm", "one", "odt", "ods", "odp", "pdf", "rtf", "msg",
    "msi", "eml", "mht", "mhtml", "nws", "p7m", "gpg", "pgp", "asc", "ics", "ifb", "vcf", "svg", "xxe",
    "yenc", "ntx", "uu", "uue", "dat", "dmg", "chm", "one", "wim", "rpm", "deb", "cpio", "apk", "xpi",
    "epub", "htm", "html", "xhtml", "xht", "shtml", "xml", "fodt", "fods", "fodp", "emlx", "mbox", "mbx",
    "dot", "wbk",
];

/// Octets that begin a kind, and where.
const TABLE: &[(usize, &[u8], Kind)] = &[
    (0, b"PK\x03\x04", Kind::Zip),
    (0, b"PK\x05\x06", Kind::Zip),
    (0, b"PK\x07\x08", Kind::Zip),
    (0, b"\x1f\x8b\x08", Kind::Gzip),
    (0, b"BZh", Kind::Bzip2),
    (0, b"\xfd7zXZ\0", Kind::Xz),
    (0, b"LZIP\x01", Kind::Lzip),
    (0, b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (0, b"\x1f\xa0", Kind::Compress),
    (0, b"\x04\x22\x4d\x18", Kind::Lz4),
    (0, b"\x02\x21\x4c\x18", Kind::Lz4),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (0, b"Rar!\x1a\x07", Kind::Rar),
    (0, b"RE\x7e\x5e", Kind::Rar),
    (0, b"MSCF", Kind::Cab),
    (7, b"**ACE**", Kind::Ace),
    (0, b"!<arch>\n", Kind::Ar),
    (0, b"070701", Kind::Cpio),
    (0, b"070702", Kind::Cpio),
    (0, b"070707", Kind::Cpio),
    (0, b"\xed\xab\xee\xdb", Kind::Rpm),
    (0, b"xar!", Kind::Xar),
    (0, b"ALZ\x01", Kind::OtherArchive),
    (0, b"EGGA\0\x01", Kind::OtherArchive),
    (0, b"StuffIt (c)", Kind::OtherArchive),
    (10, b"rLau", Kind::OtherArchive),
    (20, b"\xdc\xa7\xc4\xfd", Kind::OtherArchive),
    (0, b"\x89LZO\0\r\n\x1a\n", Kind::OtherArchive),
    (0, b"LRZI\0", Kind::OtherArchive),
    (0, b"\0\x05\x16\0\0", Kind::OtherArchive),
    (0, b"hsqs", Kind::OtherImage),
    (64, b"\x7f\x10\xda\xbe", Kind::OtherImage),
    (0, b"encrcdsa", Kind::Dmg),
    (0, b"sprs\0", Kind::Dmg),
    (0, b"vhdxfile", Kind::Vhdx),
    (0, b"conectix", Kind::Vhd),
    (0, b"KDMV", Kind::Vmdk),
    (0, b"QFI\xfb", Kind::Qcow),
    (0, b"MSWIM\0\0\0", Kind::Wim),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Ole),
    (0, b"{\\rt", Kind::Rtf),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", Kind::OneNote),
    (0, b"ITSF", Kind::Chm),
    (0, b"ActiveMime\0", Kind::ActiveMime),
    (0, b"%!PS", Kind::PostScript),
    (0, b"\x4c\0\0\0\x01\x14\x02\0", Kind::Lnk),
    (0, b"\x78\x9f\x3e\x22", Kind::Tnef),
    (0, b"\x7fELF", Kind::Elf),
    (0, b"\xfe\xed\xfa\xce", Kind::MachO),
    (0, b"\xfe\xed\xfa\xcf", Kind::MachO),
    (0, b"\xce\xfa\xed\xfe", Kind::MachO),
    (0, b"\xcf\xfa\xed\xfe", Kind::MachO),
    (0, b"dex\n0", Kind::Dex),
    (0, b"\0asm", Kind::Wasm),
    (257, b"ustar", Kind::Tar),
];

fn by_table(octets: &[u8]) -> Option<Kind> {
    let found = TABLE.iter().find(|(at, magic, _)| has_at(octets, *at, magic));
    found.map(|(_, _, kind)| *kind)
}

fn has_at(octets: &[u8], at: usize, magic: &[u8]) -> bool {
    octets.get(at..).is_some_and(|rest| rest.starts_with(magic))
}

/// Programs whose first octets alone do not tell.
fn executable(octets: &[u8]) -> Option<Kind> {
    // A text may begin with these two letters; a header of DOS has zeros in its first 64 octets.
    let head = octets.get(..octets.len().min(64)).unwrap_or_default();
    if (octets.starts_with(b"MZ") || octets.starts_with(b"ZM")) && head.contains(&0) {
        let place = octets.get(60..64).and_then(|place| place.try_into().ok()).map(u32::from_le_bytes);
        let is_pe = place.is_some_and(|place| has_at(octets, place as usize, b"PE\0\0"));
        return Some(if is_pe { Kind::Pe } else { Kind::DosExecutable });
    }
    if octets.starts_with(b"\xca\xfe\xba\xbe") || octets.starts_with(b"\xca\xfe\xba\xbf") {
        // The same four octets: versions of Java begin at 45, and nobody has as many processors.
        let count = octets.get(4..8).and_then(|count| count.try_into().ok()).map(u32::from_be_bytes);
        return count.map(|count| if count < 45 { Kind::MachO } else { Kind::JavaClass });
    }
    None
}

fn by_structure(octets: &[u8]) -> Option<Kind> {
    if is_arj(octets) {
        return Some(Kind::Arj);
    }
    // Bits of the longest code, 9 to 16, and two bits that are reserved.
    if let Some([0x1f, 0x9d, flags]) = octets.get(..3)
        && flags & 0x60 == 0
        && (9..=16).contains(&(flags & 0x1f))
    {
        return Some(Kind::Compress);
    }
    if let Some([b'-', b'l' | b'p', _, _, b'-']) = octets.get(2..7)
        && octets.get(20).is_some_and(|level| *level < 4)
    {
        return Some(Kind::Lha);
    }
    if is_old_tar(octets) {
        return Some(Kind::Tar);
    }
    if is_old_cpio(octets) {
        return Some(Kind::Cpio);
    }
    if is_mac_binary(octets) {
        return Some(Kind::OtherArchive);
    }
    if is_boot_sector(octets) {
        return Some(Kind::OtherImage);
    }
    // Frames to be passed over may stand before those that hold something (RFC 8878 §3.1.2), and some writers begin so.
    if crate::content::container::compressed::is_skippable(octets) {
        return Some(Kind::Zstd);
    }
    if crate::content::container::pgp::begins_message(octets) {
        return Some(Kind::Pgp);
    }
    begins_cms(octets).then_some(Kind::Pkcs7)
}

/// A sequence with an object identifier of PKCS #7 at its start.
pub(super) fn begins_cms(octets: &[u8]) -> bool {
    let head = octets.get(..octets.len().min(32)).unwrap_or_default();
    head.first() == Some(&0x30)
        && [
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07".as_slice(),
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01",
        ]
        .iter()
        .any(|object| memchr::memmem::find(head, object).is_some())
}

/// The main header of ARJ: two octets are too little to tell, its sizes have to fit, as they have to for every reader.
fn is_arj(octets: &[u8]) -> bool {
    let Some([0x60, 0xea, low, high, first]) = octets.get(..5) else { return false };
    let size = u16::from_le_bytes([*low, *high]);
    (30..=2600).contains(&size) && (30..=size).contains(&u16::from(*first))
}

/// A header of `cpio` in numbers of two octets, in either order: the name has the length that it says.
fn is_old_cpio(octets: &[u8]) -> bool {
    let number: fn([u8; 2]) -> u16 = match octets {
        [0xc7, 0x71, ..] => u16::from_le_bytes,
        [0x71, 0xc7, ..] => u16::from_be_bytes,
        _ => return false,
    };
    let length = octets.get(20..22).and_then(|length| length.try_into().ok()).map(number).unwrap_or_default();
    let name = octets.get(26..26 + usize::from(length)).unwrap_or_default();
    matches!(name, [name @ .., 0] if !name.is_empty() && !name.contains(&0))
}

/// A file of the classic Mac OS with its name, both forks behind each other: zeros where they must be, a name, versions.
fn is_mac_binary(octets: &[u8]) -> bool {
    let Some(header) = octets.first_chunk::<128>() else { return false };
    let octet = |at: usize| header.get(at).copied().unwrap_or_default();
    let name = header.get(2..2 + usize::from(octet(1))).unwrap_or_default();
    [0, 74, 82].iter().all(|at| octet(*at) == 0)
        && (1..=63).contains(&octet(1))
        && name.iter().all(|octet| !octet.is_ascii_control())
        && matches!(octet(122), 129 | 130)
        && octet(123) == 129
}

/// The first sector of a file system of Windows, by its name there.
fn is_boot_sector(octets: &[u8]) -> bool {
    let names = [(3, b"NTFS    ".as_slice()), (3, b"EXFAT   "), (54, b"FAT1"), (82, b"FAT32")];
    has_at(octets, 510, b"\x55\xaa") && names.iter().any(|(at, name)| has_at(octets, *at, name))
}

/// A header of LZMA: properties, a size of its window as writers choose it, a length or none, and the zero with which
/// what is compressed begins.
fn is_lzma(octets: &[u8]) -> bool {
    let Some(header) = octets.first_chunk::<14>() else { return false };
    let [properties, a, b, c, d, length @ .., zero] = header;
    let window = u32::from_le_bytes([*a, *b, *c, *d]);
    let length = u64::from_le_bytes(*length);
    // A power of two, or one and a half of one.
    let is_chosen = window.is_power_of_two() || window % 3 == 0 && (window / 3).is_power_of_two();
    (1..225).contains(properties)
        && (1 << 12..=1 << 30).contains(&window)
        && is_chosen
        && (length == u64::MAX || (1..1 << 38).contains(&length))
        && *zero == 0
}

/// A tar header of before POSIX: it has no magic, but a checksum.
fn is_old_tar(octets: &[u8]) -> bool {
    let Some(header) = octets.get(..512) else { return false };
    let Some(field) = header.get(148..156) else { return false };
    let digits: String =
        field.iter().map(|octet| char::from(*octet)).skip_while(|c| *c == ' ').collect::<String>();
    let digits = digits.trim_end_matches(['\0', ' ']);
    let Ok(stated) = u32::from_str_radix(digits, 8) else { return false };
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    let field: u32 = field.iter().map(|octet| u32::from(*octet)).sum();
    stated > 0 && header.first() != Some(&0) && sum - field + 8 * u32::from(b' ') == stated
}

/// Images of disks, told by descriptors behind their system area, or at their end.
fn image_of_medium(octets: &[u8]) -> impl Iterator<Item = Kind> {
    let descriptor = |index: usize| octets.get(SYSTEM_AREA + index * SECTOR + 1..).unwrap_or_default();
    let iso = (0..4).any(|index| descriptor(index).starts_with(b"CD001\x01"));
    let udf = (0..8).any(|index| {
        let descriptor = descriptor(index);
        descriptor.starts_with(b"NSR02") || descriptor.starts_with(b"NSR03")
    });
    let footer = octets.len().checked_sub(512).and_then(|at| octets.get(at..)).unwrap_or_default();
    let vhd = footer.starts_with(b"conectix");
    let dmg = footer.starts_with(b"koly");
    [(iso, Kind::Iso), (udf, Kind::Udf), (vhd, Kind::Vhd), (dmg, Kind::Dmg)]
        .into_iter()
        .filter_map(|(is, kind)| is.then_some(kind))
}

const SYSTEM_AREA: usize = 32 << 10;
const SECTOR: usize = 2048;

/// Archives behind something else. Their readers look for these marks too. What an archive holds is its own
/// affair, except that a zip is read from its end, whatever it begins with.
fn archive_within(octets: &[u8], begins_with_archive: bool) -> impl Iterator<Item = Kind> {
    let within = |mark: &[u8]| !begins_with_archive && memchr::memmem::find(octets, mark).is_some();
    let zip = crate::content::container::zip::has_directory(octets, begins_with_archive);
    [
        (zip, Kind::Zip),
        (within(b"Rar!\x1a\x07"), Kind::Rar),
        (within(b"7z\xbc\xaf\x27\x1c"), Kind::SevenZip),
        (within(b"MSCF\0\0\0\0"), Kind::Cab),
    ]
    .into_iter()
    .filter_map(|(is, kind)| is.then_some(kind))
}

/// Pictures, sound and the like.
fn media(head: &[u8]) -> Option<Kind> {
    use infer::MatcherType;
    match infer::get(head)?.matcher_type() {
        MatcherType::Image => Some(Kind::Image),
        MatcherType::Audio => Some(Kind::Audio),
        MatcherType::Video => Some(Kind::Video),
        MatcherType::Font => Some(Kind::Font),
        _ => None,
    }
}

/// A picture that is a script too: its magic is a name, and something is assigned to it.
fn is_image_and_script(head: &[u8]) -> bool {
    let rest = head.strip_prefix(b"GIF89a").or_else(|| head.strip_prefix(b"GIF87a"));
    rest.is_some_and(|rest| rest.starts_with(b"=") || rest.starts_with(b"/*"))
}

/// Says what a zip or a compound file is more exactly.
fn refine(kinds: &mut Vec<Kind>, octets: &[u8]) {
    let finer = match () {
        () if kinds.contains(&Kind::Zip) => (Kind::Zip, crate::content::container::zip::finer(octets)),
        () if kinds.contains(&Kind::Ole) => (Kind::Ole, crate::content::container::ole::finer(octets)),
        () => return,
    };
    let (coarse, finer) = finer;
    if let Some(at) = kinds.iter().position(|kind| *kind == coarse)
        && !finer.is_empty()
    {
        kinds.splice(at..=at, finer);
    }
}

#[cfg(test)]
mod tests;
