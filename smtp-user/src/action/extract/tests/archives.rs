//! Zip archives with documents in them.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{ExtractError, Extracted, Kind, Trait, Weeds, traits};
use crate::action::extract::{extract, safe_copy};
use crate::content::ContentLimits;
use crate::content::container::zip::layout::{Placed, layout};
use crate::content::fixture;
use crate::content::fixture::zip::{Entry, archive, encrypt, end};

const PAGE: &[u8] = b"<html><script>x</script><p>text</p></html>";
const CLEAN: &[u8] = b"<html><p>text</p></html>";

fn with_macros() -> Vec<u8> {
    archive(&[
        Entry::deflated("[Content_Types].xml", b"<Types/>"),
        Entry::deflated("word/document.xml", b"<w:document/>"),
        Entry::deflated("word/vbaProject.bin", b"macros"),
    ])
}

fn made(octets: &[u8], wanted: &[&str]) -> Result<Option<Extracted>, ExtractError> {
    within(octets, wanted, &ContentLimits::default())
}

fn within(octets: &[u8], wanted: &[&str], limits: &ContentLimits) -> Result<Option<Extracted>, ExtractError> {
    let wanted: Vec<String> = wanted.iter().map(|place| (*place).to_owned()).collect();
    let (kind, copy) = safe_copy(octets, "", &wanted, &Weeds::default(), limits)?;
    assert_eq!(kind, Kind::Zip);
    Ok(copy)
}

fn members(octets: &[u8]) -> Vec<Placed<'_>> {
    layout(octets, 1000).unwrap().members
}

/// The content of a member, as another program unpacks it.
fn content(octets: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(octets)).unwrap();
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut content).unwrap();
    content
}

/// Sees that members are what they were, octet for octet, but for where they stand.
fn are_untouched(original: &[u8], copy: &[u8], changed: &[&str]) {
    let (old, new) = (members(original), members(copy));
    assert_eq!(old.len(), new.len());
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old.names, new.names);
        if changed.contains(&old.names[0].as_str()) {
            continue;
        }
        assert_eq!(old.own, new.own, "{:?}", old.names);
        assert_eq!(old.central[..42], new.central[..42], "{:?}", old.names);
        assert_eq!(old.central[46..], new.central[46..], "{:?}", old.names);
    }
}

#[test]
fn documents_in_an_archive_are_cleaned_and_the_rest_stays_octet_for_octet() {
    let document = with_macros();
    let mut extra = Entry::deflated("d\u{e4}/b.html", PAGE);
    extra.extra = b"UT\x05\0\x01abcd".to_vec();
    let mut original = archive(&[
        Entry::stored("docs/", b""),
        Entry::stored("docs/a.docm", &document),
        Entry::deflated("setup.exe", &fixture::program()),
        extra,
        Entry::deflated("notes.txt", b"text, and nothing else"),
    ]);
    let at = original.len() - 2;
    original.splice(at.., *b"\x07\0comment\r\n");
    let copied = made(&original, &[]).unwrap().unwrap();
    assert_eq!(copied.removed.to_string(), "macros, script");
    let told: Vec<(&str, String)> =
        copied.members.iter().map(|member| (member.place.as_str(), member.removed.to_string())).collect();
    assert_eq!(told, [("docs/a.docm", "macros".to_owned()), ("d\u{e4}/b.html", "script".to_owned())]);
    are_untouched(&original, &copied.octets, &["docs/a.docm", "d\u{e4}/b.html"]);
    assert_eq!(content(&copied.octets, "d\u{e4}/b.html"), CLEAN);
    let copy = extract(Kind::Docx, &document, &Weeds::default(), 1 << 20).unwrap().unwrap();
    assert_eq!(content(&copied.octets, "docs/a.docm"), copy.octets);
    assert_eq!(members(&copied.octets)[1].method, 0, "what was stored is stored");
    assert!(members(&copied.octets)[3].central.ends_with(b"UT\x05\0\x01abcd"));
    assert!(copied.octets.ends_with(b"\x07\0comment\r\n"));
    assert!(traits(&original).contains(&Trait::Macros) && !traits(&copied.octets).contains(&Trait::Macros));
    assert_eq!(made(&copied.octets, &[]), Ok(None));
}

