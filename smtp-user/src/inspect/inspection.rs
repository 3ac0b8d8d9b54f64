//! One message under inspection.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::engine::eicar::{EICAR_NAME, EicarMatcher};
use crate::engine::outcome::{EngineError, EngineOutcome, EngineReport};
use crate::event::session_event::PartRecord;
use crate::inspect::cache;
use crate::inspect::combine::{Combined, Finding, Seen, combine};
use crate::inspect::contents;
use crate::inspect::inspector::Shared;
use crate::inspect::judgement::Judgement;
use crate::inspect::located::{Located, locate};
use crate::inspect::memory::Memory;
use crate::inspect::part_scan::PartScanner;
use crate::inspect::ruled;
use crate::inspect::second_reading::{Second, second_reading};
use crate::inspect::stage::{self, ran, skipped};
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::message_octets::MessageOctets;
use crate::model::session_id::MessageId;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::walk::Walker;

/// One message under inspection.
#[derive(Debug)]
pub struct Inspection {
    shared: Arc<Shared>,
    octets: u64,
    /// Looks at the octets as they come, so that nothing hides outside the parts.
    raw: EicarMatcher,
    walker: Walker,
    parts: PartScanner,
    /// Parts that rules are not asked about.
    replaced: Vec<String>,
    /// Its name, if it has one.
    name: Option<MessageId>,
    /// Lists when it began: those that it is looked up in are as new, or newer.
    lists: Vec<(String, String)>,
    /// Otherwise its octets are counted, and that is all.
    looks: bool,
}

/// Octets looked at in one go, so that they stay in the processor's cache.
const PIECE: usize = 32 << 10;

impl Inspection {
    pub(crate) fn new(shared: Arc<Shared>, replaced: Vec<String>, looks: bool) -> Self {
        let walker = Walker::new(shared.limits);
        let parts = PartScanner::new(
            Arc::clone(&shared.lists),
            Arc::clone(&shared.links),
            shared.digests,
            shared.executables,
        );
        let lists = if looks { shared.list_versions() } else { Vec::new() };
        Self {
            shared,
            lists,
            looks,
            octets: 0,
            raw: EicarMatcher::default(),
            walker,
            parts,
            replaced,
            name: None,
        }
    }

    /// Says the message's name, under which it is told later that its parts came before.
    pub fn call(&mut self, name: MessageId) {
        self.name = Some(name);
    }

