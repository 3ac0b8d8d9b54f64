//! Files in texts are found as the programs find them that open such texts.

use super::walked;
use crate::content::fixture::other::{self, base64};
use crate::content::fixture::zip::one;
use crate::content::fixture::{self, program};
use crate::content::kind::Kind;

#[test]
fn calendars_and_cards_are_read_as_loosely_as_by_their_programs() {
    let data = base64(&program()).replace("\r\n", "\r\n ");
    for (lead, property) in [
        ("BEGIN:VCALENDAR", "ATTACH;VALUE=BINARY;ENCODING=\"BASE64\";X-FILENAME=a.exe:"),
        ("BEGIN:VCALENDAR", "ATTACH;VALUE=BINARY:"),
        ("BEGIN:\r\n VCALENDAR", "ATTACH;ENC\r\n ODING=BASE64:"),
        ("X:1\r\nBEGIN:VCALENDAR", "ATTACH;ENCODING=BASE64:"),
        ("BEGIN:VCALENDAR", "ATTACH:data:application/octet-stream;base64,"),
        ("BEGIN:VCARD", "KEY:data:;base64,"),
        ("begin:vcard", "PHOTO;encoding=b:"),
    ] {
        let text = format!("{lead}\r\n{property}{data}\r\nEND:VCARD\r\n");
        for text in [text.clone(), text.replace("\r\n", "\r"), text.replace("\r\n", "\n")] {
            let walked = walked(text.as_bytes());
            let is_program = walked.members.iter().any(|member| member.kinds.contains(&Kind::Pe));
            assert!(is_program, "{property}: {walked:?}");
        }
    }
}

#[test]
fn addresses_are_read_as_browsers_read_them() {
    let data = base64(&program()).replace("\r\n", "");
    let numbers = data.bytes().map(|octet| format!("&#{octet};")).collect::<Vec<_>>().concat();
    for address in [
        format!("DATA:APPLICATION/X;BASE64,{data}"),
        format!("&#100;ata&colon;application/x;base64,{data}"),
        format!("da\r\n\tta:application/x;base64,{data}"),
        format!("data:application/x;base64,{numbers}"),
        format!("data:application/x;a={};base64,{data}", "x".repeat(1000)),
    ] {
        let page = format!("<html><a download href=\"{address}\">x</a></html>");
        assert!(walked(page.as_bytes()).has(&program()), "{address}");
    }
    let page = format!("<html><a href=\"data:application/x;base64,{data}\">x</a></html>");
    let wide: Vec<u8> = page.bytes().flat_map(|octet| [octet, 0]).collect();
    assert!(walked(&[b"\xff\xfe", wide.as_slice()].concat()).has(&program()));
}

#[test]
fn a_page_by_its_name_is_a_page_wherever_its_first_tag_stands() {
    let page = [b" Hello. ".repeat(400).as_slice(), b"<script>new Blob([1])</script>"].concat();
    let walked = walked(&one("a.html", &page));
    assert!(walked.has_trait(crate::content::finding::Trait::HtmlSmuggling), "{walked:?}");
    assert!(walked.members[0].kinds.contains(&Kind::Html));
}

#[test]
fn documents_that_are_one_text_have_objects() {
    let object = fixture::ole(&[("/\u{1}Ole10Native", &other::package("a.exe", &program()))]);
    for name in ["pkg:binaryData", "w:binData", "office:binary-data"] {
        let data = base64(&object);
        let text = format!("<?xml version=\"1.0\"?><x><{name} a=\"b\">\r\n{data}\r\n</{name}></x>");
        assert!(walked(text.as_bytes()).has(&program()), "{name}");
    }
}

#[test]
fn an_object_of_office_is_unpacked() {
    use std::io::Write as _;
    let object = fixture::ole(&[("/\u{1}Ole10Native", &other::package("a.exe", &program()))]);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&object).unwrap();
    let packed = encoder.finish().unwrap();
    let walked = walked(&[b"ActiveMime\0\0\x01\xf0".as_slice(), &[0; 36], &packed].concat());
    assert_eq!(walked.contents.kinds, [Kind::ActiveMime]);
    assert!(walked.has(&program()) && walked.findings().is_empty(), "{walked:?}");
}