#[test]
fn members_that_are_named_are_cleaned_and_no_others() {
    let inner = archive(&[Entry::deflated("c.docm", &with_macros()), Entry::deflated("d.html", PAGE)]);
    let original = archive(&[
        Entry::deflated("a.docm", &with_macros()),
        Entry::deflated("b.html", PAGE),
        Entry::deflated("setup.exe", &fixture::program()),
        Entry::stored("in.zip", &inner),
    ]);
    let places = |wanted: &[&str]| -> Vec<String> {
        let copied = made(&original, wanted).unwrap().unwrap();
        copied.members.into_iter().map(|member| member.place).collect()
    };
    assert_eq!(places(&["/a.docm"]), ["a.docm"]);
    assert_eq!(places(&["/a.docm/word/vbaProject.bin"]), ["a.docm"]);
    assert_eq!(places(&["/in.zip/c.docm"]), ["in.zip/c.docm"]);
    assert_eq!(places(&["/b.html", "/in.zip"]), ["b.html", "in.zip/c.docm", "in.zip/d.html"]);
    assert_eq!(places(&["", "/a.docm"]), ["a.docm", "b.html", "in.zip/c.docm", "in.zip/d.html"]);
    let copied = made(&original, &["/in.zip/c.docm"]).unwrap().unwrap();
    are_untouched(&original, &copied.octets, &["in.zip"]);
    are_untouched(&inner, &content(&copied.octets, "in.zip"), &["c.docm"]);
    let error = made(&original, &["/setup.exe"]).unwrap_err().to_string();
    assert!(error.starts_with("setup.exe: it is pe; safe copies are made of HTML"), "{error}");
    assert!(matches!(made(&original, &["/gone"]), Err(ExtractError::Uncertain(_))));
}

#[test]
fn no_copy_is_made_of_a_document_that_cannot_be_cleaned_or_of_what_is_in_other_archives() {
    let damaged = archive(&[Entry::deflated("b.html", PAGE), Entry::deflated("a.pdf", b"%PDF-1.4 cut")]);
    let error = made(&damaged, &[]).unwrap_err();
    assert!(error.to_string().starts_with("a.pdf: it is damaged"), "{error}");
    let packed = fixture::gzip("a.docm", &with_macros());
    let other = archive(&[Entry::deflated("a.docm.gz", &packed), Entry::deflated("b.html", PAGE)]);
    // A rule names what is in it, which nobody here can take out.
    assert!(matches!(made(&other, &["/a.docm.gz/a.docm"]), Err(ExtractError::Member { .. })));
    let copied = made(&other, &[""]).unwrap().unwrap();
    assert_eq!(content(&copied.octets, "a.docm.gz"), packed);
    let mail = b"From: <a@a.test>\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<script>x</script>\r\n";
    let mail = archive(&[Entry::deflated("a.eml", mail)]);
    assert!(matches!(made(&mail, &["/a.eml"]), Err(ExtractError::Member { .. })));
}

