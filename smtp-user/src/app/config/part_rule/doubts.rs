//! Rules on parts of which somebody should look at: such as never match, and such as let everything pass.

use std::ops::Range;

use crate::app::config::part_rule::PartRuleTable;
use crate::app::config::problem::ConfigProblem;
use crate::policy::part_action::PartAction;
use crate::policy::part_rule::{PartRule, unreachable};

/// What is doubtful about rules, and where.
pub(crate) fn doubts(tables: &[PartRuleTable], engines: &[&str]) -> Vec<(Range<usize>, ConfigProblem)> {
    let rules: Vec<PartRule> = tables.iter().map(|table| table.rule.clone()).collect();
    let mut found = Vec::new();
    for (rule, by) in unreachable(&rules) {
        let place = tables.iter().find(|table| table.rule.name == rule).map(|table| table.name_span.clone());
        let problem = ConfigProblem::PartRuleUnreachable { rule: rule.to_owned(), by: by.to_owned() };
        found.push((place.unwrap_or_default(), problem));
    }
    for PartRuleTable { rule, name_span } in tables {
        let mut doubt = |problem| found.push((name_span.clone(), problem));
        let name = || rule.name.clone();
        if rule.action == PartAction::Allow && rule.matches_everything() {
            doubt(ConfigProblem::PartRuleAllowsAll { rule: name() });
        }
        if !rule.engines.iter().any(|engine| engines.contains(&engine.as_str()))
            && let Some(engine) = rule.engines.first().cloned()
        {
            doubt(ConfigProblem::NoSuchEngine { rule: name(), engine });
        }
        if rule.archive_member == Some(true) && !rule.types.is_empty() {
            doubt(ConfigProblem::MemberWithType { rule: name() });
        }
    }
    found
}
