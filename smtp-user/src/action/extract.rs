//! A safe copy in place of the original: what a document does by itself is taken out, the rest stays.
//!
//! Which of it applies goes by content, never by name. What cannot be read for certain gives an error and no copy:
//! whoever asked has to do something else with the part. A copy is to be looked at again like any other part; that a
//! weeder believes its work is done proves nothing.

mod archive;
mod compound;
mod markup;
mod office;
mod pdf;
mod slides;
#[cfg(test)]
mod tests;
mod text;
mod url;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::archive::CleanedMember;
use self::archive::{Cleaning, archive, is_archive};
pub use self::text::text;
use crate::content::detect::detect;
use crate::content::{ContentLimits, Kind};

/// What is taken out of markup, beyond what always is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weeds {
    /// Elements of HTML and SVG, in lower case, that go with all that is in them.
    pub elements: Vec<String>,
    /// Attributes, in lower case; `on…` go always.
    pub attributes: Vec<String>,
}

/// Elements that run something, load something to run, or change what an address means.
const ELEMENTS: [&str; 14] = [
    "script",
    "object",
    "embed",
    "applet",
    "iframe",
    "frame",
    "frameset",
    "portal",
    "fencedframe",
    "base",
    "link",
    "bgsound",
    "foreignobject",
    "handler",
];
/// Attributes that hold a document of their own, or send something elsewhere.
const ATTRIBUTES: [&str; 3] = ["srcdoc", "ping", "manifest"];

impl Default for Weeds {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { elements: owned(&ELEMENTS), attributes: owned(&ATTRIBUTES) }
    }
}

/// A safe copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// Its octets.
    pub octets: Vec<u8>,
    /// What was taken out.
    pub removed: Removed,
    /// Of an archive, what out of which members.
    pub members: Vec<CleanedMember>,
}

/// What was taken out, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed(BTreeMap<String, u32>);

impl Removed {
    fn note(&mut self, what: &str) {
        let count = self.0.entry(what.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    fn add(&mut self, other: &Self) {
        for (what, more) in &other.0 {
            let count = self.0.entry(what.clone()).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How often something was.
    pub fn count(&self, what: &str) -> u32 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// As in `macros, script (3)`.
impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (what, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match count {
                1 => write!(f, "{comma}{what}")?,
                _ => write!(f, "{comma}{what} ({count})")?,
            }
        }
        Ok(())
    }
}

/// Why there is no safe copy. Whoever sent the part can do something about it, trying again cannot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// No copy is made of this kind.
    #[error("it is {}; safe copies are made of HTML, SVG, Office documents and PDF, and of zip archives with them", .0.name())]
    Kind(Kind),
    /// It is more than one thing, and somebody may read it as the other.
    #[error("it is {} and {} at once, and no copy is safe as both", .0.name(), .1.name())]
    TwoKinds(Kind, Kind),
    /// It needs a key.
    #[error("it is encrypted")]
    Encrypted,
    /// It is not what it says, or ends too early.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Two readers may read it in two ways.
    #[error("it can be read in more than one way: {0}")]
    Uncertain(&'static str),
    /// It has something that cannot be taken out of it.
    #[error("it has {0}, which cannot be taken out")]
    Inseparable(&'static str),
    /// Of a member of an archive there is none, and so there is none of the archive.
    #[error("{place}: {source}")]
    Member {
        /// The way to it.
        place: String,
        /// Why.
        source: Box<Self>,
    },
    /// The copy would be too large, or take too long.
    #[error("it is too large")]
    TooLarge,
}

/// Makes a safe copy of a document or of an archive with documents in it; says what it is, and `None` if there is nothing
/// to take out. `wanted`: members of an archive that are to be cleaned, as in `/docs/a.docm`; where none is, all are that can
/// be.
pub fn safe_copy(
    octets: &[u8],
    media_type: &str,
    wanted: &[String],
    weeds: &Weeds,
    limits: &ContentLimits,
) -> Result<(Kind, Option<Extracted>), ExtractError> {
    let kinds = detect(octets);
    if is_archive(&kinds) {
        return Ok((Kind::Zip, archive(octets, Cleaning { weeds, limits, wanted })?));
    }
    let kind = only_kind(&kinds, media_type)?;
    Ok((kind, extract(kind, octets, weeds, limits.max_octets)?))
}

/// Whether a safe copy can be made of a kind by itself.
pub const fn is_extractable(kind: Kind) -> bool {
    maker(kind).is_some()
}

/// The one kind that something is, by its content; of text, by its declared type.
pub fn only_kind(kinds: &[Kind], media_type: &str) -> Result<Kind, ExtractError> {
    let declared = match media_type {
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "image/svg+xml" => Some(Kind::Svg),
        _ => None,
    };
    let is_text = kinds.iter().all(|kind| matches!(kind, Kind::Text | Kind::Empty | Kind::Data));
    if let Some(kind) = declared.filter(|_| is_text) {
        return Ok(kind);
    }
    let Some(kind) = kinds.iter().copied().find(|kind| is_extractable(*kind)) else {
        return Err(ExtractError::Kind(kinds.first().copied().unwrap_or(Kind::Data)));
    };
    // A document in a container is that container, too: that is no contradiction.
    match kinds.iter().find(|other| **other != kind && !is_same_container(kind, **other)) {
        Some(other) => Err(ExtractError::TwoKinds(kind, *other)),
        None => Ok(kind),
    }
}

const fn is_same_container(kind: Kind, other: Kind) -> bool {
    match kind {
        Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Ooxml => {
            matches!(other, Kind::Zip | Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Ooxml)
        }
        Kind::Doc | Kind::Xls | Kind::Ppt => {
            matches!(other, Kind::Ole | Kind::Doc | Kind::Xls | Kind::Ppt)
        }
        _ => matches!(other, Kind::Text),
    }
}

/// Makes a safe copy; `None` if there is nothing to take out, so that the original is one. `max_octets` bounds what is
/// unpacked on the way.
pub fn extract(
    kind: Kind,
    octets: &[u8],
    weeds: &Weeds,
    max_octets: u64,
) -> Result<Option<Extracted>, ExtractError> {
    let mut left = max_octets;
    extract_within(kind, octets, weeds, &mut left)
}

/// The same. `left`: octets that may be unpacked, which become fewer.
fn extract_within(
    kind: Kind,
    octets: &[u8],
    weeds: &Weeds,
    left: &mut u64,
) -> Result<Option<Extracted>, ExtractError> {
    let mut removed = Removed::default();
    let octets = match maker(kind).ok_or(ExtractError::Kind(kind))? {
        Maker::Html => markup::html(octets, weeds, &mut removed)?,
        Maker::Svg => markup::svg(octets, weeds, &mut removed)?,
        Maker::Office => office::document(octets, left, &mut removed)?,
        Maker::Compound => compound::document(octets, &mut removed)?,
        Maker::Pdf => pdf::document(octets, *left, &mut removed)?,
    };
    Ok((!removed.is_empty()).then_some(Extracted { octets, removed, members: Vec::new() }))
}

enum Maker {
    Html,
    Svg,
    Office,
    Compound,
    Pdf,
}

const fn maker(kind: Kind) -> Option<Maker> {
    match kind {
        Kind::Html => Some(Maker::Html),
        Kind::Svg => Some(Maker::Svg),
        Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Ooxml => Some(Maker::Office),
        Kind::Doc | Kind::Xls | Kind::Ppt => Some(Maker::Compound),
        Kind::Pdf => Some(Maker::Pdf),
        _ => None,
    }
}
