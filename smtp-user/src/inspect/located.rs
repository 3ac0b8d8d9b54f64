//! Which part it is that an engine found something in: once it has, it is asked about the parts one by one.
//!
//! Mail in which nothing is found costs nothing for it. What no part alone accounts for stays with the message, and so
//! does everything where not every part could be asked.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::engine::outcome::{EngineOutcome, EngineReport};
use crate::engine::remote::Engine;
use crate::event::session_event::PartRecord;
use crate::inspect::combine::FoundIn;
use crate::inspect::contents::Collector;
use crate::inspect::inspector::Shared;
use crate::inspect::part_scan::file_name;
use crate::model::decision::MessageAction;
use crate::model::message_octets::MessageOctets;
use crate::wire::mime::walk::Walker;

/// Where an engine found something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Its name.
    pub engine: String,
    /// What it found in parts alone: an infection, or something that needs a key.
    pub found: Vec<(FoundIn, EngineOutcome)>,
    /// Whether it was asked about every part, answered each time, and found something: then nothing is left that the
    /// message would have beside its parts.
    pub is_all: bool,
    /// What it said of each part.
    pub(super) said: HashMap<String, EngineOutcome>,
}

/// Parts that are asked about at most.
const MAX_PARTS: usize = 50;
/// Octets that are read at a time.
const PIECE: usize = 64 << 10;
/// How long it may take, beyond twice what the question about the whole message took.
const TIME: Duration = Duration::from_secs(2);
/// How long it may take in any case: the verdict waits for it.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Asks the engines that found something about the parts, and those that make nothing of the whole; what the latter find
/// is in their reports then, too. `parts` are those of the message, without members.
pub(super) async fn locate(
    shared: &Arc<Shared>,
    message: &dyn MessageOctets,
    parts: &[PartRecord],
    reports: &mut [(EngineReport, MessageAction)],
) -> Vec<Located> {
    let mut finders: Vec<(&Engine, Located)> = Vec::new();
    let (mut time, mut always) = (TIME, Duration::ZERO);
    for (engine, (report, _)) in shared.engines.iter().zip(&*reports) {
        let took = Duration::from_micros(report.micros);
        // Who takes long over a message takes too long over each part.
        if is_found(&report.outcome) && took <= MAX_TIME / 4 && !engine.wants_parts() {
            time += 2 * took;
            finders.push((engine, Located { engine: report.engine.clone(), ..Located::default() }));
        }
    }
    let wanted: Vec<usize> =
        parts.iter().enumerate().filter(|(_, part)| part.octets > 0).map(|(index, _)| index).collect();
    if wanted.len() > MAX_PARTS {
        finders.clear();
    }
    time = time.min(MAX_TIME);
    for (engine, (report, _)) in shared.engines.iter().zip(&*reports) {
        // Whatever it is that it could not be asked about, it has not seen the message.
        if engine.wants_parts() && !matches!(report.outcome, EngineOutcome::Error(_)) {
            always = always.max(engine.config().deadline);
            finders.push((engine, Located { engine: report.engine.clone(), ..Located::default() }));
        }
    }
    if finders.is_empty() || wanted.is_empty() {
        return Vec::new();
    }
    let asking = ask_all(shared, message, parts, &wanted, &mut finders);
    let all = match tokio::time::timeout(time.max(always), asking).await {
        Ok(Ok(all)) => all,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a message cannot be read part by part");
            false
        }
        Err(_) => false,
    };
    let settle = |(engine, mut located): (&Engine, Located)| {
        let answered = located.said.values().all(|said| !matches!(said, EngineOutcome::Error(_)));
        located.is_all = all && answered && !located.found.is_empty();
        if engine.wants_parts() {
            let report = reports.iter_mut().map(|(report, _)| report).find(|it| it.engine == located.engine);
            located.tell(report, all);
        }
        located
    };
    finders.into_iter().map(settle).collect()
}

/// What can be looked for in parts. A limit that was met says nothing of where.
const fn is_found(outcome: &EngineOutcome) -> bool {
    matches!(outcome, EngineOutcome::Infected(_) | EngineOutcome::Encrypted(_))
}

/// Asks about each part as it is decoded; says whether that was all of each.
async fn ask_all(
    shared: &Shared,
    message: &dyn MessageOctets,
    parts: &[PartRecord],
    wanted: &[usize],
    finders: &mut [(&Engine, Located)],
) -> io::Result<bool> {
    let max = usize::try_from(shared.contents.max_part).unwrap_or(usize::MAX);
    let mut collector = Collector::new(wanted, max);
    let mut walker = Walker::new(shared.limits);
    let (mut offset, mut room, mut all) = (0, vec![0; PIECE], true);
    loop {
        let count = message.read_at(offset, &mut room)?;
        offset += count as u64;
        walker.push(room.get(..count).unwrap_or_default(), &mut collector);
        if count == 0 {
            walker.finish(&mut collector);
        }
        for part in collector.take() {
            all &= !part.is_too_large;
            let Some(record) = parts.get(part.index) else { continue };
            for reading in &part.readings {
                let asked = finders.iter_mut().map(|(engine, located)| async move {
                    located.enter(record, engine.scan_part(reading).await.outcome);
                });
                join_all(asked).await;
            }
        }
        if count == 0 {
            return Ok(all);
        }
    }
}

impl Located {
    /// Takes note of what was said of one way to read a part; what was found in any of them counts.
    fn enter(&mut self, part: &PartRecord, outcome: EngineOutcome) {
        if is_found(&outcome) {
            let place = FoundIn { number: part.part.clone(), name: file_name(&part.names) };
            if !self.found.iter().any(|known| known.0 == place && known.1 == outcome) {
                self.found.push((place, outcome.clone()));
            }
        }
        let known = self.said.get(&part.part);
        if known.is_none_or(|known| *known == EngineOutcome::Clean) {
            self.said.insert(part.part.clone(), outcome);
        }
    }

    /// Makes the report on the message of what was said of its parts.
    fn tell(&self, report: Option<&mut EngineReport>, all: bool) {
        let Some(report) = report.filter(|report| report.outcome == EngineOutcome::Clean) else { return };
        let found = self.found.first().map(|(_, outcome)| outcome);
        let other = self.said.values().find(|said| **said != EngineOutcome::Clean);
        if let Some(outcome) = found.or(other) {
            report.outcome = outcome.clone();
        } else if !all {
            report.outcome = EngineOutcome::LimitExceeded("not every part was looked at".to_owned());
        }
    }

    /// For the row of a part; `None` if it was not asked about.
    pub(super) fn row(&self, part: &str) -> Option<String> {
        let outcome = self.said.get(part)?;
        Some(match outcome {
            EngineOutcome::Infected(name) => format!("{}: {name}", outcome.name()),
            _ => outcome.name().to_owned(),
        })
    }
}
