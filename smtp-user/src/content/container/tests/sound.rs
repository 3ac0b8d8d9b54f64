//! Containers as their own programs write them.

use super::{walk_with, walked};
use crate::content::finding::{Finding, Limit, Trait, Unsupported};
use crate::content::fixture::iso::iso;
use crate::content::fixture::other::{self, RarFile, base64};
use crate::content::fixture::zip::{Entry, archive, encrypt, one};
use crate::content::fixture::{self, payloads, program};
use crate::content::kind::Kind;
use crate::content::limits::ContentLimits;

pub(super) type Maker = fn(&[u8]) -> Vec<u8>;

/// Every container that is read, and what it is.
pub(super) const MAKERS: &[(&str, Kind, Maker)] = &[
    ("zip, stored", Kind::Zip, |content| archive(&[Entry::stored("a.exe", content)])),
    ("zip, deflate", Kind::Zip, |content| one("docs/a.exe", content)),
    ("zip, bzip2", Kind::Zip, |content| {
        archive(&[Entry { method: 12, data: fixture::bzip2(content), ..Entry::stored("a", content) }])
    }),
    ("zip, xz", Kind::Zip, |content| {
        archive(&[Entry { method: 95, data: fixture::xz(content), ..Entry::stored("a", content) }])
    }),
    ("zip, zstd", Kind::Zip, |content| {
        archive(&[Entry { method: 93, data: fixture::zstd(content), ..Entry::stored("a", content) }])
    }),
    ("tar", Kind::Tar, |content| other::tar("a.exe", content)),
    ("gzip", Kind::Gzip, |content| fixture::gzip("a.exe", content)),
    ("bzip2", Kind::Bzip2, fixture::bzip2),
    ("xz", Kind::Xz, fixture::xz),
    ("zstd", Kind::Zstd, fixture::zstd),
    ("7z", Kind::SevenZip, |content| fixture::seven_zip("a.exe", content, None, false)),
    ("rar", Kind::Rar, |content| other::rar("a.exe", content, RarFile::Stored)),
    ("rar before version 5", Kind::Rar, |content| other::old_rar("a.exe", content, RarFile::Stored)),
    ("cab", Kind::Cab, |content| fixture::cab("a.exe", content)),
    ("lha", Kind::Lha, |content| other::lha("a.exe", content)),
    ("iso", Kind::Iso, |content| iso("A.EXE", content)),
    ("ole", Kind::Ole, |content| fixture::ole(&[("/a/b", content)])),
    ("doc with a package", Kind::Doc, |content| {
        fixture::ole(&[
            ("/WordDocument", &[0; 64]),
            ("/ObjectPool/_1/\u{1}Ole10Native", &other::package("a.exe", content)),
        ])
    }),
    ("docx", Kind::Docx, |content| {
        archive(&[
            Entry::deflated("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types/>"),
            Entry::deflated("word/document.xml", b"<?xml version=\"1.0\"?><w/>"),
            Entry::deflated("word/embeddings/oleObject1.bin", content),
        ])
    }),
    ("odf", Kind::Odf, |content| {
        archive(&[
            Entry::stored("mimetype", b"application/vnd.oasis.opendocument.text"),
            Entry::deflated("Object 1", content),
        ])
    }),
    ("jar", Kind::Jar, |content| {
        archive(&[
            Entry::deflated("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n"),
            Entry::deflated("a", content),
        ])
    }),
    ("pdf", Kind::Pdf, |content| fixture::pdf("a.exe", content)),
    ("rtf", Kind::Rtf, |content| {
        other::rtf(&fixture::ole(&[("/\u{1}Ole10Native", &other::package("a", content))]))
    }),
    ("tnef", Kind::Tnef, |content| other::tnef("a.exe", content)),
    ("message", Kind::Message, |content| other::message("a.exe", content)),
    ("signed", Kind::Pkcs7, |content| other::cms(2, content)),
    ("uuencode", Kind::Uuencode, |content| other::uuencode("a.exe", content)),
    ("xxencode", Kind::Uuencode, |content| other::xxencode("a.exe", content)),
    ("yenc", Kind::Yenc, |content| other::yenc("a.exe", content)),
];

