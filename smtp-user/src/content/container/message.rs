//! Messages within other content, RFC 5322 and MIME, by the walk that reads mail.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Limit, Technique, Unsupported};
use crate::wire::mime::defect::{Defect, DefectKind};
use crate::wire::mime::part_header::{PartHeader, PartKind};
use crate::wire::mime::walk::{PartSink, WalkLimits, Walker};

/// Reads a message.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut walker = Walker::new(WalkLimits::default()).of_any_octets();
    let mut sink = Parts { walk, level, open: None };
    for piece in octets.chunks(PIECE) {
        if !sink.walk.may_go_on(&sink.level.part) {
            return;
        }
        walker.push(piece, &mut sink);
    }
    walker.finish(&mut sink);
    let part = sink.level.part.clone();
    for (defect, _) in walker.defects() {
        let finding = match (defect.kind(), defect) {
            (DefectKind::Ambiguous, _) => Finding::Ambiguous(Technique::MessageStructure),
            (_, Defect::PartialMessage) => Finding::Unsupported(Unsupported::Divided),
            (DefectKind::Unsupported, _) => Finding::Unsupported(Unsupported::Method),
            (_, Defect::TooManyParts) => Finding::LimitExceeded(Limit::Members),
            (DefectKind::LimitExceeded, _) => Finding::LimitExceeded(Limit::Depth),
        };
        walk.note(finding, &part);
    }
}

/// Octets between two looks at the time.
const PIECE: usize = 256 << 10;

/// Takes the parts, one after the other.
struct Parts<'p, 'w> {
    walk: &'p mut Walk<'w>,
    level: &'p mut Level,
    open: Option<(PartHeader, Vec<Vec<u8>>, bool)>,
}

impl PartSink for Parts<'_, '_> {
    fn begin(&mut self, part: PartHeader) {
        let readings = part.encodings.iter().map(|_| Vec::new()).collect();
        self.open = Some((part, readings, false));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let Some((_, readings, is_cut)) = &mut self.open else { return };
        let Some(content) = readings.get_mut(reading) else { return };
        let room = self.walk.limits.max_member.min(self.walk.octets_left);
        if (content.len() + octets.len()) as u64 > room {
            *is_cut = true;
        } else {
            content.extend_from_slice(octets);
        }
    }

    fn end(&mut self) {
        let Some((header, readings, is_cut)) = self.open.take() else { return };
        if header.kind == PartKind::Message {
            return;
        }
        let cut = is_cut.then_some(Finding::LimitExceeded(Limit::Member));
        for (content, encoding) in readings.iter().zip(&header.encodings) {
            self.walk.octets_left = self.walk.octets_left.saturating_sub(content.len() as u64);
            self.level.media_type = Some(header.media_type.clone());
            self.walk.member_of_octets(self.level, &header.names, encoding.name(), content, cut);
        }
    }
}
