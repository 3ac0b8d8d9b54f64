//! Looks into the parts in which there may be something: archives, documents, messages in other content.
//!
//! While a message comes in, its parts are only looked at as they stream by. Those that are worth it are
//! decoded a second time, from where the message is held, and unpacked one after the other on a thread of
//! their own. So a message without any costs nothing for it, and one with many no more memory than one part.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use crate::content::container::effective_type;
use crate::content::finding::{Limit, Unsupported};
use crate::content::{self, password};
use crate::engine::outcome::{EngineError, EngineOutcome, EngineReport};
use crate::event::session_event::PartRecord;
use crate::inspect::combine::{Finding, FoundIn};
use crate::inspect::content_scan::{Looks, Scanned};
use crate::inspect::inspector::Shared;
use crate::inspect::part_scan::file_name;
use crate::inspect::stage::{self, ran};
use crate::model::message_octets::MessageOctets;
use crate::wire::mime::part_header::PartHeader;
use crate::wire::mime::walk::{PartSink, Walker};
use crate::worker::error::WorkerError;
use crate::worker::lane::Lane;
use crate::worker::protocol::{Question, Seen, SeenMember, Unpacked};
use crate::worker::unpack;

/// What came of a look into one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// Its place among the parts.
    pub(super) index: usize,
    /// Every kind that it is.
    kinds: Vec<content::Kind>,
    /// How many members there are.
    members: usize,
    /// Members, as far as they are recorded.
    records: Vec<PartRecord>,
    /// What was found in them.
    found: Vec<Finding>,
    /// What was come upon, and where.
    findings: Vec<(content::Finding, String)>,
}

/// Members of a part that are recorded; more are counted, and what is found in them is told.
pub(super) const MAX_RECORDS: usize = 1000;
/// Findings of a part that are remembered.
const MAX_FOUND: usize = 16;
/// Octets of the message that are read at a time.
const PIECE: usize = 64 << 10;
/// Octets of text in which passwords are looked for.
const MAX_TEXT: usize = 64 << 10;

/// Looks into some parts of a message, by their places.
pub(super) async fn look(
    shared: &Arc<Shared>,
    message: &dyn MessageOctets,
    wanted: &[usize],
) -> Result<Vec<Looked>, LookError> {
    let mut all = Vec::new();
    if wanted.is_empty() {
        return Ok(all);
    }
    let max = usize::try_from(shared.contents.max_part).unwrap_or(usize::MAX);
    let mut collector = Collector::new(wanted, max);
    let mut walker = Walker::new(shared.limits);
    let (mut offset, mut room) = (0, vec![0; PIECE]);
    let mut passwords: Option<Vec<String>> = None;
    loop {
        let count = message.read_at(offset, &mut room)?;
        offset += count as u64;
        walker.push(room.get(..count).unwrap_or_default(), &mut collector);
        if count == 0 {
            walker.finish(&mut collector);
        }
        for part in collector.take() {
            let part = Arc::new(part);
            let known = passwords.clone().unwrap_or_default();
            let mut looked = unpack_aside(shared, &part, known).await?;
            if passwords.is_none() && looked.is_encrypted() {
                let named = passwords_of(shared, message)?;
                if !named.is_empty() {
                    looked = unpack_aside(shared, &part, named.clone()).await?;
                }
                passwords = Some(named);
            }
            all.push(looked);
        }
        if count == 0 {
            return Ok(all);
        }
    }
}

/// Why a part could not be looked into. None of it is a verdict on the part.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    /// The message could not be read where it is held.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Whoever was to unpack it did not.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// Unpacks a part where it disturbs nobody.
async fn unpack_aside(
    shared: &Arc<Shared>,
    part: &Arc<Collected>,
    passwords: Vec<String>,
) -> Result<Looked, LookError> {
    let (index, number) = (part.index, part.header.number.clone());
    let mut lane = shared.lanes.enter().await;
    let (shared, part) = (Arc::clone(shared), Arc::clone(part));
    let unpacked = tokio::task::spawn_blocking(move || unpack(&shared, &part, passwords, &mut lane));
    match unpacked.await {
        Ok(Err(error)) if error.is_final() => {
            Ok(Looked::without(index, number, content::Finding::Unsupported(Unsupported::KillsDecoders)))
        }
        Ok(looked) => Ok(looked?),
        Err(error) => {
            // A decoder that gives up on octets has not read them.
            tracing::error!(%error, part = number, "a part could not be unpacked");
            Ok(Looked::without(index, number, content::Finding::Unsupported(Unsupported::Damaged)))
        }
    }
}