#[test]
fn what_is_in_a_container_is_seen_octet_for_octet() {
    for (name, kind, make) in MAKERS {
        for (payload, content) in payloads() {
            let walked = walked(&make(&content));
            assert!(walked.contents.kinds.contains(kind), "{name}: {:?}", walked.contents.kinds);
            assert!(walked.has(&content), "{name}, {payload}: {walked:?}");
            assert_eq!(walked.findings(), [], "{name}, {payload}");
            let is_program = walked.members.iter().any(|member| member.kinds.contains(&Kind::Pe));
            assert_eq!(is_program, payload == "program", "{name}");
        }
    }
}

#[test]
fn containers_within_each_other_are_all_opened() {
    for (outer, _, make) in MAKERS {
        for (inner, kind, make_inner) in MAKERS {
            let content = make_inner(&program());
            let walked = walked(&make(&content));
            assert!(walked.has(&program()), "{inner} in {outer}: {:?}", walked.parts());
            let is_known = walked.members.iter().any(|member| member.kinds.contains(kind));
            assert!(is_known, "{inner} in {outer}: {walked:?}");
            assert_eq!(walked.findings(), [], "{inner} in {outer}");
        }
    }
}

#[test]
fn members_have_numbers_that_say_where_they_are() {
    let inner = archive(&[Entry::stored("docs/a.exe", &program()), Entry::stored("docs/a\u{7}b", b"x")]);
    let walked = walked(&fixture::gzip("inner.zip", &inner));
    assert_eq!(walked.parts(), ["2/inner.zip", "2/inner.zip/docs/a.exe", "2/inner.zip/2"]);
    assert_eq!(walked.members[2].names, ["docs/a\u{7}b"]);
}

