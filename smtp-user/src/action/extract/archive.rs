//! Zip archives (APPNOTE.TXT 6.3): documents in them get safe copies, everything else stays octet for octet as it is packed.
//!
//! Only an archive that every reader takes for the same is rewritten: `content` says where everything in it is, or why not.

mod writing;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use self::writing::{Packed, write};
use super::{ExtractError, Extracted, Removed, Weeds, extract_within, only_kind};
use crate::content::container::is_message_name;
use crate::content::container::place::Level;
use crate::content::container::zip::layout::{Layout, Obstacle, Placed, layout};
use crate::content::detect::{HEAD, detect};
use crate::content::{ContentLimits, Kind};
use crate::wire::hexadecimal::hexadecimal;

/// A member that was cleaned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanedMember {
    /// The way to it, as in `inner.zip/docs/a.docm`.
    pub place: String,
    /// What was taken out of it.
    pub removed: Removed,
    /// SHA-256 of what it was, hexadecimal.
    pub sha256: String,
    /// SHA-256 of its copy, hexadecimal.
    pub copy_sha256: String,
}

/// What goes by and how far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cleaning<'c> {
    pub(super) weeds: &'c Weeds,
    pub(super) limits: &'c ContentLimits,
    /// Ways to members that are to be cleaned, as in `/docs/a.docm`; empty for the archive itself. Of an archive that is
    /// named all is cleaned that can be.
    pub(super) wanted: &'c [String],
}

/// What is left of the bounds, and what was done.
struct State<'c> {
    octets: u64,
    members: usize,
    /// What is to be cleaned, and everything that it is in.
    named: HashSet<&'c str>,
    /// What is to be cleaned and was not met.
    missing: HashSet<&'c str>,
    cleaned: Vec<CleanedMember>,
}

/// Where something is.
#[derive(Clone, Copy)]
struct At<'a> {
    place: &'a str,
    /// Archives that it is in.
    depth: usize,
    /// All in it is cleaned, or in what it is in.
    takes_all: bool,
}

/// Whether octets of these kinds are an archive that can be rewritten.
pub(super) fn is_archive(kinds: &[Kind]) -> bool {
    // A PDF may begin within another file; where it does is looked at in the layout.
    kinds.first() == Some(&Kind::Zip) && kinds.iter().all(|kind| matches!(kind, Kind::Zip | Kind::Pdf))
}

/// Makes the copy of an archive; `None` if nothing in it has to be another.
pub(super) fn archive(octets: &[u8], cleaning: Cleaning<'_>) -> Result<Option<Extracted>, ExtractError> {
    let mut state = State {
        octets: cleaning.limits.max_octets,
        members: cleaning.limits.max_members,
        named: HashSet::new(),
        missing: cleaning.wanted.iter().map(String::as_str).filter(|place| !place.is_empty()).collect(),
        cleaned: Vec::new(),
    };
    for wanted in cleaning.wanted {
        let mut place = Some(wanted.as_str());
        while let Some(here) = place.filter(|here| state.named.insert(here)) {
            place = here.rsplit_once('/').map(|(outer, _)| outer);
        }
    }
    let takes_all = cleaning.wanted.is_empty() || cleaning.wanted.iter().any(String::is_empty);
    let copy = state.within(octets, &At { place: "", depth: 1, takes_all }, cleaning)?;
    if !state.missing.is_empty() {
        return Err(ExtractError::Uncertain("what is to be cleaned is not found in it"));
    }
    Ok(copy.map(|octets| {
        let mut removed = Removed::default();
        state.cleaned.iter().for_each(|member| removed.add(&member.removed));
        Extracted { octets, removed, members: state.cleaned }
    }))
}