fn unpack(
    shared: &Shared,
    part: &Collected,
    passwords: Vec<String>,
    lane: &mut Lane,
) -> Result<Looked, WorkerError> {
    let number = part.header.number.clone();
    if part.is_too_large {
        let limit = content::Finding::LimitExceeded(Limit::Part);
        return Ok(Looked::without(part.index, number, limit));
    }
    let question = Question {
        structure_only: false,
        part: number,
        media_type: effective_type(&part.header.media_type, &part.header.names).to_owned(),
        passwords,
        limits: shared.contents,
        digests: shared.digests,
        lengths: part.readings.iter().map(|octets| octets.len() as u64).collect(),
    };
    let answer = match &shared.workers {
        Some(workers) => workers.unpack(&question, &part.readings, lane)?,
        None => unpack::unpack(&question, part.readings.iter().map(Vec::as_slice)),
    };
    // Rules are asked about every member; those that nobody needs to hear of are forgotten behind that.
    let most = if shared.rules.is_empty() { MAX_RECORDS } else { usize::MAX };
    let looks = Looks { lists: &shared.lists, executables: shared.executables, most };
    let mut looked = Looked { index: part.index, ..Looked::default() };
    for Unpacked { contents, members, .. } in answer {
        for member in members {
            looked.enter(looks, member);
        }
        looked.members += contents.members;
        looked.kinds.extend(contents.kinds);
        looked.findings.extend(contents.findings);
    }
    Ok(looked)
}

impl Looked {
    /// Nothing was seen, for this reason.
    fn without(index: usize, number: String, why: content::Finding) -> Self {
        Self { index, findings: vec![(why, number)], ..Self::default() }
    }

    /// What this weighs where it is remembered.
    pub(super) fn weight(&self) -> usize {
        self.records.len() + self.found.len() + self.findings.len()
    }

    /// Whether the same octets come to the same another time: no time, limit or password of this message was in it.
    pub(super) fn is_lasting(&self) -> bool {
        self.findings.iter().all(|(finding, _)| match finding {
            content::Finding::Encrypted
            | content::Finding::LimitExceeded(_)
            | content::Finding::Unsupported(Unsupported::KillsDecoders)
            | content::Finding::Trait(content::Trait::OpenedByPassword) => false,
            content::Finding::Unsupported(_)
            | content::Finding::Ambiguous(_)
            | content::Finding::Trait(_) => true,
        })
    }

    /// In a word or two.
    pub(super) fn verdict(&self) -> Option<String> {
        let found = self.found.first().map(|found| format!("infected: {}", found.name));
        let is_trait = |finding: &content::Finding| matches!(finding, content::Finding::Trait(_));
        found.or_else(|| {
            self.findings.iter().find(|(finding, _)| !is_trait(finding)).map(|(finding, _)| finding.name())
        })
    }

    /// The same in another message, in which the part has another place and number.
    pub(super) fn moved(&self, index: usize, from: &str, to: &str) -> Self {
        let mut moved = Self { index, ..self.clone() };
        let renumber = |number: &mut String| {
            if let Some(rest) = number.strip_prefix(from) {
                *number = format!("{to}{rest}");
            }
        };
        moved.records.iter_mut().for_each(|record| renumber(&mut record.part));
        moved.findings.iter_mut().for_each(|(_, place)| renumber(place));
        moved
            .found
            .iter_mut()
            .filter_map(|found| found.part.as_mut())
            .for_each(|part| renumber(&mut part.number));
        moved
    }

    fn is_encrypted(&self) -> bool {
        self.findings.iter().any(|(finding, _)| *finding == content::Finding::Encrypted)
    }

