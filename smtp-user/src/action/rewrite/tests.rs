//! Tests of rewriting: every replaced part is gone, everything else is there octet for octet.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Edit, Entity, Piece, RewriteError, base64_lines, locked_name, plan};
use crate::action::notice::{Facts, Template};
use crate::wire::mime::part_header::{PartHeader, PartSpan};
use crate::wire::mime::walk::{PartSink, WalkLimits, Walker};

/// Leaves of a message: where they stand and what is in them.
#[derive(Debug, Default)]
struct Leaves {
    spans: Vec<PartSpan>,
    parts: Vec<(PartHeader, Vec<u8>)>,
}

impl PartSink for Leaves {
    fn begin(&mut self, part: PartHeader) {
        self.parts.push((part, Vec::new()));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        if reading == 0 {
            self.parts.last_mut().unwrap().1.extend_from_slice(octets);
        }
    }

    fn end(&mut self) {}

    fn span(&mut self, span: PartSpan) {
        self.spans.push(span);
    }
}

fn leaves(message: &[u8], step: usize) -> Leaves {
    let (mut walker, mut leaves) = (Walker::new(WalkLimits::default()), Leaves::default());
    for piece in message.chunks(step) {
        walker.push(piece, &mut leaves);
    }
    walker.finish(&mut leaves);
    leaves
}

fn slice(message: &[u8], range: &std::ops::Range<u64>) -> Vec<u8> {
    message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
}

fn facts() -> Facts<'static> {
    Facts { cause: "programs", name: "a.exe", media_type: "application/x-msdownload", ..Facts::default() }
}

fn notice() -> Entity {
    Entity::notice(&Template::default(), &facts())
}

/// The message with the parts of these numbers replaced.
fn rewritten(message: &[u8], numbers: &[&str], with: &Entity) -> Vec<u8> {
    let spans = leaves(message, usize::MAX).spans;
    let edit = |number: &&str| {
        let span = spans.iter().find(|span| span.number == **number).unwrap().clone();
        Edit { header: slice(message, &span.header), span, with: with.clone() }
    };
    let pieces = plan(message.len() as u64, numbers.iter().map(edit).collect()).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Copy(range) => out.extend(slice(message, &range)),
            Piece::Insert(octets) => out.extend(octets),
        }
    }
    out
}

const MIXED: &str = "Received: x\r\nSubject: s\r\n\tfolded\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    preamble\r\n--b\r\n\r\ntext \r\n\r\n--b\r\nContent-Type: application/x-msdownload;\r\n name=a.exe\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nTVo=\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\u{e4}\r\n--b--\r\nepilogue";

#[test]
fn places_are_the_same_in_pieces_of_every_size() {
    let nested = format!(
        "Subject: o\r\nContent-Type: multipart/signed; boundary=o\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{MIXED}\r\n--o\r\nX: y\r\n--o--"
    );
    for message in [MIXED, &nested, "no header", "", "A: b", "A: b\r\n\r\nbody", "A: b\r\nno field\r\n"] {
        let whole = leaves(message.as_bytes(), usize::MAX).spans;
        for step in [1, 2, 3, 5, 7, 64] {
            assert_eq!(leaves(message.as_bytes(), step).spans, whole, "in pieces of {step}: {message}");
        }
    }
    let spans = leaves(nested.as_bytes(), usize::MAX).spans;
    let at = |number: &str| spans.iter().find(|span| span.number == number).unwrap();
    assert_eq!(slice(nested.as_bytes(), &at("1.2").body), b"TVo=");
    assert!(at("1.2").is_signed && !at("1.2").is_message);
    assert_eq!(slice(nested.as_bytes(), &at("2").header), b"X: y\r\n");
    assert_eq!(slice(nested.as_bytes(), &at("2").body), b"");
}

#[test]
fn one_part_goes_and_the_rest_stays_as_it_is() {
    let new = rewritten(MIXED.as_bytes(), &["2"], &notice());
    let text = String::from_utf8(new.clone()).unwrap();
    let (before, rest) = MIXED.split_once("Content-Type: application").unwrap();
    let (_, after) = rest.split_once("TVo=").unwrap();
    assert!(text.starts_with(before) && text.ends_with(after), "{text}");
    assert!(!text.contains("TVo=") && !text.contains("name=a.exe"), "{text}");
    let parts = leaves(&new, usize::MAX).parts;
    let numbers: Vec<_> = parts.iter().map(|(header, _)| header.number.as_str()).collect();
    assert_eq!(numbers, ["preamble", "1", "2", "3", "epilogue"]);
    assert!(String::from_utf8_lossy(&parts[2].1).contains("a.exe"));
}

