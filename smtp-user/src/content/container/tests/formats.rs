//! Formats that some program opens are known, and what nothing here reads is said.

use super::walked;
use crate::content::finding::{Finding, Technique, Unsupported};
use crate::content::fixture::other::{base64, tar, tar_entry, uuencode};
use crate::content::fixture::{deflate, gzip, program, zstd};
use crate::content::kind::Kind;

fn lzma(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let options = lzma_rust2::LzmaOptions::with_preset(3);
    let mut writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn lzma_without_xz_is_unpacked() {
    for content in [program(), tar("a.exe", &program())] {
        let walked = walked(&lzma(&content));
        assert_eq!(walked.contents.kinds, [Kind::Lzma]);
        assert!(walked.has(&program()) && walked.findings().is_empty(), "{walked:?}");
    }
    let icon = b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04";
    let zeros = [0; 64];
    for octets in [icon.as_slice(), &zeros, b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\x01"] {
        assert!(!walked(octets).contents.kinds.contains(&Kind::Lzma), "{octets:?}");
    }
}

#[test]
fn a_zstd_may_begin_with_a_frame_to_be_passed_over() {
    let octets = [b"\x50\x2a\x4d\x18\x04\0\0\0abcd".as_slice(), &zstd(&program())].concat();
    let walked = walked(&octets);
    assert!(walked.has(&program()) && walked.findings().is_empty(), "{walked:?}");
}

#[test]
fn a_name_within_a_gzip_does_not_hide_that_of_the_file() {
    let inner = gzip("b.txt", b"var a;");
    let walked = walked(&tar("a.js.gz", &inner));
    assert_eq!(walked.members[1].names, ["b.txt", "a.js"]);
}

#[test]
fn archives_and_images_that_nothing_reads_are_said_to_be_such() {
    let mut boot = vec![0; 1024];
    boot[3..11].copy_from_slice(b"MSDOS5.0");
    boot[54..62].copy_from_slice(b"FAT12   ");
    boot[510..512].copy_from_slice(b"\x55\xaa");
    let mut mac = vec![0; 256];
    mac[1..6].copy_from_slice(b"\x04a.js");
    mac[122..124].copy_from_slice(&[130, 129]);
    let cpio = [b"\xc7\x71".as_slice(), &[0; 18], &[5, 0, 0, 0, 0, 0], b"a.js\0\0"].concat();
    let emulator = [&[b'<'; 64], b"\x7f\x10\xda\xbe".as_slice()].concat();
    for (octets, kind) in [
        (b"ALZ\x01\x0a\0\0\0".as_slice(), Kind::OtherArchive),
        (b"EGGA\0\x01", Kind::OtherArchive),
        (b"SIT!\0\x01\0\0\0\0rLau\x02", Kind::OtherArchive),
        (b"StuffIt (c)1997-2002", Kind::OtherArchive),
        (b"\x89LZO\0\r\n\x1a\n\x10\x30", Kind::OtherArchive),
        (b"\0\x05\x16\0\0\x02\0\0", Kind::OtherArchive),
        (b"hsqs\x01\0\0\0", Kind::OtherImage),
        (b"encrcdsa\0\0\0\x02", Kind::Dmg),
        (b"\x02\x21\x4c\x18\x10\0\0\0", Kind::Lz4),
        (&cpio, Kind::Cpio),
        (&mac, Kind::OtherArchive),
        (&boot, Kind::OtherImage),
        (&emulator, Kind::OtherImage),
    ] {
        let walked = walked(octets);
        assert_eq!(walked.contents.kinds.first(), Some(&kind), "{octets:?}");
        assert_eq!(walked.findings(), [Finding::Unsupported(Unsupported::Kind)], "{kind}");
    }
    // What Apple's mail program puts beside a file is no file.
    assert_eq!(walked(b"\0\x05\x16\x07\0\x02\0\0").findings(), []);
}

/// An entry of tar of another type.
fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut octets = tar_entry(name, content);
    octets[156] = kind;
    octets[148..156].copy_from_slice(b"        ");
    let sum: u32 = octets[..512].iter().map(|octet| u32::from(*octet)).sum();
    octets[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    octets
}

#[test]
fn every_name_that_a_tar_gives_a_file_counts() {
    let path = b"13 path=a.js\n".as_slice();
    let file = tar_entry("b.txt", b"var a;");
    for heads in [
        vec![entry(b'x', "x", path)],
        vec![entry(b'X', "x", path)],
        vec![entry(b'g', "x", path)],
        vec![entry(b'L', "x", b"a.js\0"), entry(b'x', "x", b"11 mtime=1\n")],
        vec![entry(b'x', "x", path), entry(b'L', "x", b"b.txt\0")],
    ] {
        let walked = walked(&[heads.concat(), file.clone(), vec![0; 1024]].concat());
        assert!(walked.members[0].names.contains(&"a.js".to_owned()), "{walked:?}");
        assert_eq!((walked.members.len(), walked.findings()), (1, vec![]));
    }
}

#[test]
fn a_tar_behind_the_end_of_a_tar_is_read_and_doubted() {
    for zeros in [512, 1024] {
        let second = tar("a.exe", &program());
        let walked = walked(&[tar_entry("b.txt", b"x"), vec![0; zeros], second].concat());
        assert!(walked.has(&program()), "{walked:?}");
        assert_eq!(walked.findings(), [Finding::Ambiguous(Technique::DataAfter)]);
    }
}

#[test]
fn a_tar_with_holes_is_not_said_to_be_read() {
    let head = entry(b'x', "x", b"22 GNU.sparse.major=1\n");
    let walked = walked(&[head, tar("b.txt", b"1\n0\n6\n")].concat());
    assert_eq!(walked.findings(), [Finding::Unsupported(Unsupported::Method)]);
}

#[test]
fn armor_of_every_heading_that_may_hold_a_message_is_read() {
    let content = program();
    let literal = [b"b\x05a.exe\0\0\0\0".as_slice(), &content].concat();
    let packet = [b"\xcb\xff".as_slice(), &(literal.len() as u32).to_be_bytes(), &literal].concat();
    for heading in ["MESSAGE", "ARMORED FILE", "MESSAGE, PART 01/01"] {
        let text = format!(
            "-----BEGIN PGP {heading}-----\r\n\r\n{}\r\n-----END PGP {heading}-----\r\n",
            base64(&packet)
        );
        assert!(walked(text.as_bytes()).has(&content), "{heading}");
    }
    // A marker stands before it, or its first piece is longer than what is looked at.
    let marked = [b"\xca\x03PGP".as_slice(), &packet].concat();
    assert!(walked(&marked).has(&content));
    let literal = [b"b\x05a.exe\0\0\0\0".as_slice(), &content.repeat(9)].concat();
    let (first, second) = literal.split_at(1024);
    let length = (second.len() as u32).to_be_bytes();
    let partial = [b"\xcb\xea".as_slice(), first, b"\xff", &length, second].concat();
    let packed = [b"\xa3\x01".as_slice(), &deflate(&partial)].concat();
    assert!(walked(&packed).has(&content.repeat(9)));
}

#[test]
fn uuencode_has_modes_of_any_length() {
    let text = String::from_utf8(uuencode("a.exe", &program())).unwrap();
    for mode in ["64", "0644", "100644", "0100644"] {
        let text = text.replace("begin 644", &format!("begin {mode}"));
        assert!(walked(text.as_bytes()).has(&program()), "{mode}");
    }
    assert_eq!(walked(b"begin 20 sentences\r\nlike this one\r\nend\r\n").members.len(), 0);
}
