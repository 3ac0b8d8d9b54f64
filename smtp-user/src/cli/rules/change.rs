//! A change of the rules: read what is active, edit, check, install, and tell what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::app::config::{LoadError, RuleFile};
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::mistake::CommandError;
use crate::cli::output;
use crate::cli::quantity::counted;
use crate::cli::rules::row::{self, RuleRow};
use crate::packet_path::stats::RuleCounts;
use crate::packet_path::{interface, ports, rule_base};
use crate::policy::compile::MissingInterface;
use crate::policy::lint::{Finding, LintContext, Severity, lint};
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::{PacketRules, Place, RuleRef, RulesError};

/// What is done with the list.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// A rule more.
    Add {
        /// The rule.
        rule: PacketRule,
        /// Where.
        place: Place,
    },
    /// A rule less.
    Remove {
        /// Which.
        rule: RuleRef,
    },
    /// A rule elsewhere.
    Move {
        /// Which.
        rule: RuleRef,
        /// Where to.
        place: Place,
    },
    /// Other rules altogether.
    Replace {
        /// Those.
        rules: PacketRules,
    },
}

impl Edit {
    /// The rules of a file; a file with any mistake is refused whole.
    pub(super) fn load(file: &Path) -> Result<Self, LoadError> {
        Ok(Self::Replace { rules: RuleFile::load(file)?.rules })
    }

    /// The list after it.
    pub(super) fn result(&self, active: &PacketRules) -> Result<PacketRules, RulesError> {
        let mut rules = active.clone();
        match self {
            Self::Add { rule, place } => {
                rules.add(rule.clone(), place, &BTreeSet::new())?;
            }
            Self::Remove { rule } => {
                rules.remove(rule)?;
            }
            Self::Move { rule, place } => {
                rules.move_to(rule, place)?;
            }
            Self::Replace { rules: other } => return other.clone().keep_ids(active),
        }
        Ok(rules)
    }
}

/// Makes a change active, unless it only is to be shown.
pub(super) fn apply(gateway: &GatewayArgs, edit: &Edit, dry_run: bool) -> anyhow::Result<()> {
    let maps = gateway.open()?;
    // From reading to installing nobody else may change the rules.
    let _lock = rule_base::lock(&maps)?;
    let active = rule_base::active_rules(&maps)?;
    let rules = edit.result(&active)?;
    let names: Vec<String> = ports::list(&maps)?.iter().map(ports::name).collect();
    let warnings = check(&rules, &active, &names)?;
    let interfaces = interface::list()?;
    let (revision, missing) = if dry_run {
        let image = rule_base::image(&rules, &interfaces)?;
        (maps.active()?.policy(), image.missing_interfaces)
    } else {
        let installed = rule_base::install(&maps, &rules, &interfaces)?;
        (installed.revision, installed.missing_interfaces)
    };
    let rows = RuleRow::all(&rules, &RuleCounts::open(&maps)?)?;
    let change = Change {
        installed: !dry_run,
        policy_revision: revision,
        warnings,
        missing_interfaces: missing,
        rules: rows,
    };
    if gateway.json {
        output::json(&change)?;
    } else {
        output::text(&change.text())?;
    }
    Ok(())
}

/// Refuses rules with errors that the active ones do not have; gives the warnings otherwise.
pub(super) fn check(
    rules: &PacketRules,
    active: &PacketRules,
    interfaces: &[String],
) -> Result<Vec<String>, CommandError> {
    let context = LintContext { interfaces: Some(interfaces), resources: None };
    let before = lint(active, &context);
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
        lint(rules, &context).into_iter().partition(|finding| finding.severity() == Severity::Error);
    let new: Vec<String> = errors.iter().filter(|finding| !before.contains(finding)).map(sentence).collect();
    if new.is_empty() {
        Ok(errors.iter().chain(&warnings).map(sentence).collect())
    } else {
        Err(CommandError::Refused { findings: new })
    }
}

fn sentence(finding: &Finding) -> String {
    match finding.kind.suggestion() {
        Some(suggestion) => format!("{finding}; write `{suggestion}`"),
        None => finding.to_string(),
    }
}

/// What came of a change.
#[derive(Debug, Serialize)]
struct Change {
    installed: bool,
    policy_revision: u16,
    warnings: Vec<String>,
    missing_interfaces: Vec<MissingInterface>,
    rules: Vec<RuleRow>,
}

impl Change {
    /// For people. Writing to a string does not fail.
    fn text(&self) -> String {
        let mut text = if self.installed {
            format!(
                "Policy revision {} is active, with {}.\n",
                self.policy_revision,
                counted(self.rules.len(), "rule")
            )
        } else {
            format!(
                "Nothing was changed; policy revision {} stays active. These would be the rules:\n{}",
                self.policy_revision,
                row::table(&self.rules).text(0)
            )
        };
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}.");
        }
        for missing in &self.missing_interfaces {
            let _ = writeln!(
                text,
                "warning: rule `{}`: there is no interface `{}`; the rule matches nothing until there is.",
                missing.rule, missing.interface
            );
        }
        text
    }
}
