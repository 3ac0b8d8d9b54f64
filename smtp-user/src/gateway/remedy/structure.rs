//! What a message is divided into, without what is in the parts: to see that it is the same after a change elsewhere.

use super::Means;
use super::rewriting::Cannot;
use crate::transport::held_message::HeldMessage;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::part_header::{PartHeader, PartSpan};
use crate::wire::mime::walk::{PartSink, Walker};

/// What a message is divided into.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// Each part, and how many octets each way to read it gives.
    parts: Vec<(PartHeader, Vec<u64>)>,
    /// Numbers of body parts, and how many octets they are as they stand there.
    spans: Vec<(String, u64)>,
    defects: Vec<(Defect, String)>,
}

/// Parses a message.
pub(super) async fn structure(message: &HeldMessage, means: Means<'_>) -> Result<Structure, Cannot> {
    let mut structure = Structure::default();
    let mut walker = Walker::new(means.inspector.limits());
    let mut reader = message.reader();
    while let Some(octets) = reader.next_chunk().await? {
        walker.push(octets, &mut structure);
    }
    walker.finish(&mut structure);
    structure.defects = walker.defects().to_vec();
    Ok(structure)
}

impl PartSink for Structure {
    fn begin(&mut self, part: PartHeader) {
        let octets = vec![0; part.encodings.len()];
        self.parts.push((part, octets));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let sum = self.parts.last_mut().and_then(|(_, sums)| sums.get_mut(reading));
        if let Some(sum) = sum {
            *sum += octets.len() as u64;
        }
    }

    fn end(&mut self) {}

    fn span(&mut self, span: PartSpan) {
        self.spans.push((span.number, span.body.end - span.body.start));
    }
}
