use proptest::prelude::*;

use super::{PartHeader, PartSink, WalkLimits, Walker};
use crate::wire::mime::defect::Defect;
use crate::wire::mime::part_header::PartKind;

#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    parts: Vec<(PartHeader, Vec<Vec<u8>>)>,
    open: bool,
}

impl PartSink for Parts {
    fn begin(&mut self, part: PartHeader) {
        assert!(!self.open);
        self.open = true;
        let readings = vec![Vec::new(); part.encodings.len()];
        self.parts.push((part, readings));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        assert!(self.open);
        self.parts.last_mut().unwrap().1[reading].extend_from_slice(octets);
    }

    fn end(&mut self) {
        assert!(self.open);
        self.open = false;
    }
}

fn walk_in(message: &[u8], step: usize, limits: WalkLimits) -> (Parts, Vec<(Defect, String)>) {
    let (mut walker, mut parts) = (Walker::new(limits), Parts::default());
    for piece in message.chunks(step) {
        walker.push(piece, &mut parts);
    }
    walker.finish(&mut parts);
    assert!(!parts.open);
    (parts, walker.defects().to_vec())
}

/// Walks in pieces of several sizes, which must not matter; gives number, kind and octets of each part.
fn walk(message: &str) -> (Vec<(String, PartKind, String)>, Vec<Defect>) {
    let message = message.replace('\n', "\r\n");
    let whole = walk_in(message.as_bytes(), usize::MAX, WalkLimits::default());
    for step in [1, 2, 3, 7, 16, 61] {
        assert_eq!(walk_in(message.as_bytes(), step, WalkLimits::default()), whole, "in pieces of {step}");
    }
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).replace("\r\n", "\n");
    let parts =
        whole.0.parts.iter().map(|(part, data)| (part.number.clone(), part.kind, text(&data[0]))).collect();
    (parts, whole.1.into_iter().map(|(defect, _)| defect).collect())
}

fn leaf(number: &str, text: &str) -> (String, PartKind, String) {
    (number.to_owned(), PartKind::Leaf, text.to_owned())
}

fn kind(number: &str, kind: PartKind, text: &str) -> (String, PartKind, String) {
    (number.to_owned(), kind, text.to_owned())
}

#[test]
fn a_plain_message_is_one_part() {
    assert_eq!(walk("Subject: x\n\nHello\n--a\n"), (vec![leaf("1", "Hello\n--a\n")], vec![]));
    assert_eq!(walk("Subject: x\n"), (vec![leaf("1", "")], vec![]));
    assert_eq!(walk("\nbody"), (vec![leaf("1", "body")], vec![]));
    assert_eq!(walk(""), (vec![leaf("1", "")], vec![]));
}

#[test]
fn a_message_without_header_is_all_body() {
    assert_eq!(walk("Hello world\nmore\n\nx"), (vec![leaf("1", "Hello world\nmore\n\nx")], vec![]));
    assert_eq!(walk("Hello"), (vec![leaf("1", "Hello")], vec![]));
    assert_eq!(walk("From me Thu\nSubject: x\n\nbody"), (vec![leaf("1", "body")], vec![]));
}

#[test]
fn encodings_are_decoded() {
    let (parts, defects) = walk("Content-Transfer-Encoding: base64\n\nSGVs\nbG8=\n");
    assert_eq!((parts, defects), (vec![leaf("1", "Hello")], vec![]));
    let (parts, defects) = walk("content-transfer-encoding:\n quoted-printable\n\na=3D=\nb\n");
    assert_eq!((parts, defects), (vec![leaf("1", "a=b\n")], vec![]));
}

const MULTIPART: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\npre\n--b\n\none\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\ntwo\n\n--bb  \nContent-Transfer-Encoding: base64\n\nAAECAw==\n--bb--\n\n--b\nContent-Type: message/rfc822\n\nSubject: y\n\ninner\n--b--\npost\n";

#[test]
fn parts_of_a_multipart() {
    let (parts, defects) = walk(MULTIPART);
    assert_eq!(
        parts,
        vec![
            kind("preamble", PartKind::Preamble, "pre"),
            leaf("1", "one"),
            leaf("2.1", "two\n"),
            leaf("2.2", "\0\u{1}\u{2}\u{3}"),
            kind("3", PartKind::Message, ""),
            leaf("3.1", "inner"),
            kind("epilogue", PartKind::Epilogue, "post\n"),
        ]
    );
    assert_eq!(defects, vec![]);
}

