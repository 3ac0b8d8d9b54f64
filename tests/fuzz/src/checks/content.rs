//! Checks on messages' content: structure, parameters, encodings, what is in archives and documents, engines' answers.

use smtp_user::action::extract::{ExtractError, Weeds, extract, is_extractable, safe_copy};
use smtp_user::content::container::{MemberContent, Subject, Terms, walk};
use smtp_user::content::detect::detect;
use smtp_user::content::{ContentLimits, Kind};
use smtp_user::wire::clamd::ClamdReply;
use smtp_user::wire::icap::{ChunkReader, ChunkStep, IcapResponse};
use smtp_user::wire::mime::base64::Base64Decoder;
use smtp_user::wire::mime::content_type::ContentType;
use smtp_user::wire::mime::parameter::ParameterField;
use smtp_user::wire::mime::part_header::{PartHeader, PartSpan};
use smtp_user::wire::mime::quoted_printable::QuotedPrintableDecoder;
use smtp_user::wire::mime::walk::{PartSink, WalkLimits, Walker};

/// The parts of a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    open: bool,
    all: Vec<(PartHeader, Vec<Vec<u8>>)>,
    spans: Vec<PartSpan>,
}

impl PartSink for Parts {
    fn begin(&mut self, part: PartHeader) {
        assert!(!std::mem::replace(&mut self.open, true), "one part is open at a time");
        let readings = vec![Vec::new(); part.encodings.len()];
        self.all.push((part, readings));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        assert!(self.open && !octets.is_empty());
        let (_, readings) = self.all.last_mut().expect("a part is open");
        readings[reading].extend_from_slice(octets);
    }

    fn end(&mut self) {
        assert!(std::mem::replace(&mut self.open, false));
    }

    fn span(&mut self, span: PartSpan) {
        self.spans.push(span);
    }
}

/// Cutting changes nothing, limits hold, and parts stand one behind the other in the message.
pub fn tree(input: &[u8]) {
    let Some((&cut, octets)) = input.split_first() else { return };
    let (first, second) = octets.split_at(usize::from(cut).min(octets.len()));
    let (whole, defects) = parts(&[octets]);
    let pieces = parts(&[first, second]);
    assert_eq!((&whole, &defects), (&pieces.0, &pieces.1));
    assert!(!whole.open && whole.all.len() <= 2 * MAX_PARTS + 2);
    for (header, _) in &whole.all {
        assert!(header.number.split('.').count() <= 2 * MAX_DEPTH + 2);
    }
    for span in &whole.spans {
        assert!(span.header.start <= span.header.end && span.header.end == span.body.start);
        assert!(span.body.start <= span.body.end && span.body.end <= octets.len() as u64);
    }
}

const MAX_PARTS: usize = 40;
const MAX_DEPTH: usize = 8;

fn parts(pieces: &[&[u8]]) -> (Parts, Vec<String>) {
    let limits = WalkLimits { max_depth: MAX_DEPTH, max_parts: MAX_PARTS, max_header_octets: 4096 };
    let (mut walker, mut parts) = (Walker::new(limits), Parts::default());
    for piece in pieces {
        walker.push(piece, &mut parts);
    }
    walker.finish(&mut parts);
    let defects = walker.defects().iter().map(|(defect, part)| format!("{} {part}", defect.name()));
    (parts, defects.collect())
}

/// Parameters never come out longer than they went in, and a type has a name.
pub fn parameters(input: &[u8]) {
    let field = ParameterField::parse(input);
    let _ = format!("{field:?}");
    for name in [b"name".as_slice(), b"boundary", b"charset"] {
        for value in field.values(name) {
            assert!(value.len() <= input.len());
        }
    }
    let declared = ContentType::parse(input);
    assert!(!declared.media_type.is_empty());
    assert_eq!(declared.media_type, declared.media_type.to_ascii_lowercase());
}

