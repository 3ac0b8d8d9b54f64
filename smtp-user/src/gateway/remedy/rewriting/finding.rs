//! Finds where the parts stand that are to be replaced, and the octets of those that are to be locked.

use std::collections::BTreeMap;

use super::Cannot;
use crate::inspect::ruled::{Change, Replacement};
use crate::wire::mime::part_header::{PartHeader, PartKind, PartSpan};
use crate::wire::mime::walk::PartSink;

/// Octets of a part that can be locked or cleaned: it is in memory as a whole.
const MAX_LOCKED: usize = 64 << 20;

/// A part that is to be replaced.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) span: PartSpan,
    pub(super) change: Change,
    /// What it is when decoded, if that is asked for and to be had.
    pub(super) content: Option<Vec<u8>>,
}

/// Finds the parts while a message is walked over.
#[derive(Debug)]
pub(super) struct Found {
    changes: Vec<Change>,
    spans: BTreeMap<String, PartSpan>,
    contents: BTreeMap<String, Vec<u8>>,
    open: Option<String>,
    places: Vec<Place>,
}

impl Found {
    pub(super) fn new(changes: &[Change]) -> Self {
        Self {
            changes: changes.to_vec(),
            spans: BTreeMap::new(),
            contents: BTreeMap::new(),
            open: None,
            places: Vec::new(),
        }
    }

    /// Gives every change its place: that of its part, or of the encoded message that the part is in.
    pub(super) fn settle(mut self) -> Result<Self, Cannot> {
        for change in std::mem::take(&mut self.changes) {
            let mut number = change.part.as_str();
            let span = loop {
                if let Some(span) = self.spans.get(number) {
                    break span.clone();
                }
                number = match number.rsplit_once('.') {
                    Some((outer, _)) => outer,
                    None => return Err(Cannot("a part has no place of its own")),
                };
            };
            let content = self.contents.remove(&span.number);
            match self.places.iter_mut().find(|place| place.span.number == span.number) {
                // What is to be taken out is not locked, and what is to be locked gets no copy.
                Some(place) => place.change.join(change),
                None => self.places.push(Place { span, change, content }),
            }
        }
        Ok(self)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }

    pub(super) fn into_places(self) -> Vec<Place> {
        self.places
    }

    /// Whether a part may be one of those, or hold one of them.
    fn may_be_wanted(&self, number: &str) -> bool {
        self.changes.iter().any(|change| {
            change.part.strip_prefix(number).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

impl PartSink for Found {
    fn begin(&mut self, part: PartHeader) {
        let wants = |change: &Change| change.by != Replacement::Notice && change.part == part.number;
        let is_wanted = self.changes.iter().any(wants);
        // Of a message its parts come, and not its octets.
        if is_wanted && part.kind == PartKind::Leaf {
            self.contents.insert(part.number.clone(), Vec::new());
            self.open = Some(part.number);
        }
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let Some(number) = self.open.as_ref().filter(|_| reading == 0) else { return };
        let Some(content) = self.contents.get_mut(number) else { return };
        if content.len() + octets.len() > MAX_LOCKED {
            self.contents.remove(number);
            self.open = None;
            return;
        }
        content.extend_from_slice(octets);
    }

    fn end(&mut self) {
        self.open = None;
    }

    fn encoded_span(&mut self, span: PartSpan) {
        self.span(span);
    }

    fn span(&mut self, span: PartSpan) {
        if self.may_be_wanted(&span.number) {
            self.spans.insert(span.number.clone(), span);
        }
    }
}