#[test]
fn a_part_ends_with_its_multipart_when_its_own_delimiter_is_missing() {
    let message = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n";
    assert_eq!(walk(message), (vec![leaf("1.1", "x"), leaf("2", "y\n")], vec![]));
}

#[test]
fn delimiters_within_header_sections_end_them() {
    let message =
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a\n\ny\n--a--";
    assert_eq!(walk(message), (vec![leaf("1", ""), leaf("2", "y")], vec![]));
}

#[test]
fn an_encoded_message_is_walked_too() {
    // Subject: x, an empty line, and "hi".
    let message = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKaGk=\n--a--\n";
    assert_eq!(walk(message), (vec![kind("1", PartKind::Message, ""), leaf("1.1", "hi")], vec![]));
}

#[test]
fn a_digest_is_of_messages() {
    let message = "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\nhi\n--a--\n";
    assert_eq!(walk(message), (vec![kind("1", PartKind::Message, ""), leaf("1.1", "hi")], vec![]));
}

#[test]
fn double_readings_are_told() {
    for (message, defect) in [
        ("Content-Type: text/plain\nContent-Type: text/html\n\nx", Defect::TwoContentTypes),
        (
            "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx",
            Defect::TwoContentTypes,
        ),
        (
            "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nSGVs",
            Defect::TwoTransferEncodings,
        ),
        ("Content-Type: multipart/mixed\n\nx", Defect::NoBoundary),
        (
            "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\nx\n--b\n\ny",
            Defect::UncertainBoundary,
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx",
            Defect::BoundaryOfParent,
        ),
        ("Content-Type: multipart/mixed; boundary=a\n\n--a text\n\nx", Defect::DelimiterWithText),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n\n--a\n\ny",
            Defect::DelimiterAfterEnd,
        ),
        ("Content-Transfer-Encoding: x-base64\n\nSGVs", Defect::UncertainTransferEncoding),
        (
            "Content-Transfer-Encoding: base64\nContent-Type: multipart/mixed; boundary=a\n\nSGVs",
            Defect::EncodedMultipart,
        ),
        ("Content-Type : text/html\n\nx", Defect::BlankBeforeColon),
        ("Content-Type\u{7f}: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Content-Type\u{a0}: text/html\n\nx", Defect::OddFieldName),
        ("\u{feff}Content-Transfer-Encoding: base64\n\nSGVs", Defect::OddFieldName),
        ("Subject: x\nContent-\n Type: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Content-Type: =?us-ascii?Q?mul=74ipart/mixed?=; boundary=a\n\nx", Defect::MalformedContentType),
        ("Content-Type: X-sun-attachment\n\nx", Defect::MalformedContentType),
        ("Content-Type: multipart/mixed; boundary=a\n\n--A\n\nx", Defect::DelimiterWithText),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--b\nContent-Type: text/html\n\nx",
            Defect::FieldsOutsideParts,
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--b\nContent-Type: text/html\n\nx",
            Defect::FieldsOutsideParts,
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--b\nContent-Disposition: attachment\n\nx\n--a--",
            Defect::FieldsOutsideParts,
        ),
        ("Content-Type: text/html\rX: y\n\nx", Defect::BareCr),
        ("Subject: x\n \nContent-Type: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Content-Transfer-Encoding: base64\nSubject: x\n \nX-Y: z\n\nx", Defect::UncertainHeaderEnd),
        ("Subject: x\nno field\nContent-Type: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Subject: x\n\0Content-Type: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Content-Transfer-Encoding: base64\nno field\n\nSGVs", Defect::UncertainHeaderEnd),
        ("Subject: x\n\0Content-Type: text/html\n\nx", Defect::UncertainHeaderEnd),
        ("Content-Transfer-Encoding: base64\n\nSG*s", Defect::JunkInBase64),
        ("Content-Transfer-Encoding: base64\n\nSGU=SGVs", Defect::TextAfterPadding),
        ("Content-Transfer-Encoding: x-uuencode\n\nbegin", Defect::UnsupportedEncoding),
        ("Content-Type: message/partial; id=x\n\nx", Defect::PartialMessage),
    ] {
        let (_, defects) = walk(message);
        assert!(defects.contains(&defect), "{message}: {defects:?}");
    }
}

