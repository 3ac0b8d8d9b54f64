//! Messages are read wherever a mail program or an office program reads one.

use super::walked;
use crate::content::fixture::other::{base64, cms, message};
use crate::content::fixture::zip::one;
use crate::content::fixture::{pdf, program};
use crate::content::kind::Kind;

#[test]
fn a_signed_entity_is_one_whatever_field_comes_first() {
    let body = base64(&program());
    for first in [
        String::new(),
        "Content-Disposition: attachment; filename=a.exe\r\n".to_owned(),
        "Content-ID: <x>\r\n".to_owned(),
        "Subject: x\r\n".to_owned(),
        format!("X-Long: {}\r\n", "x".repeat(2000)),
    ] {
        let entity = format!("{first}Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n");
        for octets in [cms(2, entity.as_bytes()), cms(2, entity.replace("\r\n", "\n").as_bytes())] {
            assert!(walked(&octets).has(&program()), "{first:?}");
        }
    }
    // A signed file is none.
    let text = b"Dear all,\r\nContent-Type: is what we talk of.\r\n";
    let walked = walked(&cms(2, text));
    assert_eq!((walked.members.len(), walked.findings()), (1, vec![]), "{walked:?}");
}

#[test]
fn a_signed_file_in_base64_is_opened() {
    let text = base64(&cms(2, &program()));
    for text in [text.clone(), text.replace("\r\n", ""), format!("\r\n{text}\r\n")] {
        let walked = walked(text.as_bytes());
        assert!(walked.contents.kinds.contains(&Kind::Pkcs7) && walked.has(&program()), "{walked:?}");
    }
    assert_eq!(walked(b"MIAG is no word, and this is a text.").contents.kinds, [Kind::Text]);
}

#[test]
fn every_message_of_a_folder_is_read() {
    let separator = b"From a@example.com Mon Jan  1 00:00:00 2024\r\n".as_slice();
    let first = b"Subject: x\r\nMIME-Version: 1.0\r\n\r\nHello.\r\n\r\n";
    let folder = [separator, first, separator, &message("a.exe", &program())].concat();
    let lines_of_lf: Vec<u8> = folder.iter().copied().filter(|octet| *octet != b'\r').collect();
    for folder in [folder, lines_of_lf] {
        let walked = walked(&one("a.mbox", &folder));
        assert!(walked.has(&program()), "{walked:?}");
        assert_eq!(walked.findings(), []);
    }
}

#[test]
fn a_message_may_have_its_length_or_empty_lines_before_it() {
    let plain = message("a.exe", &program());
    for before in [format!("{}\n", plain.len()), "\r\n".repeat(40)] {
        let walked = walked(&one("a.emlx", &[before.as_bytes(), &plain].concat()));
        assert!(walked.has(&program()), "{before:?}: {walked:?}");
    }
}

#[test]
fn a_file_that_is_named_a_message_is_read_as_one_whatever_it_begins_with() {
    for before in ["%!PS: x", "REGEDIT4: x", "X: \0", "GIF89a: x", "X-Y: <svg "] {
        let octets = [before.as_bytes(), b"\r\n", &message("a.exe", &program())].concat();
        assert!(walked(&one("a.eml", &octets)).has(&program()), "{before:?}");
    }
}

#[test]
fn word_finds_a_page_in_parts_behind_anything() {
    let page = message("a.exe", &program());
    let at = page.windows(13).position(|field| field == b"MIME-Version:").unwrap();
    let page = &page[at..];
    let junk = [b"anything\r\nbefore it\r\n", page].concat();
    assert!(walked(&one("a.doc", &junk)).has(&program()));
    for name in ["a.doc", "a.pdf"] {
        for fields in ["", "Content-Location: x\r\nX-A: b\r\n c\r\n"] {
            let document = pdf("b.txt", b"x");
            let behind = [document.as_slice(), b"\r\n", fields.as_bytes(), page].concat();
            let walked = walked(&one(name, &behind));
            assert!(walked.has(&program()), "{name} {fields:?}");
            let again = walked.members.iter().filter(|member| member.kinds.contains(&Kind::Pdf)).count();
            assert_eq!(again, 1, "{walked:?}");
        }
        let first = String::from_utf8(page.to_vec()).unwrap();
        let (version, rest) = first.split_once("\r\n").unwrap();
        let (declared, rest) = rest.split_once("\r\n").unwrap();
        let last = format!("{declared}\r\n{version}\r\n{rest}");
        let behind = [pdf("b.txt", b"x").as_slice(), b"\r\n", last.as_bytes()].concat();
        assert!(walked(&one(name, &behind)).has(&program()), "{name}: the type before the version");
    }
    // A text that speaks of one shows it as it is.
    assert_eq!(walked(&one("a.txt", &junk)).members[0].kinds, [Kind::Text]);
}
