//! What is known of a part before its octets, and where it stands.

use std::ops::Range;

use crate::wire::mime::transfer_encoding::TransferEncoding;

/// What is known of a part before its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Its number, as in `1.2`.
    pub number: String,
    /// What it is in the structure.
    pub kind: PartKind,
    /// Type and subtype as declared, in lower case.
    pub media_type: String,
    /// How it is encoded; several where that is not certain. Each is a reading of its own.
    pub encodings: Vec<TransferEncoding>,
    /// Names that a reader may give it.
    pub names: Vec<String>,
}

/// What a part is in the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// A body part, or the whole body.
    Leaf,
    /// A message; its octets come as the parts within it.
    Message,
    /// What stands before the first part of a multipart, RFC 2046 §5.1.1.
    Preamble,
    /// What stands behind the last one.
    Epilogue,
}

/// Where a part stands in the octets of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSpan {
    /// Its number.
    pub number: String,
    /// Its header section, with the empty line at its end if it has one.
    pub header: Range<u64>,
    /// Its body as it is encoded, without the line end before the delimiter line.
    pub body: Range<u64>,
    /// Its header section is that of a message, with more in it than what MIME says.
    pub is_message: bool,
    /// A signature of RFC 1847 covers it.
    pub is_signed: bool,
}