#[test]
fn what_everybody_reads_alike_is_no_defect() {
    for message in [
        "Content-Type: text/plain\nContent-Type:\ttext/plain\n\nx",
        "Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 7bit\n\nx",
        "Content-Type: text\nContent-Transfer-Encoding: 8-bit\n\nx",
        "Content-Type: multipart/alternative; boundary=a\nContent-Transfer-Encoding: quoted-printable\n\n--a\n\nx\n--a--",
        "Subject:\n \nX: y\n\nx",
        "Subject: x\n\n-- \nmy signature\n---\n--\n",
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n\n-- \nmy signature\n---\n--a--\n-- \nfooter of a list\n",
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--",
        "no header at all\n\nContent-Type: said by somebody\n",
    ] {
        assert_eq!(walk(message).1, vec![], "{message}");
    }
}

#[test]
fn an_uncertain_body_is_read_in_every_way() {
    let (parts, _) = walk_in(b"Content-Transfer-Encoding: x-base64\r\n\r\nSGVs=3D", 5, WalkLimits::default());
    let (part, readings) = &parts.parts[0];
    assert_eq!(part.encodings.len(), 3);
    assert_eq!(readings[0], b"SGVs=3D");
    assert!(readings[1].starts_with(b"Hel"));
    assert_eq!(readings[2], b"SGVs=");
}

fn nested(depth: usize) -> String {
    let level = |level| format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n");
    (0..depth).map(level).chain(["\ncore".to_owned()]).collect::<Vec<_>>().concat()
}

#[test]
fn limits_are_told() {
    assert_eq!(walk(&nested(50)).1, vec![]);
    assert_eq!(walk(&nested(51)).1, vec![Defect::TooDeep]);
    assert_eq!(walk(&"Content-Type: message/rfc822\n\n".repeat(10_000)).1, vec![Defect::TooDeep]);
    let many = format!("Content-Type: multipart/mixed; boundary=a\n\n{}", "--a\n\nx\n".repeat(2000));
    assert_eq!(walk(&many).1, vec![Defect::TooManyParts]);
    assert_eq!(walk(&"X: y\n".repeat(100_000)).1, vec![Defect::HeaderTooLong]);
    assert_eq!(walk(&format!("X: {}", "y".repeat(70_000))).1, vec![Defect::HeaderTooLong]);
    let long = format!("Content-Type: multipart/mixed; boundary={}\n\nx", "a".repeat(10_000));
    assert!(walk(&long).1.contains(&Defect::BoundaryTooLong));
}

/// Pieces that together make strange messages.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("--a"),
        Just("--a--"),
        Just("--ab"),
        Just("-"),
        Just("--"),
        Just("\r\n\r\n"),
        Just("Content-Type: multipart/mixed; boundary=a\r\n"),
        Just("Content-Type:"),
        Just("Content-Type: multipart/digest; boundary=\"ab\"\r\n"),
        Just(" "),
        Just("x"),
        Just("SGVsbG8="),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("=3"),
        Just("Content-Transfer-Encoding: quoted-printable\r\n"),
        Just("Content-Transfer-Encoding: x-y\r\n"),
        Just("\r\n--a\r\n\r\n"),
        Just("\r\n--ab\r\n"),
        Just("Subject: x\r\n"),
        Just("; boundary=b"),
        Just("\0"),
        Just("From x\r\n"),
        Just("Content-Disposition: attachment; filename*0=x; filename*1*=%2E\r\n"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn pieces_do_not_matter(message in pieces(), step in 1usize..40) {
        let limits = WalkLimits { max_depth: 5, max_parts: 20, max_header_octets: 300 };
        prop_assert_eq!(walk_in(&message, step, limits), walk_in(&message, usize::MAX, limits));
    }

    #[test]
    fn any_octets_are_walked(message in prop::collection::vec(any::<u8>(), 0..2000), step in 1usize..100) {
        let limits = WalkLimits::default();
        prop_assert_eq!(walk_in(&message, step, limits), walk_in(&message, usize::MAX, limits));
    }
}