#[test]
fn a_cabinet_of_many_blocks_refers_to_those_before() {
    let content: Vec<u8> = (0..200_000_u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    let content = [content.as_slice(), &content].concat();
    let walked = walked(&fixture::cab("a", &content));
    assert!(walked.has(&content));
    assert_eq!(walked.findings(), []);
}

#[test]
fn documents_tell_what_they_have() {
    let macros = fixture::ole(&[("/WordDocument", &[0; 64]), ("/Macros/VBA/dir", b"x")]);
    assert!(walked(&macros).has_trait(Trait::Macros));
    let relations = b"<Relationship Type=\"http://x/attachedTemplate\" Target=\"http://e/x.dotm\" TargetMode=\"External\"/>";
    let document = archive(&[
        Entry::deflated("[Content_Types].xml", b"<Types/>"),
        Entry::deflated("word/document.xml", b"<w/>"),
        Entry::deflated("word/vbaProject.bin", &macros),
        Entry::deflated("word/_rels/settings.xml.rels", relations),
    ]);
    let walked = walked(&document);
    assert_eq!(walked.contents.kinds, [Kind::Docx]);
    assert!(walked.has_trait(Trait::Macros) && walked.has_trait(Trait::ExternalTemplate));
    assert_eq!(walked.findings(), []);
}

#[test]
fn what_needs_a_key_is_encrypted() {
    let secret = |content: &[u8]| archive(&[encrypt(&Entry::deflated("a.exe", content), "S3cret!")]);
    let encrypted: Vec<(&str, Vec<u8>)> = vec![
        ("zip", secret(&program())),
        ("7z", fixture::seven_zip("a.exe", &program(), Some("S3cret!"), false)),
        ("7z, header too", fixture::seven_zip("a.exe", &program(), Some("S3cret!"), true)),
        ("rar", other::rar("a.exe", &program(), RarFile::Encrypted)),
        ("rar before version 5", other::old_rar("a.exe", &program(), RarFile::Encrypted)),
        ("rar, headers", b"Rar!\x1a\x07\x01\0\0\0\0\0\x02\x04\0".to_vec()),
        ("rar before version 5, headers", b"Rar!\x1a\x07\0\0\0\x73\x80\0\x0d\0\0\0\0\0\0\0".to_vec()),
        ("ooxml", fixture::ole(&[("/EncryptionInfo", b"x"), ("/EncryptedPackage", b"y")])),
        ("doc", fixture::ole(&[("/WordDocument", &[0xec, 0xa5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])])),
        ("xls", fixture::ole(&[("/Workbook", &[9, 8, 2, 0, 0, 6, 0x2f, 0, 6, 0])])),
        ("s/mime", other::cms(3, b"x")),
        ("pgp", pgp(&[0x84, 0x5e, 3]).into_bytes()),
    ];
    for (name, octets) in encrypted {
        assert!(walked(&octets).findings().contains(&Finding::Encrypted), "{name}: {:?}", walked(&octets));
        let within = walked(&one("inner", &octets));
        assert!(within.findings().contains(&Finding::Encrypted), "{name} in a zip");
    }
    // Signed mail and words about encrypted mail are neither.
    assert_eq!(walked(b"Paste it between -----BEGIN PGP MESSAGE----- and the end.\n").findings(), []);
}

fn pgp(packet: &[u8]) -> String {
    format!("Hi.\n-----BEGIN PGP MESSAGE-----\nVersion: 1\n\n{}\n-----END PGP MESSAGE-----\n", base64(packet))
}

#[test]
fn a_password_from_the_message_opens_it() {
    let limits = ContentLimits::default();
    for (name, octets) in [
        ("zip", archive(&[encrypt(&Entry::deflated("a.exe", &program()), "S3cret!")])),
        ("7z", fixture::seven_zip("a.exe", &program(), Some("S3cret!"), false)),
        ("7z, header too", fixture::seven_zip("a.exe", &program(), Some("S3cret!"), true)),
    ] {
        let walked = walk_with(&octets, &limits, &["wrong", "S3cret!"]);
        assert!(walked.has(&program()), "{name}: {walked:?}");
        assert_eq!(walked.findings(), [], "{name}");
        assert!(walked.has_trait(Trait::OpenedByPassword), "{name}");
        let walked = walk_with(&octets, &limits, &["wrong", "also"]);
        assert_eq!(walked.findings(), [Finding::Encrypted], "{name}");
    }
}

#[test]
fn what_nothing_reads_is_said() {
    let unsupported = Finding::Unsupported(Unsupported::Kind);
    for octets in
        [b"Rar!\x1a\x07\x01\0rest".as_slice(), b"ITSF\x03\0\0\0", b"vhdxfile", b"!<arch>\ndebian-binary"]
    {
        assert!(!walked(octets).findings().is_empty(), "{octets:?}");
        assert!(
            walked(&one("x", octets)).contents.findings.iter().any(|(_, place)| place == "2/x"),
            "{octets:?}"
        );
    }
    assert_eq!(walked(b"ITSF\x03").findings(), [unsupported]);
}

#[test]
fn what_is_compressed_in_a_rar_is_named_and_not_passed_over() {
    for octets in [
        other::rar("docs/a.exe", b"noise", RarFile::Compressed),
        other::old_rar("docs/a.exe", b"noise", RarFile::Compressed),
    ] {
        let walked = walked(&octets);
        assert!(!walked.findings().is_empty());
        assert_eq!(walked.parts(), ["2/docs/a.exe"]);
    }
}

#[test]
fn what_is_cut_is_damaged_and_its_start_is_seen() {
    for (name, _, make) in MAKERS {
        let octets = make(&program().repeat(40));
        for cut in [octets.len() / 3, octets.len() / 2, octets.len() - 1] {
            // Whatever comes of it, it ends.
            let _ = walked(&octets[..cut]);
        }
        let _ = name;
    }
    let cut = &one("a", &program())[..40];
    assert!(!walked(cut).findings().is_empty());
}

#[test]
fn depth_ends_somewhere() {
    let limits = ContentLimits { max_depth: 3, ..ContentLimits::default() };
    let mut octets = program();
    for depth in 0..5 {
        let walked = walk_with(&octets, &limits, &[]);
        let expected: &[Finding] = if depth > 3 { &[Finding::LimitExceeded(Limit::Depth)] } else { &[] };
        assert_eq!(walked.findings(), expected, "{depth}");
        octets = fixture::gzip("a", &octets);
    }
}