impl State<'_> {
    /// The copy of the archive that is at this place.
    fn within(
        &mut self,
        octets: &[u8],
        at: &At<'_>,
        cleaning: Cleaning<'_>,
    ) -> Result<Option<Vec<u8>>, ExtractError> {
        if at.depth > cleaning.limits.max_depth {
            return Err(ExtractError::TooLarge);
        }
        let layout = layout(octets, self.members)?;
        self.members = self.members.saturating_sub(layout.members.len());
        if !is_alone(octets, &layout) {
            return Err(ExtractError::TwoKinds(Kind::Zip, Kind::Pdf));
        }
        let mut level = Level::new(at.place, true);
        let mut copies = Vec::new();
        for member in &layout.members {
            if member.is_folder {
                copies.push(None);
                continue;
            }
            let own = level.place(&member.names);
            let is_named = self.named.contains(own.as_str());
            let copy = if at.takes_all || is_named {
                let copy = self.member(member, &At { place: &own, ..*at }, is_named, cleaning);
                copy.map_err(|source| within_member(&own, source))?
            } else {
                None
            };
            copies.push(copy.map(|octets| Packed::new(&octets, member.method)));
        }
        if copies.iter().all(Option::is_none) {
            return Ok(None);
        }
        write(&layout, &copies).map(Some)
    }

    /// The copy of a member; `None` if it stays.
    fn member(
        &mut self,
        member: &Placed<'_>,
        at: &At<'_>,
        is_named: bool,
        cleaning: Cleaning<'_>,
    ) -> Result<Option<Vec<u8>>, ExtractError> {
        let place = at.place;
        let takes_all = self.missing.remove(place) || at.takes_all;
        let octets = member.unpack(cleaning.limits, &mut self.octets)?;
        let kinds = detect(&octets);
        if member.names.iter().any(|name| is_message_name(name)) {
            // Who opens it takes it for a message, with parts of its own.
            return if is_named { Err(ExtractError::Kind(Kind::Message)) } else { Ok(None) };
        }
        if is_archive(&kinds) {
            return self.within(&octets, &At { place, depth: at.depth + 1, takes_all }, cleaning);
        }
        let media_type = member.names.iter().find_map(|name| media_type(name)).unwrap_or_default();
        let kind = match only_kind(&kinds, media_type) {
            Ok(kind) => kind,
            // Text and pictures have nothing in them that runs, and of other files nobody asked for a copy.
            Err(ExtractError::Kind(kind)) if kind.is_passive() || !is_named => return Ok(None),
            Err(error) => return Err(error),
        };
        // What is named in a document is its own affair.
        self.missing.retain(|missing| !is_below(missing, place));
        let Some(copy) = extract_within(kind, &octets, cleaning.weeds, &mut self.octets)? else {
            return Ok(None);
        };
        self.cleaned.push(CleanedMember {
            place: place.trim_start_matches('/').to_owned(),
            removed: copy.removed,
            sha256: sha256(&octets),
            copy_sha256: sha256(&copy.octets),
        });
        Ok(Some(copy.octets))
    }
}

fn is_below(place: &str, outer: &str) -> bool {
    place.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether it is no PDF besides, for readers that look for one in its first octets: what begins there is a member.
fn is_alone(octets: &[u8], layout: &Layout<'_>) -> bool {
    let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default();
    memchr::memmem::find_iter(head, b"%PDF-")
        .all(|at| layout.members.iter().any(|member| member.data_at.contains(&at)))
}

/// What texts are declared to be by their names, which is all that a member has.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.trim_end_matches(['.', ' ']).rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" | "xhtml" | "xht" => Some("text/html"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn sha256(octets: &[u8]) -> String {
    use sha2::Digest as _;
    hexadecimal(&sha2::Sha256::digest(octets))
}

fn within_member(place: &str, source: ExtractError) -> ExtractError {
    match source {
        // The innermost says it.
        ExtractError::Member { .. } => source,
        source => {
            ExtractError::Member { place: place.trim_start_matches('/').to_owned(), source: Box::new(source) }
        }
    }
}

impl From<Obstacle> for ExtractError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Encrypted => Self::Encrypted,
            Obstacle::Damaged(how) => Self::Damaged(how.to_owned()),
            Obstacle::Uncertain(how) => Self::Uncertain(how),
            Obstacle::TooLarge => Self::TooLarge,
        }
    }
}
