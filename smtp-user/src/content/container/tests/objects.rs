//! Files in documents are found however the document leads to them.

use super::walked;
use crate::content::finding::{Finding, Unsupported};
use crate::content::fixture::{self, other, program};
use crate::content::kind::Kind;
use crate::wire::hexadecimal::hexadecimal;

#[test]
fn a_package_is_opened_whatever_capitals_its_stream_has() {
    let package = other::package("a.exe", &program());
    for name in ["/\u{1}Ole10Native", "/\u{1}oLE10nATivE", "/\u{1}OLE10NATIVE"] {
        let walked = walked(&fixture::ole(&[(name, &package)]));
        assert!(walked.has(&program()), "{name:?}: {walked:?}");
        assert_eq!(walked.members[0].names, ["a.exe", "C:\\a.exe", "C:"], "{name:?}");
    }
}

#[test]
fn a_package_that_is_shorter_than_it_says_is_damaged_and_read() {
    let mut package = other::package("a.exe", &program());
    package.truncate(package.len() - 10);
    let walked = walked(&fixture::ole(&[("/\u{1}Ole10Native", &package)]));
    assert!(walked.members[0].kinds.contains(&Kind::Pe), "{walked:?}");
    assert_eq!(walked.findings(), [Finding::Unsupported(Unsupported::Damaged)]);
    // A picture has a stream of this name, too, and no package in it.
    let picture = [b"\x40\x00\0\0BM\x36\0\0\0\0\0\0\0".as_slice(), &[0; 64]].concat();
    assert_eq!(super::walked(&fixture::ole(&[("/\u{1}Ole10Native", &picture)])).findings(), []);
}

#[test]
fn a_package_without_a_label_has_the_name_of_its_place() {
    let package = other::package("a.exe", &program());
    let package = [&package[..6], &package[11..]].concat();
    let walked = walked(&fixture::ole(&[("/\u{1}Ole10Native", &package)]));
    assert!(walked.has(&program()));
    assert_eq!(walked.members[0].names, ["C:\\a.exe", "C:"]);
}

#[test]
fn attachments_of_old_outlook_messages_have_their_names() {
    let folder = "/__attach_version1.0_#00000000";
    let walked = walked(&fixture::ole(&[
        ("/__properties_version1.0", &[0; 32]),
        (&format!("{folder}/__substg1.0_37010102"), b"var a;"),
        (&format!("{folder}/__substg1.0_3707001E"), b"a.js\0"),
    ]));
    let member = walked.members.iter().find(|member| member.octets.as_deref() == Some(b"var a;"));
    assert_eq!(member.unwrap().names[0], "a.js");
}

#[test]
fn the_number_of_a_control_word_hides_no_object() {
    let object = fixture::ole(&[("/\u{1}Ole10Native", &other::package("a.exe", &program()))]);
    let digits = hexadecimal(&object);
    for word in ["\\objdata ", "\\objdata0 ", "\\objdata549 ", "\\objdata-7\r\n", "\\objdata"] {
        let text = format!("{{\\rtf1{{\\object\\objemb{{\\*{word}{digits}}}}}}}");
        assert!(walked(text.as_bytes()).has(&program()), "{word:?}");
    }
}

#[test]
fn a_class_of_an_object_has_no_capitals() {
    for class in ["Package", "pAcKaGe", "PACKAGE"] {
        let native = &other::package("a.exe", &program())[4..];
        let length = (native.len() as u32).to_le_bytes();
        let head = [b"\x01\x05\0\0\x02\0\0\0\x08\0\0\0".as_slice(), class.as_bytes(), &[0; 9], &length];
        let object = [&head.concat(), native].concat();
        assert!(walked(&other::rtf(&object)).has(&program()), "{class}");
    }
}

/// A document with a file: what says how the stream is packed, the specification of the file, more objects.
fn pdf(stream: &str, specification: &str, more: &[&str]) -> Vec<u8> {
    let packed = {
        use std::io::Write as _;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&program()).unwrap();
        encoder.finish().unwrap()
    };
    let head = format!("<< {stream} /Length {} >>\nstream\n", packed.len());
    let mut objects: Vec<Vec<u8>> = [
        "<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles << /Names [(x) 3 0 R] >> >> >>",
        "<< /Type /Pages /Kids [] /Count 0 >>",
        specification,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    objects.push([head.as_bytes(), &packed, b"\nendstream"].concat());
    objects.extend(more.iter().map(|text| text.as_bytes().to_vec()));
    let (mut octets, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    for (index, object) in objects.iter().enumerate() {
        places.push(format!("{:010} 00000 n \n", octets.len()));
        octets.extend(format!("{} 0 obj\n", index + 1).bytes());
        octets.extend(object);
        octets.extend(b"\nendobj\n");
    }
    let (count, start, places) = (objects.len() + 1, octets.len(), places.concat());
    let end = format!(
        "xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    [octets, end.into_bytes()].concat()
}

#[test]
fn files_of_a_pdf_are_found_by_way_of_references() {
    let plain = "<< /F (a.exe) /EF << /F 4 0 R >> >>";
    for (stream, specification, more) in [
        ("/Filter /FlateDecode", plain, [].as_slice()),
        ("/Filter 5 0 R", plain, &["/FlateDecode"]),
        ("/Filter 5 0 R", plain, &["[6 0 R]", "/FlateDecode"]),
        ("/Filter /FlateDecode", "<< /F (a.exe) /EF 5 0 R >>", &["<< /F 4 0 R >>"]),
        ("/Filter /FlateDecode", "<< /F 5 0 R /EF << /F 4 0 R >> >>", &["(a.exe)"]),
        ("/Filter /FlateDecode", "<< /F (a.exe) /EF << /F 5 0 R >> >>", &["4 0 R"]),
        ("/Filter /FlateDecode", "<< /DOS (a.exe) /EF << /F 4 0 R >> >>", &[]),
    ] {
        let walked = walked(&pdf(stream, specification, more));
        assert!(walked.has(&program()), "{stream} {specification}: {walked:?}");
        assert_eq!(walked.members[0].names, ["a.exe"], "{stream} {specification}");
    }
}

/// Attributes of an attachment among its MAPI properties, each of one value.
fn tnef(title: &str, properties: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut all = (properties.len() as u32).to_le_bytes().to_vec();
    for (property, value) in properties {
        all.extend(property);
        all.extend(1_u32.to_le_bytes());
        all.extend((value.len() as u32).to_le_bytes());
        all.extend(*value);
        all.resize(all.len().next_multiple_of(4), 0);
    }
    let mut octets = b"\x78\x9f\x3e\x22\x01\0".to_vec();
    for (id, data) in [(0x0006_9002_u32, vec![0; 14]), (0x0001_8010, title.into()), (0x0006_9005, all)] {
        octets.push(2);
        octets.extend(id.to_le_bytes());
        octets.extend((data.len() as u32).to_le_bytes());
        octets.extend(data);
        octets.extend([0, 0]);
    }
    octets
}

#[test]
fn a_file_among_the_properties_of_an_attachment_is_read_with_its_long_name() {
    let properties = [([0x1e, 0, 0x07, 0x37], b"a.exe\0".as_slice()), ([0x02, 0x01, 0x01, 0x37], &program())];
    let walked = walked(&tnef("b.txt", &properties));
    assert!(walked.has(&program()), "{walked:?}");
    assert_eq!(walked.members[0].names, ["a.exe", "b.txt"]);
}
