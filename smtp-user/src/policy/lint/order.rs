//! Findings about the order of rules: which are never reached, and whether something always matches.

use crate::policy::lint::extent::Extent;
use crate::policy::lint::{Finding, FindingKind};
use crate::policy::packet_rules::PacketRules;

/// For each rule, the finding that it is never reached.
pub(super) fn shadowed(rules: &PacketRules) -> Vec<Option<Finding>> {
    let extents: Vec<Extent<'_>> = rules.iter().map(Extent::of).collect();
    let mut findings = Vec::with_capacity(extents.len());
    for ((position, rule), extent) in rules.iter().enumerate().zip(&extents) {
        let earlier = extents.get(..position).unwrap_or_default();
        let by: Vec<String> = extent
            .covered_by(earlier)
            .into_iter()
            .filter_map(|other| rules.as_slice().get(other))
            .map(|other| other.name.clone())
            .collect();
        findings.push((!by.is_empty()).then(|| {
            let mut names = vec![rule.name.clone()];
            names.extend(by.iter().cloned());
            Finding { rules: names, key: "name", kind: FindingKind::Shadowed { by } }
        }));
    }
    findings
}

/// The finding that some traffic matches no rule.
pub(super) fn no_terminal_rule(rules: &PacketRules) -> Option<Finding> {
    let extents: Vec<Extent<'_>> = rules.iter().map(Extent::of).collect();
    let open = Extent::everything().covered_by(&extents).is_empty();
    open.then(|| Finding { rules: Vec::new(), key: "rule", kind: FindingKind::NoTerminalRule })
}