    /// Takes one member.
    fn enter(&mut self, looks: Looks<'_>, member: SeenMember) {
        let SeenMember { part, names, encoding, kinds, seen } = member;
        let place = FoundIn { number: part.clone(), name: file_name(&names) };
        let mut record = PartRecord { part, names, encoding, ..PartRecord::default() };
        match seen {
            Seen::Read { octets, digests, has_eicar } => {
                let listed = looks.lists.find(&digests).map(str::to_owned);
                let scanned = Scanned { octets, digests: &digests, kinds: &kinds, has_eicar, listed };
                for name in looks.fill(&mut record, scanned) {
                    if self.found.len() < MAX_FOUND {
                        self.found.push(Finding { name, part: Some(place.clone()) });
                    }
                }
            }
            Seen::Unread(why) => record.stages = stage::all_skipped(&why.name()),
        }
        self.keep(record, looks.most);
    }

    fn keep(&mut self, record: PartRecord, most: usize) {
        if self.records.len() < most {
            self.records.push(record);
        }
    }
}

/// Enters what was found into the records, and gives what a decision needs to know.
pub(super) fn enter(
    looked: Vec<Looked>,
    parts: &mut Vec<PartRecord>,
    found: &mut Vec<Finding>,
) -> Vec<(content::Finding, String)> {
    let mut all = Vec::new();
    // From the last to the first, so that places stay true.
    for mut looked in looked.into_iter().rev() {
        let Some(part) = parts.get_mut(looked.index) else { continue };
        // The whole tells more exactly what the first octets told: a document, and no longer a zip.
        if !looked.kinds.is_empty() {
            part.kinds.clear();
        }
        for kind in looked.kinds.iter().map(|kind| kind.name()) {
            if !part.kinds.iter().any(|known| known == kind) {
                part.kinds.push(kind.to_owned());
            }
        }
        stage::set(&mut part.stages, stage::TYPE, ran(&part.kinds.join(", ")));
        if looked.members > 0 || looked.kinds.iter().any(|kind| kind.is_container()) {
            stage::set(&mut part.stages, stage::ARCHIVE, ran(&members_text(&looked)));
        }
        rows_of_findings(part, &looked.findings);
        name_the_only_member(part, &mut looked.records);
        for record in &mut looked.records {
            rows_of_findings(record, &looked.findings);
        }
        let at = looked.index + 1;
        parts.splice(at..at, looked.records);
        found.splice(0..0, looked.found);
        all.splice(0..0, looked.findings);
    }
    all
}

/// What is compressed as a whole gets the name of the part, less its end: some readers write it under that name, whatever
/// it is called within. So do those of signed files.
fn name_the_only_member(part: &PartRecord, records: &mut [PartRecord]) {
    let Some(first) = records.first_mut() else { return };
    if ["bzip2", "xz", "lzip", "lzma", "zstd", "gzip", "signed"].contains(&first.encoding.as_str()) {
        let without_end =
            |name: &String| Some(name.trim_end_matches(['.', ' ']).rsplit_once('.')?.0.to_owned());
        for name in part.names.iter().filter_map(without_end) {
            if !first.names.contains(&name) {
                first.names.push(name);
            }
        }
    }
}

fn members_text(looked: &Looked) -> String {
    match looked.members {
        1 => "1 member".to_owned(),
        count if looked.records.len().min(MAX_RECORDS) < count => {
            format!("{count} members, the first {} are recorded", looked.records.len().min(MAX_RECORDS))
        }
        count => format!("{count} members"),
    }
}

/// Writes what was come upon in a container into its rows.
fn rows_of_findings(record: &mut PartRecord, findings: &[(content::Finding, String)]) {
    let names: Vec<String> = findings
        .iter()
        .filter(|(_, place)| *place == record.part)
        .map(|(finding, _)| finding.name())
        .collect();
    if names.is_empty() {
        return;
    }
    let row = record.stages.iter_mut().find(|(name, _)| name == stage::ARCHIVE);
    let Some((_, result)) = row else { return };
    let so_far = result.strip_prefix("ran(").and_then(|result| result.strip_suffix(')'));
    let so_far: Vec<&str> = so_far.into_iter().collect();
    *result = ran(&so_far.into_iter().map(str::to_owned).chain(names).collect::<Vec<_>>().join("; "));
}

