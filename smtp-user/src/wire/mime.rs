//! MIME, RFC 2045 to 2047, 2183 and 2231, read as somebody would who wants to be misunderstood.
//!
//! Nothing here guesses in silence. Where two readers may see different things, both are looked at and the
//! [`Defect`](defect::Defect) is named; what everybody reads alike is no defect, however odd it looks.

pub mod base64;
pub mod boundary;
pub mod charset;
pub mod condensed;
pub mod content_type;
pub mod defect;
pub mod encoded_word;
pub mod file_name;
pub mod header_section;
pub mod parameter;
pub mod part_header;
pub mod quoted_printable;
pub mod second_reader;
pub mod transfer_encoding;
pub mod walk;