    /// Takes the next octets of the message. Costs time in proportion to them, and bounded memory.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        if !self.looks {
            return;
        }
        for piece in octets.chunks(PIECE) {
            self.raw.push(piece);
            self.walker.push(piece, &mut self.parts);
        }
    }

    /// Ends the message and decides. `message` holds what was pushed; engines read it there.
    pub async fn judge(mut self, message: &dyn MessageOctets) -> Judgement {
        if !self.looks {
            return Judgement::unlooked(not_to_be_looked_at(), self.octets);
        }
        self.walker.finish(&mut self.parts);
        let whole = message.len() == self.octets;
        let engines = join_all(self.shared.engines.iter().map(|engine| async move {
            let when_down = engine.config().when_down.clone();
            let report = engine.scan(message).await;
            // What was looked at here and what engines look at must be the same.
            (if whole { report } else { mismatch(report) }, when_down)
        }))
        .await;
        let PartScanner {
            mut parts,
            mut findings,
            worth_a_look,
            spans,
            identities,
            has_message_as_message,
            ..
        } = self.parts;
        let mut engines = engines;
        let located =
            if whole { locate(&self.shared, message, &parts, &mut engines).await } else { Vec::new() };
        let mut defects = self.walker.defects().to_vec();
        let second = if has_message_as_message {
            // The other reader is known to lose its way there.
            Ok(Second::Skipped("a message that is nothing but another one"))
        } else {
            second_reading(&self.shared, message, spans, &defects).await
        };
        let versions = cache::versions(engines.iter().map(|(report, _)| report));
        let memory = Memory::recall(&self.shared, &identities, versions.as_deref());
        memory.enter(&mut parts);
        let looked = contents::look(&self.shared, message, &memory.unknown(&worth_a_look)).await;
        let within = match looked {
            Ok(mut looked) => {
                memory.keep(&self.shared, self.name, &parts, &findings, &looked, &worth_a_look);
                memory.add(&worth_a_look, &parts, &mut looked);
                contents::enter(looked, &mut parts, &mut findings)
            }
            Err(error) => {
                engines.push((contents::not_looked_into(&error), MessageAction::Defer));
                Vec::new()
            }
        };
        match second {
            Ok(Second::Same) => {}
            Ok(Second::Differs(defect, part)) => defects.push((defect, part)),
            Ok(Second::Skipped(why)) => one_reader_only(&mut parts, why),
            Err(error) => engines.push((contents::not_looked_into(&error), MessageAction::Defer)),
        }
        if self.raw.found() && findings.is_empty() {
            findings.push(Finding { name: EICAR_NAME.to_owned(), part: None });
        }
        let Shared { rules, actions, rewriting, .. } = self.shared.as_ref();
        let seen = Seen {
            findings: &findings,
            defects: &defects,
            contents: &within,
            engines: &engines,
            located: &located,
            ruled: &[],
        };
        let ruled = ruled::ask(rules, &parts, seen, &self.replaced);
        let Combined { decision, rule, ban_for } =
            combine(Seen { ruled: &ruled, ..seen }, actions, rewriting);
        let rewrites = decision.action == MessageAction::Rewrite;
        let changes = if rewrites { ruled::changes(&ruled) } else { Vec::new() };
        add_structure(&mut parts, &defects);
        add_engines(&mut parts, &engines, &located);
        ruled::enter(!rules.is_empty(), &ruled, &self.replaced, &mut parts);
        ruled::trim(&ruled, &mut parts, contents::MAX_RECORDS);
        let goes_on_as_it_came = decision.action == MessageAction::Pass && self.replaced.is_empty();
        let judgement = Judgement {
            decision,
            rule,
            ban_for,
            changes,
            parts,
            engines: engines.iter().map(|(report, _)| report.event()).collect(),
            lists: self.lists,
            sha256: String::new(),
            octets: self.octets,
        };
        if goes_on_as_it_came { judgement } else { judgement.with_digest(message).await }
    }
}

/// What follows where nobody is to look.
fn not_to_be_looked_at() -> Decision {
    Decision {
        verdict: MessageVerdict::NotInspected,
        action: MessageAction::Pass,
        why: "its resource has `inspection = \"none\"`".to_owned(),
    }
}

fn mismatch(report: EngineReport) -> EngineReport {
    let cause = "it is not as long as what was received".to_owned();
    EngineReport { outcome: EngineOutcome::Error(EngineError::Unreadable { cause }), ..report }
}

/// Writes what is wrong with the form of a part into its record.
fn add_structure(parts: &mut [PartRecord], defects: &[(Defect, String)]) {
    for part in parts {
        let names: Vec<_> = defects
            .iter()
            .filter(|(_, number)| *number == part.part)
            .map(|(defect, _)| defect.name())
            .collect();
        if !names.is_empty() {
            stage::set(&mut part.stages, stage::STRUCTURE, ran(&names.join(", ")));
        }
    }
}

/// Says of parts that no second reader looked at that only ours did.
fn one_reader_only(parts: &mut [PartRecord], why: &str) {
    for part in parts {
        if part.stages.iter().any(|(name, result)| name == stage::STRUCTURE && *result == ran("sound")) {
            stage::set(&mut part.stages, stage::STRUCTURE, ran(&format!("sound to one reader: {why}")));
        }
    }
}

/// Engines look at the message as a whole, and so at each part; and at parts alone once they have found something.
fn add_engines(parts: &mut [PartRecord], engines: &[(EngineReport, MessageAction)], located: &[Located]) {
    for part in parts {
        for (report, _) in engines {
            let alone = located.iter().find(|located| located.engine == report.engine);
            let alone = alone.and_then(|located| located.row(&part.part));
            let result = match (&report.outcome, alone) {
                (EngineOutcome::Error(_), _) => skipped("engine error"),
                (_, Some(alone)) => ran(&alone),
                (outcome, None) => ran(&format!("whole message: {}", outcome.name())),
            };
            part.stages.push((stage::engine(&report.engine), result));
        }
    }
}

#[cfg(test)]
mod tests;
