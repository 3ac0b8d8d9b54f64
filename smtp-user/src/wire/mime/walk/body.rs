//! The part that is open: its octets on their way to the sink.

use super::line_end::LineEnd;
use super::shadow::{Looked, Shadow};
use super::{PartSink, State, Walker};
use crate::wire::mime::defect::Defect;
use crate::wire::mime::header_section::Headers;
use crate::wire::mime::part_header::{PartHeader, PartKind, PartSpan};
use crate::wire::mime::transfer_encoding::{Decoder, TransferEncoding};

#[derive(Debug)]
pub(super) struct Body {
    pub(super) content: Content,
    /// Some readers take lines of it for a header section.
    pub(super) shadow: Option<Shadow>,
    /// For defects.
    pub(super) number: String,
    /// Where it stands, if it is a leaf.
    pub(super) span: Option<PartSpan>,
}

#[derive(Debug)]
pub(super) enum Content {
    /// A part whose octets go to the sink.
    Open(Vec<Decoder>),
    /// A part that begins with its first octet that is no blank: text outside the parts.
    Waiting(PartHeader),
    /// A message in an encoding, with a walk of its own.
    Encoded(Decoder, Box<Walker>),
    /// Nothing of interest.
    Closed,
}

impl Walker {
    /// Gives away the line end that was held back.
    pub(super) fn release(&mut self, sink: &mut dyn PartSink) {
        let end = std::mem::replace(&mut self.held, LineEnd::None);
        self.emit(end.octets(), sink);
    }

    /// Gives octets of the body to where they belong.
    pub(super) fn emit(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        let State::Body(body) = &mut self.state else { return };
        if octets.is_empty() {
            return;
        }
        let looked = body.shadow.as_mut().map_or(Looked::GoOn, |shadow| shadow.look(octets));
        if looked != Looked::GoOn {
            let is_outside = matches!(body.shadow.take(), Some(shadow) if shadow.is_whole());
            let number = body.number.clone();
            if looked == Looked::Field {
                let defect = if is_outside { Defect::FieldsOutsideParts } else { Defect::UncertainHeaderEnd };
                self.note(defect, &number);
            }
        }
        let State::Body(body) = &mut self.state else { return };
        let mut octets = octets;
        if let Content::Waiting(header) = &body.content {
            let blank = octets.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
            octets = octets.get(blank..).unwrap_or_default();
            if octets.is_empty() {
                return;
            }
            body.content = open(header.clone(), sink);
        }
        match &mut body.content {
            Content::Open(decoders) => {
                for (reading, decoder) in decoders.iter_mut().enumerate() {
                    let decoded = decoder.decode(octets, &mut self.room);
                    if !decoded.is_empty() {
                        sink.data(reading, decoded);
                    }
                }
            }
            Content::Encoded(decoder, walker) => {
                let decoded = decoder.decode(octets, &mut self.room);
                walker.push(decoded, sink);
            }
            Content::Waiting(_) | Content::Closed => {}
        }
    }

    /// Ends the part that is open, and whose octets end at a place.
    pub(super) fn close(&mut self, end: u64, sink: &mut dyn PartSink) {
        let State::Body(body) = &mut self.state else { return };
        let mut defects = Vec::new();
        match std::mem::replace(&mut body.content, Content::Closed) {
            Content::Open(mut decoders) => {
                for (reading, decoder) in decoders.iter_mut().enumerate() {
                    let decoded = decoder.finish(&mut self.room);
                    if !decoded.is_empty() {
                        sink.data(reading, decoded);
                    }
                }
                if let Some(mut span) = body.span.take() {
                    span.body.end = end;
                    sink.span(span);
                }
                sink.end();
                // With several readings the body is known to be uncertain, and junk in most of them.
                if let [decoder] = decoders.as_slice() {
                    defects.extend(decoder.defects().map(|defect| (defect, body.number.clone())));
                }
            }
            Content::Encoded(mut decoder, mut walker) => {
                let decoded = decoder.finish(&mut self.room);
                walker.push(decoded, sink);
                walker.finish(sink);
                if let Some(mut span) = body.span.take() {
                    span.body.end = end;
                    sink.encoded_span(span);
                }
                self.parts = walker.parts;
                defects.extend(decoder.defects().map(|defect| (defect, body.number.clone())));
                defects.append(&mut walker.defects);
            }
            Content::Waiting(_) | Content::Closed => {}
        }
        for (defect, number) in defects {
            self.note(defect, &number);
        }
    }
}

/// Tells the sink of a part, and gives the decoders of its readings.
pub(super) fn open(header: PartHeader, sink: &mut dyn PartSink) -> Content {
    let decoders = header.encodings.iter().map(|encoding| Decoder::new(*encoding)).collect();
    sink.begin(header);
    Content::Open(decoders)
}

pub(super) fn part(number: &str, kind: PartKind, headers: Headers) -> PartHeader {
    let mut encodings = vec![headers.encoding];
    if headers.unsure {
        encodings.extend(TransferEncoding::ALL.iter().filter(|encoding| **encoding != headers.encoding));
    }
    PartHeader {
        number: number.to_owned(),
        kind,
        media_type: headers.content_type.media_type,
        encodings,
        names: headers.names,
    }
}

/// Text outside the parts of a multipart.
pub(super) fn outside(prefix: &str, kind: PartKind) -> PartHeader {
    let word = if kind == PartKind::Preamble { "preamble" } else { "epilogue" };
    let number = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}.{word}") };
    let media_type = "text/plain".to_owned();
    PartHeader { number, kind, media_type, encodings: vec![TransferEncoding::Identity], names: Vec::new() }
}
