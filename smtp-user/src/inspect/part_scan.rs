//! Looks into the parts of a message while they are decoded.

use std::sync::Arc;

use crate::content::container::effective_type;
use crate::content::detect::{HEAD, detect, is_worth_a_look};
use crate::content::marker::MarkMatcher;
use crate::engine::eicar::EicarMatcher;
use crate::engine::hash_list::{DigestKinds, Digester, HashLists};
use crate::engine::link_list::LinkLists;
use crate::event::session_event::PartRecord;
use crate::inspect::cache;
use crate::inspect::combine::{Finding, FoundIn};
use crate::inspect::content_scan::{Looks, Scanned};
use crate::inspect::link_scan;
use crate::inspect::stage;
use crate::wire::mime::charset;
use crate::wire::mime::part_header::{PartHeader, PartKind, PartSpan};
use crate::wire::mime::walk::PartSink;

/// Looks into the parts of a message.
#[derive(Debug)]
pub struct PartScanner {
    lists: Arc<HashLists>,
    links: Arc<LinkLists>,
    digests: DigestKinds,
    executables: bool,
    open: Option<OpenPart>,
    /// Every part that has ended.
    pub parts: Vec<PartRecord>,
    /// What was found in them.
    pub findings: Vec<Finding>,
    /// Parts, as places in [`parts`](Self::parts), in which there may be something.
    pub worth_a_look: Vec<usize>,
    /// Where body parts stand.
    pub spans: Vec<PartSpan>,
    /// What each part is by itself, in the order of [`parts`](Self::parts); nothing for what is only a container.
    pub identities: Vec<Option<[u8; 32]>>,
    /// Numbers of messages within the message.
    messages: Vec<String>,
    /// One of them is nothing but a message itself.
    pub has_message_as_message: bool,
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
    marks: MarkMatcher,
    digester: Digester,
    /// The octets of a text, as far as links are looked for in them.
    text: Option<Vec<u8>>,
}

impl Reading {
    fn new(digests: DigestKinds, is_text: bool) -> Self {
        Self {
            octets: 0,
            head: Vec::new(),
            eicar: EicarMatcher::default(),
            marks: MarkMatcher::default(),
            digester: Digester::new(digests),
            text: is_text.then(Vec::new),
        }
    }
}

/// Findings that are remembered; one is enough to decide.
const MAX_FINDINGS: usize = 16;

impl PartScanner {
    /// Nothing seen yet.
    pub fn new(
        lists: Arc<HashLists>,
        links: Arc<LinkLists>,
        digests: DigestKinds,
        executables: bool,
    ) -> Self {
        let (parts, findings, worth_a_look, spans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            lists,
            links,
            digests,
            executables,
            open: None,
            parts,
            findings,
            worth_a_look,
            spans,
            identities: Vec::new(),
            messages: Vec::new(),
            has_message_as_message: false,
        }
    }

    fn found(&mut self, name: &str, header: &PartHeader) {
        let finding = Finding {
            name: name.to_owned(),
            part: Some(FoundIn { number: header.number.clone(), name: file_name(&header.names) }),
        };
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// The name of several that tells most: the decoded form of an encoded word tells more than the word.
pub(super) fn file_name(names: &[String]) -> Option<String> {
    names.iter().find(|name| !name.contains("=?")).or(names.first()).cloned()
}

impl PartSink for PartScanner {
    fn begin(&mut self, header: PartHeader) {
        if header.kind == PartKind::Message {
            let outer = header.number.strip_suffix(".1");
            self.has_message_as_message |=
                outer.is_some_and(|outer| self.messages.iter().any(|it| it == outer));
            self.messages.push(header.number.clone());
        }
        let is_text = link_scan::is_text(&header.media_type, &header.names);
        let readings = header.encodings.iter().map(|_| Reading::new(self.digests, is_text)).collect();
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
        reading.marks.push(octets);
        reading.digester.push(octets);
        if let Some(text) = &mut reading.text {
            let room = link_scan::MAX_TEXT.saturating_sub(text.len());
            text.extend_from_slice(octets.get(..octets.len().min(room)).unwrap_or_default());
        }
    }

    fn span(&mut self, span: PartSpan) {
        self.spans.push(span);
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
            record.stages = stage::all_skipped("container");
            self.parts.push(record);
            self.identities.push(None);
            return;
        }
        let (mut has_eicar, mut listed, mut is_worth) = (false, None, false);
        let mut texts = Vec::new();
        let (mut kinds, mut first, mut sums) = (Vec::new(), None, Vec::new());
        for reading in readings {
            let digests = reading.digester.finish();
            sums.push(digests.sha256);
            // Programs that show a text know its character set.
            let views = reading.text.iter().flat_map(|text| charset::views(text));
            has_eicar |= views.into_iter().any(|view| {
                let mut matcher = EicarMatcher::default();
                matcher.push(&view);
                matcher.found()
            });
            texts.extend(reading.text);
            has_eicar |= reading.eicar.found();
            listed = listed.or_else(|| self.lists.find(&digests).map(str::to_owned));
            for kind in detect(&reading.head) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            let marked = reading.marks.found();
            is_worth |= is_worth_a_look(&kinds, &header.media_type, &header.names, marked);
            first.get_or_insert((reading.octets, digests));
        }
        let Some((octets, digests)) = &first else { return };
        let looks = Looks { lists: &self.lists, executables: self.executables, most: 0 };
        let scanned = Scanned { octets: *octets, digests, kinds: &kinds, has_eicar, listed };
        for name in looks.fill(&mut record, scanned) {
            self.found(&name, &header);
        }
        let scanned = link_scan::scan(&texts, &header.media_type, &self.links.now());
        if let Some(row) = scanned.row {
            stage::set(&mut record.stages, stage::LINKS, row);
        }
        for name in scanned.listed {
            self.found(&name, &header);
        }
        let is_unpacked = is_worth && *octets > 0;
        if is_unpacked {
            self.worth_a_look.push(self.parts.len());
        }
        let read_as = effective_type(&header.media_type, &header.names);
        let identity = cache::identity(sums.iter(), read_as, &record.kinds, is_unpacked);
        self.identities.push((*octets > 0).then_some(identity));
        self.parts.push(record);
    }
}
