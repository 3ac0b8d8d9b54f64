//! Control files: a line that says what follows, and a message's [`QueuedMessage`] as JSON.
//!
//! The first line has the format's name and version, the number of octets that follow and a SHA-256 over all of this, so
//! that a file that was cut or changed tells on itself, and one of a later version is not misread.

use sha2::{Digest as _, Sha256};

use crate::model::queued_message::QueuedMessage;

/// Why octets are no control file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Not written by the spool, or cut in its first line.
    #[error("the control file has no heading")]
    Heading,
    /// Written by another version of this program.
    #[error("the control file is of version {found}, which is not known")]
    Version {
        /// What it says.
        found: String,
    },
    /// Cut, or something was added.
    #[error("the control file has {found} octets where its heading says {expected}")]
    Length {
        /// Behind the heading.
        found: usize,
        /// By the heading.
        expected: usize,
    },
    /// Changed.
    #[error("the control file does not match its checksum")]
    Checksum,
    /// What no version that is known ever wrote.
    #[error("the control file makes no sense: {why}")]
    Content {
        /// Where and what.
        why: String,
    },
}

/// The octets of a control file.
pub fn encode(message: &QueuedMessage) -> Result<Vec<u8>, ControlError> {
    let content =
        serde_json::to_vec(message).map_err(|error| ControlError::Content { why: error.to_string() })?;
    Ok(with_heading(VERSION, &content))
}

/// Content behind the heading that fits it.
pub(crate) fn with_heading(version: &str, content: &[u8]) -> Vec<u8> {
    let checksum = checksum(version, content);
    let mut octets = format!("{MAGIC} {version} {} {checksum}\n", content.len()).into_bytes();
    octets.extend_from_slice(content);
    octets.push(b'\n');
    octets
}

fn checksum(version: &str, content: &[u8]) -> String {
    let digest = Sha256::new().chain_update(version).chain_update(" ").chain_update(content);
    hexadecimal(&digest.finalize())
}

/// Reads the octets of a control file.
pub fn decode(octets: &[u8]) -> Result<QueuedMessage, ControlError> {
    let content = content(octets, VERSION)?;
    let message: QueuedMessage =
        serde_json::from_slice(content).map_err(|error| ControlError::Content { why: error.to_string() })?;
    if message.recipients.is_empty() {
        return Err(ControlError::Content { why: "no recipient".to_owned() });
    }
    Ok(message)
}

/// What stands behind a heading that fits it, of a version.
pub(crate) fn content<'o>(octets: &'o [u8], known: &str) -> Result<&'o [u8], ControlError> {
    let end = octets.iter().take(MAX_HEADING).position(|&octet| octet == b'\n');
    let (heading, rest) = end.and_then(|end| octets.split_at_checked(end)).ok_or(ControlError::Heading)?;
    let heading = std::str::from_utf8(heading).map_err(|_| ControlError::Heading)?;
    let mut words = heading.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(ControlError::Heading);
    }
    let version = words.next().ok_or(ControlError::Heading)?;
    let expected: usize = words.next().and_then(|number| number.parse().ok()).ok_or(ControlError::Heading)?;
    let expected_checksum = words.next().ok_or(ControlError::Heading)?;
    if words.next().is_some() {
        return Err(ControlError::Heading);
    }
    // Without the line ends around it.
    let content = rest.get(1..).and_then(|rest| rest.strip_suffix(b"\n")).unwrap_or_default();
    if content.len() != expected {
        return Err(ControlError::Length { found: content.len(), expected });
    }
    if checksum(version, content) != expected_checksum {
        return Err(ControlError::Checksum);
    }
    if version != known {
        return Err(ControlError::Version { found: version.to_owned() });
    }
    Ok(content)
}

/// Lower-case hexadecimal.
pub fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Octets of a control file at most: 100,000 recipients with the longest addresses do not come to half of it.
pub const MAX_OCTETS: u64 = 128 << 20;
const MAGIC: &str = "postern-control";
const VERSION: &str = "1";
const MAX_HEADING: usize = 160;
