use super::detect;
use crate::content::fixture::program;
use crate::content::kind::Kind;

#[test]
fn kinds_are_told_by_octets() {
    let java = b"\xca\xfe\xba\xbe\0\0\0\x34";
    let fat = b"\xca\xfe\xba\xbe\0\0\0\x02";
    for (octets, kind) in [
        (b"".as_slice(), Kind::Empty),
        (b"Hello.\r\n", Kind::Text),
        ("Grüße".as_bytes(), Kind::Text),
        (b"\0\x01\x02", Kind::Data),
        (&program(), Kind::Pe),
        (b"\x7fELF\x02\x01", Kind::Elf),
        (java, Kind::JavaClass),
        (fat, Kind::MachO),
        (b"MZ is how this text begins, and it goes on for more than sixty-four octets.", Kind::Text),
        (b"#!/bin/sh\n", Kind::Script),
        (b"@ECHO OFF\r\n", Kind::Batch),
        (b"[InternetShortcut]\r\nURL=http://x/\r\n", Kind::Url),
        (b"\x4c\0\0\0\x01\x14\x02\0", Kind::Lnk),
        (b"\xef\xbb\xbf  <!DOCTYPE html><p>", Kind::Html),
        (b"\xff\xfe<\0h\0t\0m\0l\0>\0", Kind::Html),
        (b"<svg xmlns='x'>", Kind::Svg),
        (b"<?xml version='1.0'?><a/>", Kind::Xml),
        (b"<html><HTA:APPLICATION id=x></html>", Kind::Hta),
        (b"<job><script>1</script></job>", Kind::Wsf),
        (b"WEB\r\n1\r\nhttp://x/\r\n", Kind::Iqy),
        (b"ID;PWXL;N;E\r\n", Kind::Slk),
        (b"{\\rtf1 x}", Kind::Rtf),
        (b"junk before it %PDF-1.7", Kind::Pdf),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", Kind::Image),
        (b"GIF89a\x01\0\x01\0\0\0\0;", Kind::Image),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind::Image),
    ] {
        assert_eq!(detect(octets).first(), Some(&kind), "{octets:?}: {:?}", detect(octets));
    }
    assert_eq!(detect(b"GIF89a=1;alert(1)//\x01\0"), [Kind::Image, Kind::Script]);
}

#[test]
fn words_of_kinds_are_those_of_records() {
    for kind in [Kind::Pe, Kind::SevenZip, Kind::MachO, Kind::Iso, Kind::PostScript, Kind::Pkcs7] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}

#[test]
fn two_octets_alone_are_no_archive() {
    let arj = [b"\x60\xea\x2a\0\x22".as_slice(), &[0; 64]].concat();
    assert_eq!(detect(&arj), [Kind::Arj]);
    for octets in [b"\x60\xea".as_slice(), b"\x60\xea\x05\0\x05\0\0\0", b"\x60\xea\x2a\0\x2b\0\0\0"] {
        assert!(!detect(octets).contains(&Kind::Arj), "{octets:?}");
    }
    assert_eq!(detect(b"\x1f\x9d\x90\0\0"), [Kind::Compress]);
    assert_eq!(detect(b"\x1f\x9d\x00\0\0"), [Kind::Data]);
    assert_eq!(detect(b"\x1f\x8b\x08\0\0"), [Kind::Gzip]);
    assert_eq!(detect(b"\x1f\x8b\xff\0\0"), [Kind::Data]);
}
