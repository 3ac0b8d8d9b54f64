//! What is wrong with the form of a message.

use std::fmt;

/// What is wrong with the form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Two `Content-Type` fields that say different things; readers take the first or the last.
    TwoContentTypes,
    /// Two `Content-Transfer-Encoding` fields that say different things.
    TwoTransferEncodings,
    /// A `Content-Type` of a composite kind that is not written as RFC 2045 §5.1 says.
    MalformedContentType,
    /// The boundary can be read in more than one way: given twice, in pieces, in a comment, half quoted.
    UncertainBoundary,
    /// A multipart without a boundary: readers show it as text, or take the first line that looks like one.
    NoBoundary,
    /// A multipart within another one with the same boundary.
    BoundaryOfParent,
    /// A delimiter line with more on it: RFC 2046 §5.1.1 calls it a delimiter, most readers do not.
    DelimiterWithText,
    /// A delimiter line of a multipart that has ended: readers that do not think it ended see another part.
    DelimiterAfterEnd,
    /// A transfer encoding that is none, but that somebody may read as one.
    UncertainTransferEncoding,
    /// A multipart in base64, which RFC 2045 §6.4 forbids: readers decode it or do not.
    EncodedMultipart,
    /// A blank before the colon of a MIME field: readers take the field or ignore it.
    BlankBeforeColon,
    /// Characters that are not seen in the name of a MIME field: readers drop them, or do not know the field.
    OddFieldName,
    /// MIME fields in the text before the first part of a multipart or behind the last: readers that see another
    /// boundary, or guess one, see parts there.
    FieldsOutsideParts,
    /// Lines that end in a CR alone: to some readers they are lines.
    BareCr,
    /// More names for a part than are followed.
    TooManyNames,
    /// Within a header section a line that some readers take for its end, and MIME fields behind it.
    UncertainHeaderEnd,
    /// An independent second reader sees other parts, or the same ones elsewhere.
    ReadersDisagree,
    /// An independent second reader fails over it.
    SecondReaderFails,
    /// Characters in base64 that do not belong there: readers skip them or stop.
    JunkInBase64,
    /// More base64 after the padding: readers stop there or go on.
    TextAfterPadding,
    /// A transfer encoding that nothing here decodes: uuencode, `BinHex`, yEnc.
    UnsupportedEncoding,
    /// A piece of a message (RFC 2046 §5.2.2) whose other pieces are elsewhere.
    PartialMessage,
    /// Parts within parts deeper than the limit.
    TooDeep,
    /// More parts than the limit.
    TooManyParts,
    /// A header section, a field or a line of one longer than the limit.
    HeaderTooLong,
    /// A boundary longer than the limit.
    BoundaryTooLong,
}

/// What follows from a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// Two readers may see different things.
    Ambiguous,
    /// Nothing here can read it.
    Unsupported,
    /// It was not read to its end.
    LimitExceeded,
}

impl Defect {
    /// What follows.
    pub const fn kind(self) -> DefectKind {
        match self {
            Self::UnsupportedEncoding | Self::PartialMessage => DefectKind::Unsupported,
            Self::TooDeep | Self::TooManyParts | Self::HeaderTooLong | Self::BoundaryTooLong => {
                DefectKind::LimitExceeded
            }
            _ => DefectKind::Ambiguous,
        }
    }

    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoContentTypes => "two_content_types",
            Self::TwoTransferEncodings => "two_transfer_encodings",
            Self::MalformedContentType => "malformed_content_type",
            Self::UncertainBoundary => "uncertain_boundary",
            Self::NoBoundary => "no_boundary",
            Self::BoundaryOfParent => "boundary_of_parent",
            Self::DelimiterWithText => "delimiter_with_text",
            Self::DelimiterAfterEnd => "delimiter_after_end",
            Self::UncertainTransferEncoding => "uncertain_transfer_encoding",
            Self::EncodedMultipart => "encoded_multipart",
            Self::BlankBeforeColon => "blank_before_colon",
            Self::OddFieldName => "odd_field_name",
            Self::FieldsOutsideParts => "fields_outside_parts",
            Self::BareCr => "bare_cr",
            Self::TooManyNames => "too_many_names",
            Self::UncertainHeaderEnd => "uncertain_header_end",
            Self::ReadersDisagree => "readers_disagree",
            Self::SecondReaderFails => "second_reader_fails",
            Self::JunkInBase64 => "junk_in_base64",
            Self::TextAfterPadding => "text_after_padding",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::PartialMessage => "partial_message",
            Self::TooDeep => "too_deep",
            Self::TooManyParts => "too_many_parts",
            Self::HeaderTooLong => "header_too_long",
            Self::BoundaryTooLong => "boundary_too_long",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoContentTypes => "two different content types",
            Self::TwoTransferEncodings => "two different transfer encodings",
            Self::MalformedContentType => "malformed content type",
            Self::UncertainBoundary => "uncertain boundary",
            Self::NoBoundary => "multipart without boundary",
            Self::BoundaryOfParent => "boundary used at two levels",
            Self::DelimiterWithText => "text on a delimiter line",
            Self::DelimiterAfterEnd => "delimiter after the end of its multipart",
            Self::UncertainTransferEncoding => "uncertain transfer encoding",
            Self::EncodedMultipart => "multipart in base64",
            Self::BlankBeforeColon => "blank before the colon of a MIME field",
            Self::OddFieldName => "odd name of a MIME field",
            Self::FieldsOutsideParts => "MIME fields outside the parts",
            Self::BareCr => "lines that end in CR alone",
            Self::TooManyNames => "too many names of a part",
            Self::UncertainHeaderEnd => "uncertain end of a header section",
            Self::ReadersDisagree => "two readers see different parts",
            Self::SecondReaderFails => "a second reader fails over it",
            Self::JunkInBase64 => "junk in base64",
            Self::TextAfterPadding => "base64 after its padding",
            Self::UnsupportedEncoding => "transfer encoding that is not decoded",
            Self::PartialMessage => "piece of a divided message",
            Self::TooDeep => "parts nested too deep",
            Self::TooManyParts => "too many parts",
            Self::HeaderTooLong => "header section too long",
            Self::BoundaryTooLong => "boundary too long",
        })
    }
}
