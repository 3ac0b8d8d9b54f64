//! What a document does by itself is told, and what only looks like it is not.

use proptest::prelude::*;

use super::walked;
use crate::content::finding::Trait;
use crate::content::fixture;
use crate::content::fixture::zip::{Entry, archive};
use crate::wire::hexadecimal::hexadecimal;

/// MS-OVBA 2.4.1.3 with literals only: chunks of up to 4096 octets.
fn compressed(text: &str) -> Vec<u8> {
    let mut out = vec![1];
    for chunk in text.as_bytes().chunks(3600) {
        let data: Vec<u8> =
            chunk.chunks(8).flat_map(|octets| [0].into_iter().chain(octets.iter().copied())).collect();
        let header = 0xb000 | (data.len() as u16 - 1);
        out.extend(header.to_le_bytes());
        out.extend(data);
    }
    out
}

fn module(text: &str) -> Vec<u8> {
    let source = format!("Attribute VB_Name = \"M\"\r\n{text}\r\nEnd Sub\r\n");
    [b"\x01\x16 what the compiler keeps".as_slice(), &compressed(&source)].concat()
}

fn document(text: &str) -> Vec<u8> {
    fixture::ole(&[("/WordDocument", &[0; 64]), ("/Macros/VBA/M", &module(text))])
}

#[test]
fn macros_that_run_by_themselves_or_start_something() {
    let walked_of = |text: &str| walked(&document(text));
    let both = walked_of("Sub AutoOpen()\r\nSet x = CreateObject(\"WScript.Shell\")");
    assert!(both.has_trait(Trait::AutoExec) && both.has_trait(Trait::SuspiciousMacro));
    let auto = walked_of("Private Sub DOCUMENT_OPEN()\r\nx = 1");
    assert!(auto.has_trait(Trait::AutoExec) && !auto.has_trait(Trait::SuspiciousMacro));
    let harmless = walked_of("Sub Total()\r\nx = a + b");
    assert!(harmless.has_trait(Trait::Macros));
    assert!(!harmless.has_trait(Trait::AutoExec) && !harmless.has_trait(Trait::SuspiciousMacro));
    // Behind the first chunk, and in a document of the newer form.
    let long = format!("Sub A()\r\n{}\r\nSub Workbook_Open()", "' x\r\n".repeat(2000));
    assert!(walked_of(&long).has_trait(Trait::AutoExec));
    let project = fixture::ole(&[("/VBA/M", &module("Sub Auto_Open()"))]);
    let newer = archive(&[
        Entry::deflated("[Content_Types].xml", b"<Types/>"),
        Entry::deflated("xl/workbook.xml", b"<w/>"),
        Entry::deflated("xl/vbaProject.bin", &project),
    ]);
    assert!(walked(&newer).has_trait(Trait::AutoExec));
}

#[test]
fn objects_and_macros_of_old_slides_are_taken_out() {
    let project = fixture::ole(&[("/VBA/M", &module("Sub Auto_Open()"))]);
    let object = fixture::ole(&[("/\u{1}Ole10Native", b"MZ not a package")]);
    for is_compressed in [false, true] {
        let seen = walked(&fixture::ppt(true, &[(is_compressed, &project), (is_compressed, &object)]));
        assert!(seen.has_trait(Trait::Macros) && seen.has_trait(Trait::AutoExec), "{is_compressed}");
        assert!(seen.has_trait(Trait::EmbeddedObject) && seen.has(b"MZ not a package"), "{is_compressed}");
        assert_eq!(seen.findings(), []);
    }
    let told = walked(&fixture::ppt(true, &[]));
    assert!(told.has_trait(Trait::Macros));
    let plain = walked(&fixture::ppt(false, &[]));
    assert!(!plain.has_trait(Trait::Macros) && !plain.has_trait(Trait::EmbeddedObject));
}

#[test]
fn a_pdf_that_opens_at_a_place_does_nothing_by_itself() {
    use lopdf::{Document, Object, dictionary};
    let place = || Object::Array(vec![Object::Null, Object::Name(b"XYZ".to_vec())]);
    let goes = dictionary! { "S" => "GoTo", "D" => place() };
    let goes_on = dictionary! { "S" => "GoTo", "D" => place(), "Next" => dictionary! { "S" => "Named" } };
    let leaves = dictionary! { "S" => "GoToR", "F" => "b.pdf" };
    let cases: [(Object, bool); 4] =
        [(place(), false), (goes.into(), false), (goes_on.into(), true), (leaves.into(), true)];
    for (opens, acts) in cases {
        for by_reference in [false, true] {
            let mut document = Document::load_mem(&fixture::pdf("a.txt", b"text")).unwrap();
            let opens = if by_reference { document.add_object(opens.clone()).into() } else { opens.clone() };
            let root = document.trailer.get(b"Root").unwrap().as_reference().unwrap();
            document.get_object_mut(root).unwrap().as_dict_mut().unwrap().set("OpenAction", opens.clone());
            let mut octets = Vec::new();
            document.save_to(&mut octets).unwrap();
            assert_eq!(walked(&octets).has_trait(Trait::OpenAction), acts, "{opens:?}");
        }
    }
}

