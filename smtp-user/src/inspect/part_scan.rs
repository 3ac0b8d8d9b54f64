//! Looks into the parts of a message while they are decoded.

use std::sync::Arc;

use crate::engine::eicar::{EICAR_NAME, EicarMatcher};
use crate::engine::executable::{HEAD, executable};
use crate::engine::hash_list::{DigestKinds, Digester, HashLists, to_hex};
use crate::event::session_event::PartRecord;
use crate::inspect::combine::{Finding, FoundIn};
use crate::inspect::stage::{self, ran, skipped};
use crate::wire::mime::part_header::{PartHeader, PartKind};
use crate::wire::mime::walk::PartSink;

/// Looks into the parts of a message.
#[derive(Debug)]
pub struct PartScanner {
    lists: Arc<HashLists>,
    digests: DigestKinds,
    executables: bool,
    open: Option<OpenPart>,
    /// Every part that has ended.
    pub parts: Vec<PartRecord>,
    /// What was found in them.
    pub findings: Vec<Finding>,
}

#[derive(Debug)]
struct OpenPart {
    header: PartHeader,
    readings: Vec<Reading>,
}

/// One way to read a part.
#[derive(Debug)]
struct Reading {
    octets: u64,
    head: Vec<u8>,
    eicar: EicarMatcher,
    digester: Digester,
}

impl Reading {
    fn new(digests: DigestKinds) -> Self {
        Self { octets: 0, head: Vec::new(), eicar: EicarMatcher::default(), digester: Digester::new(digests) }
    }
}

/// Findings that are remembered; one is enough to decide.
const MAX_FINDINGS: usize = 16;

impl PartScanner {
    /// Nothing seen yet.
    pub const fn new(lists: Arc<HashLists>, digests: DigestKinds, executables: bool) -> Self {
        Self { lists, digests, executables, open: None, parts: Vec::new(), findings: Vec::new() }
    }

    fn found(&mut self, name: &str, header: &PartHeader) {
        // The decoded form of an encoded word tells more.
        let readable = header.names.iter().find(|name| !name.contains("=?"));
        let file = readable.or(header.names.first()).cloned();
        let finding = Finding {
            name: name.to_owned(),
            part: Some(FoundIn { number: header.number.clone(), name: file }),
        };
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

impl PartSink for PartScanner {
    fn begin(&mut self, header: PartHeader) {
        let readings = header.encodings.iter().map(|_| Reading::new(self.digests)).collect();
        self.open = Some(OpenPart { header, readings });
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let Some(reading) = self.open.as_mut().and_then(|open| open.readings.get_mut(reading)) else {
            return;
        };
        reading.octets += octets.len() as u64;
        let missing = HEAD - reading.head.len();
        reading.head.extend_from_slice(octets.get(..octets.len().min(missing)).unwrap_or_default());
        reading.eicar.push(octets);
        reading.digester.push(octets);
    }

    fn end(&mut self) {
        let Some(OpenPart { header, readings }) = self.open.take() else { return };
        let mut record = PartRecord {
            part: header.number.clone(),
            names: header.names.clone(),
            media_type: header.media_type.clone(),
            encoding: header.encodings.iter().map(|encoding| encoding.name()).collect::<Vec<_>>().join("|"),
            ..PartRecord::default()
        };
        if header.kind == PartKind::Message {
            let stages = stage::STAGES.iter().map(|name| ((*name).to_owned(), skipped("container")));
            record.stages = stages.collect();
            self.parts.push(record);
            return;
        }
        let (mut signature, mut listed, mut program) = (None, None, None);
        for (index, reading) in readings.into_iter().enumerate() {
            let digests = reading.digester.finish();
            signature = signature.or_else(|| reading.eicar.found().then_some(EICAR_NAME));
            listed = listed.or_else(|| self.lists.find(&digests).map(str::to_owned));
            program = program.or_else(|| executable(&reading.head).filter(|_| self.executables));
            if index == 0 {
                record.octets = reading.octets;
                record.md5 = digests.md5.map(|digest| to_hex(&digest)).unwrap_or_default();
                record.sha1 = digests.sha1.map(|digest| to_hex(&digest)).unwrap_or_default();
                record.sha256 = to_hex(&digests.sha256);
            }
        }
        let result =
            |found: Option<&str>| ran(&found.map_or("clean".to_owned(), |name| format!("infected: {name}")));
        let on =
            |on: bool, reason: &str, found: Option<&str>| if on { result(found) } else { skipped(reason) };
        let stages = [
            (stage::STRUCTURE, ran("sound")),
            (stage::SIGNATURE, result(signature)),
            (stage::REPUTATION, on(!self.lists.is_empty(), "no list", listed.as_deref())),
            (stage::EXECUTABLES, on(self.executables, "off", program)),
        ];
        record.stages = stages.into_iter().map(|(name, result)| (name.to_owned(), result)).collect();
        for name in [signature, listed.as_deref(), program].into_iter().flatten() {
            self.found(name, &header);
        }
        self.parts.push(record);
    }
}
