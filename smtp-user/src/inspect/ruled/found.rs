//! What was found out about each part and what is in it.

use std::collections::HashMap;

use crate::content::{self, Trait};
use crate::engine::outcome::EngineOutcome;
use crate::inspect::combine::Seen;
use crate::model::decision::MessageVerdict;
use crate::wire::mime::defect::DefectKind;

/// What was found out about a part and what is in it: each thing once.
#[derive(Debug, Default)]
pub(super) struct Found<'s> {
    pub(super) verdicts: Vec<MessageVerdict>,
    pub(super) findings: Vec<&'s str>,
    pub(super) traits: Vec<Trait>,
    /// Engines that found something in it alone.
    pub(super) engines: Vec<&'s str>,
}

/// Names of findings in a part that are remembered.
const MAX_FINDINGS: usize = 32;

/// By place. Time is in proportion to what was found, whatever the number of parts.
pub(super) fn found(seen: Seen<'_>) -> HashMap<&str, Found<'_>> {
    let mut at = HashMap::new();
    for finding in seen.findings {
        let Some(part) = &finding.part else { continue };
        each(&mut at, &part.number, |found| {
            add(&mut found.verdicts, MessageVerdict::Infected);
            if found.findings.len() < MAX_FINDINGS {
                add(&mut found.findings, finding.name.as_str());
            }
        });
    }
    for located in seen.located {
        for (part, outcome) in &located.found {
            each(&mut at, &part.number, |found| {
                add(&mut found.engines, located.engine.as_str());
                if let EngineOutcome::Infected(name) = outcome {
                    add(&mut found.verdicts, MessageVerdict::Infected);
                    if found.findings.len() < MAX_FINDINGS {
                        add(&mut found.findings, name.as_str());
                    }
                } else {
                    add(&mut found.verdicts, MessageVerdict::Encrypted);
                }
            });
        }
    }
    for (defect, part) in seen.defects {
        let verdict = of_form(defect.kind());
        each(&mut at, part, |found| add(&mut found.verdicts, verdict));
    }
    for (finding, part) in seen.contents {
        match (of_content(*finding), finding) {
            (Some(verdict), _) => each(&mut at, part, |found| add(&mut found.verdicts, verdict)),
            (None, content::Finding::Trait(has)) => each(&mut at, part, |found| add(&mut found.traits, *has)),
            (None, _) => {}
        }
    }
    at
}

/// What follows from a defect of the form.
pub(in crate::inspect) const fn of_form(kind: DefectKind) -> MessageVerdict {
    match kind {
        DefectKind::Ambiguous => MessageVerdict::Ambiguous,
        DefectKind::Unsupported => MessageVerdict::Unsupported,
        DefectKind::LimitExceeded => MessageVerdict::LimitExceeded,
    }
}

/// What follows from what was come upon in content; `None` if nothing does.
pub(in crate::inspect) const fn of_content(finding: content::Finding) -> Option<MessageVerdict> {
    match finding {
        content::Finding::Encrypted => Some(MessageVerdict::Encrypted),
        content::Finding::LimitExceeded(_) => Some(MessageVerdict::LimitExceeded),
        content::Finding::Unsupported(_) => Some(MessageVerdict::Unsupported),
        content::Finding::Ambiguous(_) => Some(MessageVerdict::Ambiguous),
        content::Finding::Trait(_) => None,
    }
}

/// Does something for a place, and for everything that it is in.
fn each<'s>(at: &mut HashMap<&'s str, Found<'s>>, place: &'s str, mut with: impl FnMut(&mut Found<'s>)) {
    let mut place = Some(place);
    while let Some(here) = place {
        with(at.entry(here).or_default());
        place = here.rsplit_once('/').map(|(outer, _)| outer);
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