/// MS-OVBA 2.4.1.3 for one chunk, with a token for whatever stood there before.
fn compressed_with_tokens(text: &[u8]) -> Vec<u8> {
    let (mut data, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let (mut flags, mut tokens) = (0_u8, Vec::new());
        for bit in 0..8 {
            let Some(octet) = text.get(at) else { break };
            let bits = (4..12).find(|bits| 1 << bits >= at).unwrap_or(12);
            let most = (0xffff >> bits) + 3;
            let same = |from: usize| {
                (0..most.min(text.len() - at)).take_while(|n| text[from + n] == text[at + n]).count()
            };
            let best = (0..at).map(|from| (same(from), from)).max().filter(|(length, _)| *length >= 3);
            if let Some((length, from)) = best {
                flags |= 1 << bit;
                let token = ((at - from - 1) << (16 - bits)) | (length - 3);
                tokens.extend((token as u16).to_le_bytes());
                at += length;
            } else {
                tokens.push(*octet);
                at += 1;
            }
        }
        data.push(flags);
        data.extend(tokens);
    }
    let header = 0xb000 | (data.len() as u16 - 1);
    [header.to_le_bytes().as_slice(), &data].concat()
}

proptest! {
    #[test]
    fn tokens_of_the_compression_are_followed(text in "[ab]{3,40}[a-d ]{0,300}") {
        let read = crate::content::container::vba::decompress(&compressed_with_tokens(text.as_bytes()));
        prop_assert_eq!(String::from_utf8(read).unwrap(), text);
    }

    #[test]
    fn octets_of_chance_are_no_macros(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = crate::content::container::vba::decompress(&octets);
        let walked = walked(&fixture::ole(&[("/Macros/VBA/M", &octets)]));
        prop_assert!(!walked.has_trait(Trait::AutoExec));
    }
}

#[test]
fn sheets_of_macros() {
    let book = |kind: u8| {
        let records = [&[0x85, 0, 8, 0][..], &[0, 0, 0, 0, 0, kind, 1, 0], &[0x0a, 0, 0, 0]].concat();
        walked(&fixture::ole(&[("/Workbook", &records)]))
    };
    assert!(book(1).has_trait(Trait::MacroSheet) && !book(0).has_trait(Trait::MacroSheet));
    let newer = archive(&[
        Entry::deflated("[Content_Types].xml", b"<Types/>"),
        Entry::deflated("xl/workbook.xml", b"<w/>"),
        Entry::deflated("xl/macrosheets/sheet1.xml", b"<m/>"),
    ]);
    assert!(walked(&newer).has_trait(Trait::MacroSheet));
}

#[test]
fn fields_that_call_other_programs_and_controls() {
    let document = |name: &str, text: &str| {
        walked(&archive(&[
            Entry::deflated("[Content_Types].xml", b"<Types/>"),
            Entry::deflated("word/document.xml", b"<w/>"),
            Entry::deflated(name, text.as_bytes()),
        ]))
    };
    let split = "<w:instrText>D</w:instrText><w:r/><w:instrText xml:space='preserve'>DE c:\\x</w:instrText>";
    assert!(document("word/header1.xml", split).has_trait(Trait::Dde));
    assert!(document("word/a.xml", "<w:fldSimple w:instr=\"DDEAUTO x\"/>").has_trait(Trait::Dde));
    assert!(document("xl/externalLinks/e.xml", "<ddeLink a='b'/>").has_trait(Trait::Dde));
    assert!(!document("word/a.xml", "<w:instrText> PAGE </w:instrText><w:t>DDE</w:t>").has_trait(Trait::Dde));
    assert!(document("word/activeX/activeX1.xml", "<x/>").has_trait(Trait::ActiveX));
}

#[test]
fn pages_that_make_files() {
    let page = |body: &str| walked(format!("<html><body>{body}</body></html>").as_bytes());
    for body in [
        "<script>var b = new Blob([x]); a.href = URL.createObjectURL(b)</script>",
        "<SCRIPT>navigator.MSSAVEORopenBlob(x)</SCRIPT>",
        "<a download=a.iso href='data:application/octet-stream;base64,AAAA'>x</a>",
    ] {
        assert!(page(body).has_trait(Trait::HtmlSmuggling), "{body}");
    }
    for body in
        ["<script>alert(1)</script>", "<p>new Blob</p>", "<a href='data:application/pdf;base64,A'>x</a>"]
    {
        assert!(!page(body).has_trait(Trait::HtmlSmuggling), "{body}");
    }
}

#[test]
fn objects_of_a_text_that_act() {
    let text = |words: &str| walked(format!("{{\\rtf1{{\\object{words}}}}}").as_bytes());
    assert!(text("\\objemb\\objupdate{\\*\\objdata 0105}").has_trait(Trait::ObjectUpdate));
    let class = b"\x01\x05\0\0\x02\0\0\0\x0b\0\0\0Equation.3\0";
    let equation = text(&format!("\\objemb{{\\*\\objdata {}}}", hexadecimal(class)));
    assert!(equation.has_trait(Trait::EquationEditor) && !equation.has_trait(Trait::ObjectUpdate));
}

#[test]
fn files_are_taken_out_of_notes() {
    let section = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3";
    let file = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
    for (name, content) in fixture::payloads() {
        let length = (content.len() as u64).to_le_bytes();
        let notes = [section.as_slice(), &[0; 100], file, &length, &[0; 12], &content, b"behind"].concat();
        let seen = walked(&notes);
        assert!(seen.has(&content) && seen.has_trait(Trait::EmbeddedFile), "{name}");
        assert_eq!(seen.findings(), [], "{name}");
        // What is shorter than it says is looked at all the same.
        let cut = walked(&notes[..notes.len() - 8]);
        assert_eq!(cut.members.len(), 1, "{name}");
        assert!(!cut.findings().is_empty(), "{name}");
    }
}
