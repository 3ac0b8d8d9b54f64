//! Control files: a line that says what follows, a message's [`QueuedMessage`] as JSON, and behind it the octets of a small
//! message, so that it costs one file and not two.
//!
//! The first line has the format's name and version, the number of octets that follow and a SHA-256 over all of this, so
//! that a file that was cut or changed tells on itself, and one of a later version is not misread.

use sha2::{Digest as _, Sha256};

use crate::model::queued_message::QueuedMessage;
use crate::wire::hexadecimal::hexadecimal;

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

/// The octets of a control file that has the message itself behind it.
pub(crate) fn encode_with(message: &QueuedMessage, octets: &[u8]) -> Result<Vec<u8>, ControlError> {
    let content =
        serde_json::to_vec(message).map_err(|error| ControlError::Content { why: error.to_string() })?;
    let mut all = with_heading(VERSION_TOGETHER, &content);
    all.reserve_exact(octets.len());
    all.extend_from_slice(octets);
    Ok(all)
}

/// Where what is known of a message stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Octets from the file's beginning up to the end of what is known.
    pub(crate) known: u64,
    /// Whether the message's own octets stand behind that.
    pub(crate) is_together: bool,
}

/// Reads the heading at the beginning of a control file.
pub(crate) fn layout(beginning: &[u8]) -> Result<Layout, ControlError> {
    let heading = Heading::of(beginning)?;
    // With the line ends around the content.
    let known = (heading.octets as u64).saturating_add(heading.expected as u64).saturating_add(2);
    match heading.version {
        VERSION => Ok(Layout { known, is_together: false }),
        VERSION_TOGETHER => Ok(Layout { known, is_together: true }),
        // What follows may be anything.
        _ => Ok(Layout { known: MAX_OCTETS, is_together: false }),
    }
}

/// Reads what is known of a message: the octets of a control file, without those of the message.
pub(crate) fn decode(octets: &[u8]) -> Result<QueuedMessage, ControlError> {
    let content = match Heading::of(octets)?.version {
        VERSION_TOGETHER => content(octets, VERSION_TOGETHER)?,
        _ => content(octets, VERSION)?,
    };
    parse(content)
}

/// The same of one that was never out of memory: it is not compared with its checksum.
pub(crate) fn decode_written(octets: &[u8]) -> Result<QueuedMessage, ControlError> {
    parse(behind(&Heading::of(octets)?, octets)?)
}

fn parse(content: &[u8]) -> Result<QueuedMessage, ControlError> {
    let message: QueuedMessage =
        serde_json::from_slice(content).map_err(|error| ControlError::Content { why: error.to_string() })?;
    if message.recipients.is_empty() {
        return Err(ControlError::Content { why: "no recipient".to_owned() });
    }
    Ok(message)
}

/// The first line.
struct Heading<'o> {
    version: &'o str,
    /// Octets of the content by what it says.
    expected: usize,
    checksum: &'o str,
    /// Octets of the line, without its end.
    octets: usize,
}

impl<'o> Heading<'o> {
    fn of(octets: &'o [u8]) -> Result<Self, ControlError> {
        let end = octets.iter().take(MAX_HEADING).position(|&octet| octet == b'\n');
        let line = end.and_then(|end| octets.get(..end)).ok_or(ControlError::Heading)?;
        let mut words = std::str::from_utf8(line).map_err(|_| ControlError::Heading)?.split(' ');
        let mut word = || words.next().ok_or(ControlError::Heading);
        if word()? != MAGIC {
            return Err(ControlError::Heading);
        }
        let version = word()?;
        let expected = word()?.parse().map_err(|_| ControlError::Heading)?;
        let checksum = word()?;
        if words.next().is_some() {
            return Err(ControlError::Heading);
        }
        Ok(Self { version, expected, checksum, octets: line.len() })
    }
}

/// What stands behind a heading that fits it, of a version.
pub(crate) fn content<'o>(octets: &'o [u8], known: &str) -> Result<&'o [u8], ControlError> {
    let heading = Heading::of(octets)?;
    let content = behind(&heading, octets)?;
    if checksum(heading.version, content) != heading.checksum {
        return Err(ControlError::Checksum);
    }
    if heading.version != known {
        return Err(ControlError::Version { found: heading.version.to_owned() });
    }
    Ok(content)
}

/// What stands behind a heading, if that is as much as it says.
fn behind<'o>(heading: &Heading<'_>, octets: &'o [u8]) -> Result<&'o [u8], ControlError> {
    let rest = octets.get(heading.octets..).unwrap_or_default();
    // Without the line ends around it.
    let content = rest.get(1..).and_then(|rest| rest.strip_suffix(b"\n")).unwrap_or_default();
    if content.len() == heading.expected {
        Ok(content)
    } else {
        Err(ControlError::Length { found: content.len(), expected: heading.expected })
    }
}

/// Octets of a control file at most: 100,000 recipients with the longest addresses do not come to half of it.
pub const MAX_OCTETS: u64 = 128 << 20;
const MAGIC: &str = "postern-control";
const VERSION: &str = "1";
/// With the message's octets behind it.
const VERSION_TOGETHER: &str = "2";
pub(crate) const MAX_HEADING: usize = 160;
