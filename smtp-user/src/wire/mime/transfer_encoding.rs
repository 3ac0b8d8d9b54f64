//! `Content-Transfer-Encoding`, RFC 2045 §6.

use crate::wire::mime::base64::Base64Decoder;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::quoted_printable::QuotedPrintableDecoder;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// Not: 7bit, 8bit and binary.
    Identity,
    /// RFC 2045 §6.8.
    Base64,
    /// RFC 2045 §6.7.
    QuotedPrintable,
}

impl TransferEncoding {
    /// Reads an unfolded field body.
    ///
    /// What is no encoding but often written in its place is none: every reader takes it so. Anything else
    /// is a defect.
    pub fn parse(body: &[u8]) -> (Self, Option<Defect>) {
        let value = body.trim_ascii().to_ascii_lowercase();
        match value.strip_suffix(b";").unwrap_or(&value) {
            b"7bit" | b"8bit" | b"binary" | b"" | b"7-bit" | b"8-bit" | b"7 bit" | b"8 bit" | b"none"
            | b"utf-8" | b"utf8" | b"us-ascii" | b"iso-8859-1" => (Self::Identity, None),
            b"base64" => (Self::Base64, None),
            b"quoted-printable" => (Self::QuotedPrintable, None),
            b"uuencode" | b"x-uuencode" | b"x-uue" | b"uue" | b"x-binhex" | b"binhex" | b"binhex40"
            | b"mac-binhex40" | b"x-yenc" | b"yenc" | b"x-gzip64" | b"x-xxencode" => {
                (Self::Identity, Some(Defect::UnsupportedEncoding))
            }
            _ => (Self::Identity, Some(Defect::UncertainTransferEncoding)),
        }
    }

    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
        }
    }

    /// All of them, for bodies that can be read in more than one way.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Base64, Self::QuotedPrintable];
}

/// Decodes one body.
#[derive(Debug)]
pub(super) enum Decoder {
    Identity,
    Base64(Base64Decoder),
    QuotedPrintable(QuotedPrintableDecoder),
}

impl Decoder {
    pub(super) fn new(encoding: TransferEncoding) -> Self {
        match encoding {
            TransferEncoding::Identity => Self::Identity,
            TransferEncoding::Base64 => Self::Base64(Base64Decoder::default()),
            TransferEncoding::QuotedPrintable => Self::QuotedPrintable(QuotedPrintableDecoder::default()),
        }
    }

    /// Decodes octets: into `room`, which is cleared before, or not at all.
    pub(super) fn decode<'o>(&mut self, octets: &'o [u8], room: &'o mut Vec<u8>) -> &'o [u8] {
        room.clear();
        match self {
            Self::Identity => return octets,
            Self::Base64(decoder) => decoder.decode(octets, room),
            Self::QuotedPrintable(decoder) => decoder.decode(octets, room),
        }
        room
    }

    /// What is left at the end.
    pub(super) fn finish<'o>(&mut self, room: &'o mut Vec<u8>) -> &'o [u8] {
        room.clear();
        match self {
            Self::Identity => {}
            Self::Base64(decoder) => decoder.finish(room),
            Self::QuotedPrintable(decoder) => decoder.finish(room),
        }
        room
    }

    /// What was wrong with the body.
    pub(super) fn defects(&self) -> impl Iterator<Item = Defect> {
        let (junk, after_padding) = match self {
            Self::Base64(decoder) => (decoder.saw_junk(), decoder.saw_text_after_padding()),
            _ => (false, false),
        };
        let junk = junk.then_some(Defect::JunkInBase64);
        junk.into_iter().chain(after_padding.then_some(Defect::TextAfterPadding))
    }
}

#[cfg(test)]
mod tests {
    use super::TransferEncoding;
    use crate::wire::mime::defect::Defect;

    #[test]
    fn names_of_encodings() {
        let parse = |body: &str| TransferEncoding::parse(body.as_bytes());
        assert_eq!(parse(" Base64 "), (TransferEncoding::Base64, None));
        assert_eq!(parse("QUOTED-printable"), (TransferEncoding::QuotedPrintable, None));
        assert_eq!(parse("utf-8"), (TransferEncoding::Identity, None));
        assert_eq!(parse("x-uuencode"), (TransferEncoding::Identity, Some(Defect::UnsupportedEncoding)));
        for odd in
            ["base64 (x)", "x-base64", "base64,quoted-printable", "=?x?q?base64?=", "junk base64", "moss"]
        {
            assert_eq!(parse(odd).1, Some(Defect::UncertainTransferEncoding), "{odd}");
        }
    }
}