/// Cutting changes nothing, and nothing comes out that did not go in.
pub fn decoders(input: &[u8]) {
    let Some((&cut, octets)) = input.split_first() else { return };
    let (first, second) = octets.split_at(usize::from(cut).min(octets.len()));
    let base64 = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.decode(piece, &mut out);
        }
        decoder.finish(&mut out);
        (out, decoder.saw_junk(), decoder.saw_text_after_padding())
    };
    let printable = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (QuotedPrintableDecoder::default(), Vec::new());
        for piece in pieces {
            decoder.decode(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    };
    let whole = base64(&[octets]);
    assert!(whole.0.len() <= octets.len());
    assert_eq!(whole, base64(&[first, second]));
    let whole = printable(&[octets]);
    assert!(whole.len() <= octets.len() + 2);
    assert_eq!(whole, printable(&[first, second]));
}

/// Whatever is in an archive or document: the walk ends within its bounds.
pub fn contents(input: &[u8]) {
    let limits = ContentLimits {
        max_part: 1 << 20,
        max_member: 1 << 20,
        max_octets: 4 << 20,
        max_members: 100,
        max_depth: 4,
        ..ContentLimits::default()
    };
    let terms = Terms { limits: &limits, passwords: &["secret".to_owned()], has_time: &|| true };
    let subject = Subject { part: "1", media_type: "application/octet-stream", octets: input };
    let (mut members, mut octets) = (0, 0);
    let contents = walk(subject, terms, &mut |member| {
        members += 1;
        assert!(member.part.starts_with("1/"), "{}", member.part);
        if let MemberContent::Whole(content) | MemberContent::Cut(content, _) = member.content {
            octets += content.len();
        }
    });
    assert!(members <= limits.max_members && contents.members >= members);
    assert!(octets as u64 <= 4 * limits.max_octets + 4 * input.len() as u64, "{octets}");
}

/// No copy grows without bound, and a copy of a copy is the copy.
pub fn extraction(input: &[u8]) {
    let room = 1 << 20;
    let kinds = detect(input).into_iter().chain([Kind::Html, Kind::Svg]);
    for kind in kinds.filter(|kind| is_extractable(*kind)) {
        let Ok(Some(copy)) = extract(kind, input, &Weeds::default(), room) else { continue };
        assert!(!copy.removed.is_empty());
        if let Ok(Some(again)) = extract(kind, &copy.octets, &Weeds::default(), room) {
            panic!("{kind} still had {}", again.removed);
        }
    }
    archive_of_documents(input);
}

/// The copy of an archive is one that can be read as well, and cleaning it again finds no more.
fn archive_of_documents(input: &[u8]) {
    let limits =
        ContentLimits { max_octets: 1 << 20, max_members: 100, max_depth: 4, ..ContentLimits::default() };
    let copy = |octets: &[u8]| safe_copy(octets, "", &[], &Weeds::default(), &limits);
    let Ok((Kind::Zip, Some(first))) = copy(input) else { return };
    assert!(!first.members.is_empty() && !first.removed.is_empty());
    match copy(&first.octets) {
        // What is left of a text may be of another kind.
        Ok((Kind::Zip, again)) => {
            assert!(again.is_none_or(|again| again.members.len() <= first.members.len()));
        }
        // A copy may be larger than what it is of.
        Err(ExtractError::TooLarge | ExtractError::Member { .. }) => {}
        other => panic!("{other:?}"),
    }
}

/// An answer is clean only if it says so in full, and cutting changes nothing.
pub fn engine_replies(input: &[u8]) {
    if ClamdReply::parse(input) == ClamdReply::Clean {
        assert!(input.ends_with(b"OK"), "{}", String::from_utf8_lossy(input));
    }
    if let Ok(response) = IcapResponse::parse(input) {
        let _ = (response.tag(), response.keeps_open(), response.body_at(), response.verdict());
    }
    let Some((&cut, octets)) = input.split_first() else { return };
    let (first, second) = octets.split_at(usize::from(cut).min(octets.len()));
    let read = |pieces: &[&[u8]]| {
        let (mut reader, mut body, mut end) = (ChunkReader::default(), Vec::new(), false);
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            match reader.feed(piece, |octets| body.extend_from_slice(octets)) {
                Ok(ChunkStep::More) => {}
                Ok(ChunkStep::End(_)) => {
                    end = true;
                    break;
                }
                Err(defect) => return Err(defect),
            }
        }
        Ok((body, end))
    };
    let whole = read(&[octets]);
    assert_eq!(whole, read(&[first, second]));
}
