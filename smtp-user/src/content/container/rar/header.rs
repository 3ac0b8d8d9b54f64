//! Headers of the two forms of archives: those before version 5, and those since.

/// Begins an archive; the octets behind it tell the form.
const MAGIC: &[u8] = b"Rar!\x1a\x07";

/// What the headers say.
#[derive(Debug, Default)]
pub(super) struct Headers<'o> {
    pub(super) members: Vec<Member<'o>>,
    /// They are encrypted themselves.
    pub(super) is_encrypted: bool,
    /// They end before the archive does.
    pub(super) is_cut: bool,
}

/// A file.
#[derive(Debug)]
pub(super) struct Member<'o> {
    pub(super) name: String,
    /// As it stands in the archive.
    pub(super) data: &'o [u8],
    pub(super) is_stored: bool,
    pub(super) is_encrypted: bool,
    /// Some of it is in another archive.
    pub(super) is_divided: bool,
}

/// Headers that are read; each costs seven octets at least.
const MAX_HEADERS: usize = 200_000;

impl<'o> Headers<'o> {
    pub(super) fn parse(octets: &'o [u8]) -> Option<Self> {
        let start = memchr::memmem::find(octets, MAGIC)?;
        let rest = octets.get(start + MAGIC.len()..)?;
        let mut headers = Self::default();
        match rest {
            [0, rest @ ..] => headers.read_old(rest),
            [1, 0, rest @ ..] => headers.read_new(rest),
            _ => return None,
        }
        Some(headers)
    }

    /// Versions 1.5 to 4.
    fn read_old(&mut self, octets: &'o [u8]) {
        let number16 = |at: usize| Some(u16::from_le_bytes(octets.get(at..at + 2)?.try_into().ok()?));
        let number32 = |at: usize| Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?));
        let mut at = 0;
        for _ in 0..MAX_HEADERS {
            let (Some(kind), Some(flags), Some(length)) =
                (octets.get(at + 2), number16(at + 3), number16(at + 5))
            else {
                break;
            };
            let length = usize::from(length);
            let data = if flags & 0x8000 != 0 || *kind == OLD_FILE {
                number32(at + 7).unwrap_or_default() as usize
            } else {
                0
            };
            if length < 7 || *kind == OLD_END {
                self.is_cut |= length < 7;
                return;
            }
            if *kind == OLD_MAIN && flags & 0x80 != 0 {
                self.is_encrypted = true;
                return;
            }
            let body = at + length;
            if *kind == OLD_FILE {
                let (Some(method), Some(name_length)) = (octets.get(at + 25), number16(at + 26)) else {
                    break;
                };
                let high = if flags & 0x100 != 0 { 8 } else { 0 };
                let start = at + 32 + high;
                let name = octets.get(start..start + usize::from(name_length)).unwrap_or_default();
                let is_folder = flags & 0xe0 == 0xe0;
                let end = body.saturating_add(data);
                if !is_folder {
                    self.members.push(Member {
                        name: plain_name(name),
                        data: octets.get(body..end.min(octets.len())).unwrap_or_default(),
                        is_stored: *method == b'0',
                        is_encrypted: flags & 4 != 0,
                        is_divided: flags & 3 != 0,
                    });
                }
                self.is_cut |= end > octets.len();
            }
            at = body.saturating_add(data);
        }
        self.is_cut |= at < octets.len();
    }

    /// Versions since 5.
    fn read_new(&mut self, octets: &'o [u8]) {
        let mut rest = octets;
        for _ in 0..MAX_HEADERS {
            let Some(mut fields) = rest.get(4..) else { break };
            let Some(length) = number(&mut fields).and_then(|length| usize::try_from(length).ok()) else {
                break;
            };
            let Some((mut header, body)) = fields.split_at_checked(length) else { break };
            let whole = header;
            let (Some(kind), Some(flags)) = (number(&mut header), number(&mut header)) else { break };
            let extra = if flags & 1 != 0 { number(&mut header) } else { Some(0) };
            let data = if flags & 2 != 0 { number(&mut header) } else { Some(0) };
            let (Some(extra), Some(data)) = (extra, data) else { break };
            let data = usize::try_from(data).unwrap_or(usize::MAX);
            let content = body.get(..data.min(body.len())).unwrap_or_default();
            match kind {
                NEW_ENCRYPTION => {
                    self.is_encrypted = true;
                    return;
                }
                NEW_END => return,
                NEW_FILE => {
                    let extra = usize::try_from(extra).ok().and_then(|extra| whole.len().checked_sub(extra));
                    let extra = extra.and_then(|at| whole.get(at..)).unwrap_or_default();
                    if let Some(member) = file(header, content, flags, extra) {
                        self.members.extend(member);
                        self.is_cut |= content.len() < data;
                    } else {
                        self.is_cut = true;
                    }
                }
                _ => {}
            }
            let Some(behind) = body.get(data..) else {
                self.is_cut = true;
                return;
            };
            rest = behind;
        }
        self.is_cut |= !rest.is_empty();
    }
}

const OLD_MAIN: u8 = 0x73;
const OLD_FILE: u8 = 0x74;
const OLD_END: u8 = 0x7b;
const NEW_FILE: u64 = 2;
const NEW_ENCRYPTION: u64 = 4;
const NEW_END: u64 = 5;

/// A name as systems before Unicode have it; what follows an octet of zero is another form of it.
fn plain_name(name: &[u8]) -> String {
    let end = memchr::memchr(0, name).unwrap_or(name.len());
    String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned()
}

/// A file of the new form; `Some(None)` is a folder.
#[expect(clippy::option_option, reason = "a folder is no mistake")]
fn file<'o>(mut header: &[u8], data: &'o [u8], flags: u64, extra: &[u8]) -> Option<Option<Member<'o>>> {
    let file_flags = number(&mut header)?;
    let (_unpacked, _attributes) = (number(&mut header)?, number(&mut header)?);
    let skipped = [2_u64, 4].iter().filter(|flag| file_flags & **flag != 0).count() * 4;
    header = header.get(skipped..)?;
    let (compression, _system) = (number(&mut header)?, number(&mut header)?);
    let length = usize::try_from(number(&mut header)?).ok()?;
    let name = header.get(..length)?;
    if file_flags & 1 != 0 {
        return Some(None);
    }
    Some(Some(Member {
        name: String::from_utf8_lossy(name).into_owned(),
        data,
        is_stored: (compression >> 7) % 8 == 0,
        is_encrypted: has_encryption(extra),
        is_divided: flags & 0x18 != 0,
    }))
}

/// Whether one of the records behind a header is that of encryption.
fn has_encryption(mut extra: &[u8]) -> bool {
    while let Some(length) = number(&mut extra).and_then(|length| usize::try_from(length).ok()) {
        let Some((mut record, behind)) = extra.split_at_checked(length) else { return false };
        if number(&mut record) == Some(1) {
            return true;
        }
        extra = behind;
    }
    false
}

/// A number in groups of seven bits, the lowest first.
fn number(octets: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in 0..9 {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        value |= u64::from(octet & 0x7f) << (7 * shift);
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
