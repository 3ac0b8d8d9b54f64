//! Zips that lie: two readers see different things, and both are seen here.

use super::walked;
use crate::content::finding::{Finding, Technique, Unsupported};
use crate::content::fixture::zip::{Entry, archive, end, one};
use crate::content::fixture::{deflate, payloads};
use crate::content::kind::Kind;

fn with(name: &str, content: &[u8]) -> Entry {
    Entry::deflated(name, content)
}

type Maker = fn(&[u8]) -> Vec<u8>;

/// Each lie, the content that it hides, and what it is called.
const LIES: &[(&str, Technique, Maker)] = &[
    ("another name in the member's header", Technique::HeadersDiffer, |content| {
        archive(&[Entry { local_name: Some(b"a.txt".to_vec()), ..with("a.exe", content) }])
    }),
    ("another method in the member's header", Technique::HeadersDiffer, |content| {
        archive(&[Entry { local_method: Some(0), ..with("a.exe", content) }])
    }),
    ("another method in the directory", Technique::HeadersDiffer, |content| {
        archive(&[Entry { method: 0, local_method: Some(8), ..with("a.exe", content) }])
    }),
    ("another length in the member's header", Technique::HeadersDiffer, |content| {
        archive(&[Entry { local_unpacked: Some(1), ..with("a.exe", content) }])
    }),
    ("more members than are stated", Technique::HeadersDiffer, |content| {
        let mut octets = archive(&[with("a.txt", b"x"), with("a.exe", content)]);
        let at = octets.len() - 12;
        octets[at - 2] = 1;
        octets[at] = 1;
        octets[at - 2..at].copy_from_slice(&1_u16.to_le_bytes());
        octets
    }),
    ("two archives, one behind the other", Technique::TwoDirectories, |content| {
        [one("a.exe", content), one("a.txt", b"harmless")].concat()
    }),
    ("two ends of directories, the first with the content", Technique::TwoDirectories, |content| {
        let hidden = one("a.exe", content);
        let mut octets = one("a.txt", b"harmless");
        let at = octets.len() - 2;
        octets[at..].copy_from_slice(&(hidden.len() as u16).to_le_bytes());
        octets.extend(hidden);
        octets
    }),
    ("a member that no directory names", Technique::HiddenMember, |content| {
        archive(&[
            with("a.txt", b"x"),
            Entry { is_hidden: true, ..with("a.exe", content) },
            with("b.txt", b"y"),
        ])
    }),
    ("a member before the first one", Technique::HiddenMember, |content| {
        archive(&[Entry { is_hidden: true, ..with("a.exe", content) }, with("b.txt", b"y")])
    }),
    ("no directory", Technique::NoDirectory, |content| {
        let octets = one("a.exe", content);
        let directory = memchr::memmem::find(&octets, b"PK\x01\x02").unwrap();
        octets[..directory].to_vec()
    }),
    ("octets before it", Technique::DataBefore, |content| {
        [b"\x01\x02\x03 something".as_slice(), &one("a.exe", content)].concat()
    }),
    ("octets behind it", Technique::DataAfter, |content| {
        [&one("a.exe", content), b"something".as_slice()].concat()
    }),
    ("compressed octets said to be stored", Technique::StoredOverCompressed, |content| {
        archive(&[Entry { data: deflate(content), ..Entry::stored("a.exe", content) }])
    }),
    ("compressed octets said to be stored, with their length", Technique::StoredOverCompressed, |content| {
        let data = deflate(content);
        let unpacked = data.len() as u32;
        archive(&[Entry { unpacked, data, ..Entry::stored("a.exe", content) }])
    }),
    ("no checksum", Technique::ChecksumDiffers, |content| {
        archive(&[Entry { crc: 0, ..with("a.exe", content) }])
    }),
    ("a name that leads out", Technique::UnsafeName, |content| one("../../a.exe", content)),
    ("an absolute name", Technique::UnsafeName, |content| one("/etc/cron.d/a", content)),
    ("a name that ends twice", Technique::UnsafeName, |content| one("a.exe\0.txt", content)),
    ("two members of one name", Technique::SameName, |content| {
        archive(&[with("a.txt", content), with("a.txt", b"harmless")])
    }),
];

#[test]
fn both_readings_are_seen_and_the_lie_is_named() {
    for (name, technique, make) in LIES {
        for (payload, content) in payloads() {
            let walked = walked(&make(&content));
            assert!(walked.has(&content), "{name}, {payload}: {walked:?}");
            let expected = Finding::Ambiguous(*technique);
            assert!(walked.findings().contains(&expected), "{name}, {payload}: {:?}", walked.findings());
        }
    }
}

#[test]
fn a_zip_behind_something_else_is_both() {
    let zip = one("a.exe", b"content");
    for (before, kind) in [
        (b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(), Kind::Image),
        (b"%PDF-1.4\n%%EOF\n", Kind::Pdf),
        (b"<html><script>1</script></html>", Kind::Html),
        (&crate::content::fixture::program(), Kind::Pe),
    ] {
        let walked = walked(&[before, &zip].concat());
        assert_eq!(walked.contents.kinds.first(), Some(&kind), "{:?}", walked.contents.kinds);
        assert!(walked.contents.kinds.contains(&Kind::Zip), "{kind}");
        assert!(walked.has(b"content"), "{kind}: {walked:?}");
    }
}

#[test]
fn sound_oddities_are_no_lies() {
    // Sizes behind the octets, as programs write that do not know them before.
    let content = b"content";
    let entry = Entry { flags: 8, ..with("a", content) };
    let octets = archive(std::slice::from_ref(&entry));
    // Name, length and checksum of the own header are zero then.
    let mut streamed = octets;
    streamed[14..26].fill(0);
    let data = 30 + 1 + entry.data.len();
    let descriptor = [
        b"PK\x07\x08".as_slice(),
        &entry.crc.to_le_bytes(),
        &(entry.data.len() as u32).to_le_bytes(),
        &7_u32.to_le_bytes(),
    ]
    .concat();
    let directory = entry.central(0);
    streamed.truncate(data);
    streamed.extend(&descriptor);
    let offset = streamed.len();
    streamed.extend(&directory);
    streamed.extend(end(1, directory.len(), offset, b"a comment"));
    let walked = walked(&streamed);
    assert_eq!(walked.findings(), []);
    assert!(walked.has(content));
    // A zip that is stored in a zip, and line ends behind it.
    let nested = archive(&[Entry::stored("inner.zip", &one("a", content)), Entry::stored("b", b"x")]);
    for octets in [nested.clone(), [&nested, b"\r\n".as_slice()].concat()] {
        let walked = super::walked(&octets);
        assert_eq!(walked.findings(), []);
        assert_eq!(walked.parts(), ["2/inner.zip", "2/inner.zip/a", "2/b"]);
    }
    assert_eq!(super::walked(&end(0, 0, 0, b"")).findings(), []);
}

#[test]
fn a_piece_of_an_archive_is_divided() {
    let mut octets = one("a", b"x");
    let at = octets.len() - 18;
    octets[at] = 3;
    assert!(walked(&octets).findings().contains(&Finding::Unsupported(Unsupported::Divided)));
}
