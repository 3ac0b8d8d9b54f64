use super::{compare, may_nest, read};
use crate::wire::mime::defect::Defect;
use crate::wire::mime::part_header::{PartHeader, PartSpan};
use crate::wire::mime::walk::{PartSink, WalkLimits, Walker};

#[derive(Default)]
struct Spans(Vec<PartSpan>);

impl PartSink for Spans {
    fn begin(&mut self, _: PartHeader) {}
    fn data(&mut self, _: usize, _: &[u8]) {}
    fn end(&mut self) {}
    fn span(&mut self, span: PartSpan) {
        self.0.push(span);
    }
}

/// Where the readers disagree, and what ours alone finds wrong.
fn disagreement(message: &str) -> (Option<(Defect, String)>, Vec<Defect>) {
    let mut spans = Spans::default();
    let mut walker = Walker::new(WalkLimits::default());
    walker.push(message.as_bytes(), &mut spans);
    walker.finish(&mut spans);
    let defects = walker.defects().iter().map(|(defect, _)| *defect).collect();
    (compare(&spans.0, read(message.as_bytes()).as_deref()), defects)
}

#[test]
fn what_everybody_reads_alike_is_no_difference() {
    for message in [
        "Subject: x\r\n\r\nbody\r\n",
        "Subject: x\r\n\r\nbody without an end",
        "Subject: x\r\n\r\n",
        "Hello",
        "Hello\r\nworld",
        "",
        "\r\n",
        "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: \
         text/html\r\n\r\ntwo\r\n--b--\r\nbehind\r\n",
        "Content-Type: multipart/mixed; boundary=\"o\"\r\n\r\n--o\r\nContent-Type: multipart/alternative; \
         boundary=\"i\"\r\n\r\n--i\r\n\r\none\r\n--i\r\n\r\ntwo\r\n--i--\r\n\r\n--o\r\nContent-Transfer-Encoding: \
         base64\r\n\r\nQUJD\r\n--o--\r\n",
        "Content-Type: multipart/mixed; boundary=\"o\"\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: \
         y\r\n\r\nwithin\r\n--o\r\n\r\nbehind\r\n--o--\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeQ0KDQp4DQo=\r\n",
    ] {
        assert_eq!(disagreement(message), (None, Vec::new()), "{message}");
    }
}

#[test]
fn a_delimiter_that_only_one_reader_sees_is_a_difference() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext, then --b\r\nContent-Type: \
                   application/x\r\n\r\nhidden\r\n--b--\r\n";
    let (difference, defects) = disagreement(message);
    assert_eq!(defects, []);
    assert_eq!(difference, Some((Defect::ReadersDisagree, "1".to_owned())));
}

#[test]
fn a_boundary_that_begins_another_one_is_a_difference() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--bb\r\nContent-Type: \
                   application/x\r\n\r\ntwo\r\n--b--\r\n";
    let (difference, defects) = disagreement(message);
    assert!(difference.is_some() || !defects.is_empty(), "{difference:?} {defects:?}");
}

#[test]
fn messages_within_messages_are_expected_only_where_they_are_named() {
    assert!(may_nest(b"Content-Type: Message/RFC822"));
    assert!(may_nest(b"Subject: x\r\nCONTENT-TYPE:\r\n\tmultipart/Digest; x\r\n"));
    assert!(may_nest(b"text\r\n\r\n--b\n \t\rcontent-type : message/global"));
    assert!(!may_nest(b"Content-Type: text/plain\r\nSubject: digest of rfc822\r\n\r\nglobal"));
    assert!(!may_nest(b"Content-Type: text/plain"));
    assert!(!may_nest(b"rfc82"));
}