#[test]
fn a_message_that_is_its_only_part_keeps_its_subject() {
    let message = b"Subject: s\r\nContent-Type: application/pdf\r\nX-Odd:  kept \r\n\r\n%PDF";
    let text = String::from_utf8(rewritten(message, &["1"], &notice())).unwrap();
    assert!(text.starts_with("Subject: s\r\nX-Odd:  kept \r\nMIME-Version: 1.0\r\nContent-Type: text/plain"));
    assert!(!text.contains("pdf") || !text.contains("%PDF"), "{text}");
    for odd in ["MZ", "Subject: s", "Subject: s\r\nMZ\r\n\r\nMZ", ""] {
        let text = String::from_utf8(rewritten(odd.as_bytes(), &["1"], &notice())).unwrap();
        assert!(!text.contains("MZ") && text.contains("\r\n\r\nThe mail gateway"), "{odd:?}: {text:?}");
        assert_eq!(text.contains("Subject: s\r\n"), odd.contains("Subject"), "{odd:?}: {text:?}");
    }
}

#[test]
fn a_part_within_a_message_within_a_message_is_replaced_alone() {
    let nested = format!(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{MIXED}\r\n--o--\r\n"
    );
    let text = String::from_utf8(rewritten(nested.as_bytes(), &["1.2"], &notice())).unwrap();
    assert!(text.contains("Subject: s\r\n\tfolded") && !text.contains("TVo="), "{text}");
}

#[test]
fn a_locked_file_is_a_part_with_its_notice() {
    let with = Entity::locked(&Template::default(), &facts(), "a.exe", b"octets", "=_x");
    let new = rewritten(MIXED.as_bytes(), &["2"], &with);
    let parts = leaves(&new, usize::MAX).parts;
    let file = parts.iter().find(|(header, _)| header.number == "2.2").unwrap();
    assert_eq!((file.0.names.as_slice(), file.1.as_slice()), (&["a.exe.clk".to_owned()][..], &b"octets"[..]));
    assert!(parts.iter().any(|(header, _)| header.number == "3"));
}

#[test]
fn names_of_locked_files_are_harmless() {
    assert_eq!(locked_name("a b.exe"), "a b.exe.clk");
    assert_eq!(locked_name("../..\\x\"\r\ny.exe"), "x___y.exe.clk");
    assert_eq!(locked_name(""), "attachment.clk");
    assert_eq!(locked_name("..."), "attachment.clk");
}

#[test]
fn places_that_make_no_sense_are_refused() {
    let span =
        PartSpan { number: "1".to_owned(), header: 0..4, body: 4..9, is_message: true, is_signed: false };
    let edit = |span: PartSpan, header: &[u8]| Edit { span, header: header.to_vec(), with: notice() };
    assert_eq!(plan(8, vec![edit(span.clone(), b"abcd")]), Err(RewriteError::Places));
    assert_eq!(plan(9, vec![edit(span.clone(), b"abc")]), Err(RewriteError::Header));
    let twice = vec![edit(span.clone(), b"abcd"), edit(span, b"abcd")];
    assert_eq!(plan(9, twice), Err(RewriteError::Places));
}

proptest! {
    #[test]
    fn base64_is_decoded_to_what_it_was(octets: Vec<u8>) {
        let mut message = b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec();
        message.extend(base64_lines(&octets));
        prop_assert_eq!(&leaves(&message, 11).parts[0].1, &octets);
    }

    /// Any bodies, any part: the others come out octet for octet.
    #[test]
    fn other_parts_are_untouched(
        bodies in prop::collection::vec("([ -~\u{e4}]{0,30}\r\n){0,4}[ -~]{0,10}", 1..6),
        which: prop::sample::Index,
    ) {
        let which = which.index(bodies.len());
        let mut message = "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"=_outer\"\r\n\r\n".to_owned();
        for body in &bodies {
            write!(message, "--=_outer\r\nContent-Type: text/x-a; name=n\r\n\r\n{body}\r\n").unwrap();
        }
        message.push_str("--=_outer--\r\n");
        let number = (which + 1).to_string();
        let new = rewritten(message.as_bytes(), &[&number], &notice());
        let (old, new) = (leaves(message.as_bytes(), 64), leaves(&new, 64));
        prop_assert_eq!(old.parts.len(), new.parts.len());
        for (index, (old, new)) in old.parts.iter().zip(&new.parts).enumerate() {
            prop_assert_eq!(index == which, old != new);
        }
    }
}