/// It was not looked into. What follows is the same as for an engine that is away.
pub(super) fn not_looked_into(error: &LookError) -> EngineReport {
    let cause = error.to_string();
    let error = match error {
        LookError::Read(_) => EngineError::Unreadable { cause },
        LookError::Worker(WorkerError::Start { .. } | WorkerError::Killed) => {
            EngineError::Unreachable { cause }
        }
        LookError::Worker(WorkerError::TimedOut) => EngineError::TimedOut,
        LookError::Worker(WorkerError::Crowded) => EngineError::Busy,
        LookError::Worker(WorkerError::Died { .. } | WorkerError::Poisonous) => EngineError::Cut { cause },
    };
    let outcome = EngineOutcome::Error(error);
    EngineReport { engine: "contents".to_owned(), version: None, outcome, micros: 0 }
}

/// Words of a message's texts that may be passwords.
fn passwords_of(shared: &Shared, message: &dyn MessageOctets) -> io::Result<Vec<String>> {
    let mut texts = Texts::default();
    let mut walker = Walker::new(shared.limits);
    let (mut offset, mut room) = (0, vec![0; PIECE]);
    loop {
        let count = message.read_at(offset, &mut room)?;
        if count == 0 {
            walker.finish(&mut texts);
            let text = String::from_utf8_lossy(&texts.text);
            return Ok(password::candidates(&text, shared.contents.max_passwords));
        }
        offset += count as u64;
        walker.push(room.get(..count).unwrap_or_default(), &mut texts);
    }
}

/// Takes the texts of a message.
#[derive(Debug, Default)]
struct Texts {
    text: Vec<u8>,
    is_text: bool,
}

impl PartSink for Texts {
    fn begin(&mut self, part: PartHeader) {
        self.is_text = part.media_type.starts_with("text/");
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        if self.is_text && reading == 0 {
            let room = MAX_TEXT.saturating_sub(self.text.len());
            self.text.extend_from_slice(octets.get(..octets.len().min(room)).unwrap_or_default());
        }
    }

    fn end(&mut self) {
        self.text.push(b'\n');
    }
}

/// A part, decoded.
#[derive(Debug)]
pub(super) struct Collected {
    /// Its place among the parts.
    pub(super) index: usize,
    header: PartHeader,
    /// Its octets, in each way to read it; none if they are too many.
    pub(super) readings: Vec<Vec<u8>>,
    pub(super) is_too_large: bool,
}

/// Takes the octets of some parts.
#[derive(Debug, Default)]
pub(super) struct Collector {
    wanted: HashSet<usize>,
    max: usize,
    /// Parts that have begun.
    begun: usize,
    open: Option<Collected>,
    done: Vec<Collected>,
}

impl Collector {
    /// For the parts at these places, of so many octets at most.
    pub(super) fn new(wanted: &[usize], max: usize) -> Self {
        Self { wanted: wanted.iter().copied().collect(), max, ..Self::default() }
    }

    /// Those that have ended since the last time.
    pub(super) fn take(&mut self) -> Vec<Collected> {
        std::mem::take(&mut self.done)
    }
}

impl PartSink for Collector {
    fn begin(&mut self, header: PartHeader) {
        let index = self.begun;
        self.begun += 1;
        self.open = self.wanted.contains(&index).then(|| {
            let readings = header.encodings.iter().map(|_| Vec::new()).collect();
            Collected { index, header, readings, is_too_large: false }
        });
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let Some(content) = open.readings.get_mut(reading).filter(|_| !open.is_too_large) else { return };
        if content.len() + octets.len() > self.max {
            open.is_too_large = true;
            open.readings.iter_mut().for_each(|reading| *reading = Vec::new());
        } else {
            content.extend_from_slice(octets);
        }
    }

    fn end(&mut self) {
        self.done.extend(self.open.take());
    }
}