#[test]
fn what_readers_may_see_in_two_ways_is_left_alone() {
    let page = Entry::deflated("b.html", PAGE);
    let sound = archive(std::slice::from_ref(&page));
    assert!(made(&sound, &[]).unwrap().is_some());
    let other = |change: fn(&mut Entry)| {
        let mut entry = Entry::stored("c", b"content");
        change(&mut entry);
        archive(&[page.clone(), entry])
    };
    let uncertain = [
        other(|entry| entry.local_name = Some(b"d".to_vec())),
        other(|entry| entry.local_method = Some(8)),
        other(|entry| entry.local_unpacked = Some(3)),
        other(|entry| entry.is_hidden = true),
        other(|entry| entry.name = b"b.html".to_vec()),
        other(|entry| entry.name = b"../c".to_vec()),
        [b"PKbefore".as_slice(), &sound].concat(),
        [&sound, b"behind".as_slice()].concat(),
        [sound.as_slice(), &sound].concat(),
        fixture::zip::overlapping(PAGE, 2),
        [&sound[..sound.len() - 22], b"PK\x05\x05\0\0", &end(1, sound.len(), 0, b"")].concat(),
    ];
    for (index, octets) in uncertain.iter().enumerate() {
        let outcome = safe_copy(octets, "", &[], &Weeds::default(), &ContentLimits::default());
        assert!(outcome.is_err(), "{index}: {outcome:?}");
    }
    let locked = encrypt(&Entry::stored("c", b"content"), "secret");
    assert_eq!(made(&archive(&[page.clone(), locked]), &[]), Err(ExtractError::Encrypted));
    let lies = other(|entry| {
        entry.name = b"c.html".to_vec();
        entry.crc = 1;
    });
    assert!(matches!(made(&lies, &[]), Err(ExtractError::Member { .. })));
    // A script for readers of PDF in what readers of zip pass over.
    let mut hidden = page;
    hidden.extra = b"xx\x08\0%PDF-1.4".to_vec();
    assert!(matches!(made(&archive(&[hidden]), &[]), Err(ExtractError::TwoKinds(..))));
    let pdf = fixture::pdf("a.txt", b"harmless");
    let stored = archive(&[Entry::stored("a.pdf", &pdf)]);
    assert!(made(&stored, &[]).unwrap().unwrap().removed.count("embedded file") > 0);
}

#[test]
fn bounds_are_those_of_what_is_unpacked() {
    let large = vec![0; 5 << 20];
    let bomb = archive(&[Entry::deflated("b.html", PAGE), Entry::deflated("zeros", &large)]);
    let limits = ContentLimits::default();
    let too_large = |octets: &[u8], limits: ContentLimits| {
        let error = within(octets, &[], &limits).unwrap_err();
        let error = if let ExtractError::Member { source, .. } = error { *source } else { error };
        assert_eq!(error, ExtractError::TooLarge);
    };
    too_large(&bomb, limits);
    assert!(within(&bomb, &["/b.html"], &limits).unwrap().is_some(), "what stays is not unpacked");
    let pages = archive(&[Entry::deflated("b.html", PAGE), Entry::deflated("c.html", PAGE)]);
    too_large(&pages, ContentLimits { max_octets: PAGE.len() as u64, ..limits });
    too_large(&pages, ContentLimits { max_member: 10, ..limits });
    too_large(&pages, ContentLimits { max_members: 1, ..limits });
    let nested = archive(&[Entry::stored("in.zip", &pages)]);
    too_large(&nested, ContentLimits { max_depth: 1, ..limits });
    too_large(&nested, ContentLimits { max_members: 2, ..limits });
    assert!(
        within(&nested, &[], &ContentLimits { max_depth: 2, max_members: 3, ..limits }).unwrap().is_some()
    );
}

#[test]
fn archives_of_streams_and_with_large_sizes_are_read() {
    let members: [(&str, &[u8]); 3] = [("a.txt", b"text"), ("b.html", PAGE), ("c.txt", b"more text")];
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut streamed = ZipWriter::new_stream(Vec::new());
    let mut large = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        streamed.start_file(name, options).unwrap();
        streamed.write_all(content).unwrap();
        large.start_file(name, options.large_file(true)).unwrap();
        large.write_all(content).unwrap();
    }
    let streamed = streamed.finish().unwrap().into_inner();
    let large = large.finish().unwrap().into_inner();
    assert!(memchr::memmem::find(&streamed, b"PK\x07\x08").is_some(), "sizes stand behind");
    for original in [streamed, large] {
        let copied = made(&original, &[]).unwrap().unwrap();
        for (name, octets) in members {
            assert_eq!(content(&copied.octets, name), if name == "b.html" { CLEAN } else { octets });
        }
        for (old, new) in members_of(&original).into_iter().zip(members_of(&copied.octets)) {
            assert!(old == new || old.0[0] == "b.html");
        }
        assert_eq!(made(&copied.octets, &[]), Ok(None));
    }
}

fn members_of(octets: &[u8]) -> Vec<(Vec<String>, Vec<u8>)> {
    members(octets).into_iter().map(|member| (member.names.clone(), member.own.to_vec())).collect()
}