/// A tree of parts.
#[derive(Clone, Debug)]
enum Tree {
    Leaf { field: &'static str, body: String },
    Message(Box<Tree>),
    Multipart { kind: &'static str, preamble: &'static str, parts: Vec<Tree> },
}

impl Tree {
    /// Header section, empty line and body; the last line may have no end.
    fn write(&self, level: usize, out: &mut String) {
        match self {
            Self::Leaf { field, body } => write!(out, "{field}\r\n{body}").unwrap(),
            Self::Message(inner) => {
                out.push_str("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n");
                inner.write(level + 1, out);
            }
            Self::Multipart { kind, preamble, parts } => {
                write!(out, "Content-Type: multipart/{kind}; boundary=b{level}-\r\n\r\n{preamble}").unwrap();
                for part in parts {
                    write!(out, "\r\n--b{level}-\r\n").unwrap();
                    part.write(level + 1, out);
                }
                write!(out, "\r\n--b{level}---\r\n").unwrap();
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let fields = prop::sample::select(vec![
        "",
        "Content-Type: application/x-a;\r\n name=n.exe\r\n",
        "X-Kept: 1\r\nContent-Disposition: attachment; filename=\"n\"\r\nX-Also: 2\r\n",
        "Content-Transfer-Encoding: 8bit\r\n",
    ]);
    let leaf = (fields, "([ -~\u{e4}]{0,20}\r\n){0,3}[ -,.-~]{0,9}")
        .prop_map(|(field, body)| Tree::Leaf { field, body: body.replace("--", "__") });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let kinds = prop::sample::select(vec!["mixed", "alternative", "related", "signed"]);
        let preambles = prop::sample::select(vec!["", "before\r\nit"]);
        prop_oneof![
            inner.clone().prop_map(|inner| Tree::Message(Box::new(inner))),
            (kinds, preambles, prop::collection::vec(inner, 1..4))
                .prop_map(|(kind, preamble, parts)| Tree::Multipart { kind, preamble, parts }),
        ]
    })
}

/// What is not of MIME in a header section.
fn kept_fields(header: &[u8]) -> String {
    let text = String::from_utf8(header.to_vec()).unwrap();
    text.split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Content-") && !line.starts_with(' ') && *line != "\r\n")
        .collect()
}

proptest! {
    /// Any tree, any of its parts: only their octets change, and what comes out is the same tree with them replaced.
    #[test]
    fn the_tree_stays_the_same(tree in trees(), chosen: prop::sample::Selector, count in 1..4usize) {
        let mut message = "Subject: outer\r\n".to_owned();
        tree.write(0, &mut message);
        let message = message.as_bytes();
        let old = leaves(message, 64);
        let mut numbers: Vec<String> = old.spans.iter().map(|span| span.number.clone()).collect();
        while numbers.len() > count {
            let index = numbers.iter().position(|number| number == chosen.select(&numbers)).unwrap();
            numbers.remove(index);
        }
        let with = notice();
        let new = rewritten(message, &numbers.iter().map(String::as_str).collect::<Vec<_>>(), &with);
        // The octets between the parts that were replaced are there, one stretch behind the other.
        let (mut at, mut from) = (0, 0);
        for span in old.spans.iter().filter(|span| numbers.contains(&span.number)) {
            let stretch = slice(message, &(from..span.header.start));
            let found = memchr::memmem::find(&new[at..], &stretch).unwrap();
            prop_assert!(from > 0 || found == 0);
            at += found + stretch.len();
            from = span.body.end;
        }
        prop_assert!(new[at..].ends_with(&slice(message, &(from..message.len() as u64))));
        // The same parts in the same order, and those that were not replaced as they were.
        let again = leaves(&new, 61);
        prop_assert_eq!(old.parts.len(), again.parts.len());
        for ((before, was), (after, is)) in old.parts.iter().zip(&again.parts) {
            prop_assert_eq!(&before.number, &after.number);
            if numbers.contains(&before.number) {
                prop_assert!(String::from_utf8_lossy(is).contains("The mail gateway removed"));
                prop_assert!(after.names.is_empty() && after.media_type == "text/plain");
            } else {
                prop_assert_eq!((before, was), (after, is));
            }
        }
        for (before, after) in old.spans.iter().zip(&again.spans) {
            prop_assert_eq!(&before.number, &after.number);
            let (header, new_header) = (slice(message, &before.header), slice(&new, &after.header));
            let kept = kept_fields(&new_header).replace("MIME-Version: 1.0\r\n", "");
            prop_assert_eq!(kept_fields(&header), kept);
        }
    }
}
