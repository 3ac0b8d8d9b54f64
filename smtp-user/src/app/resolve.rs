//! Checks that the tables of a configuration file hold together, and makes one value of them.

use std::collections::HashMap;
use std::ops::Range;

use smtp_common::abi::{MAX_PORTS, MAX_RULES};

use crate::app::config::Config;
use crate::app::config::diagnostic::{ConfigErrors, Diagnostic};
use crate::app::config::document::{Document, FileKind, Notes};
use crate::app::config::part_rule;
use crate::app::config::problem::ConfigProblem;
use crate::inspect;
use crate::model::server_tls::ServerTls;
use crate::policy::lint::{Finding, FindingKind, LintContext, Severity, lint, lint_rule};
use crate::policy::mistake::line_and_column;
use crate::policy::packet_rules::PacketRules;
use crate::policy::rule_table::RuleTable;

/// Makes a configuration of what was read, or gives everything that is wrong with it.
pub(crate) fn resolve(
    mut document: Document,
    kind: FileKind,
    text: &str,
    file: &str,
) -> Result<Config, ConfigErrors> {
    let interfaces = document.gateway.gateway.interfaces.clone();
    let resource_names: Vec<String> =
        document.resources.iter().map(|table| table.resource.name.clone()).collect();
    let could_read_all = document.notes.0.is_empty();
    let mut notes = std::mem::take(&mut document.notes);

    let interface_spans = document.gateway.interface_spans.iter().cloned();
    duplicates("interface", interfaces.iter().zip(interface_spans), text, &mut notes);
    let named_rules = document.rules.iter().map(|table| (&table.rule.name, table.span_of("name")));
    duplicates("rule", named_rules, text, &mut notes);
    let named_resources = resource_names.iter().zip(document.resources.iter().map(|t| t.name_span.clone()));
    duplicates("resource", named_resources, text, &mut notes);
    let named_engines = document.engines.iter().map(|table| (&table.engine.name, table.name_span.clone()));
    duplicates("engine", named_engines, text, &mut notes);
    let named_part_rules =
        document.part_rules.iter().map(|table| (&table.rule.name, table.name_span.clone()));
    duplicates("rule on parts", named_part_rules, text, &mut notes);
    too_many("interfaces", interfaces.len(), MAX_PORTS, document.gateway.interface_spans.first(), &mut notes);
    let last_rule = document.rules.last().map(|table| &table.span);
    too_many("rules", document.rules.len(), MAX_RULES, last_rule, &mut notes);

    if kind == FileKind::Configuration && !document.spool.delivery.believes_dns() {
        let asks = document.resources.iter().find(|table| table.resource.server_tls == ServerTls::Dane);
        if let Some(table) = asks {
            notes.error(table.file_spans.of("server_tls"), ConfigProblem::DaneNeedsResolver);
        }
    }

    let context = LintContext {
        interfaces: (!interfaces.is_empty()).then_some(interfaces.as_slice()),
        // The gateway that runs may have resources which a file of rules does not name.
        resources: (kind == FileKind::Configuration || !resource_names.is_empty())
            .then_some(resource_names.as_slice()),
    };
    let mut rules = PacketRules::new();
    let findings = if could_read_all && notes.0.is_empty() {
        match PacketRules::with_ids_of(document.rules.iter().map(|t| t.rule.clone()).collect(), &rules) {
            Ok(list) => rules = list,
            Err(error) => notes.error(0..0, crate::policy::mistake::Problem::from(error)),
        }
        lint(&rules, &context)
    } else {
        findings_despite_mistakes(&document.rules, &context, &document)
    };
    let mut diagnostics = Vec::new();
    for (span, problem) in notes.0 {
        diagnostics.push((span, Severity::Error, problem));
    }
    if diagnostics.is_empty() {
        let engines: Vec<&str> = document.engines.iter().map(|table| table.engine.name.as_str()).collect();
        for (span, problem) in part_rule::doubts(&document.part_rules, &engines) {
            diagnostics.push((span, Severity::Warning, problem));
        }
        for (span, problem) in document.resources.iter_mut().flat_map(|table| table.doubts.drain(..)) {
            diagnostics.push((span, Severity::Warning, problem));
        }
    }
    for finding in findings {
        let span = place(&finding, &document, text);
        diagnostics.push((span, finding.severity(), ConfigProblem::Finding(finding)));
    }
    diagnostics.sort_by_key(|(span, severity, _)| (span.start, *severity));
    let diagnostics: Vec<Diagnostic> = diagnostics
        .into_iter()
        .map(|(span, severity, problem)| {
            Diagnostic::new(severity, (file, text), &span, &problem, problem.suggestion())
        })
        .collect();
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(ConfigErrors { file: file.to_owned(), diagnostics });
    }
    Ok(Config {
        file: file.to_owned(),
        text: String::new(),
        gateway: document.gateway.gateway,
        inspector: document.inspector,
        rules,
        records: document.records,
        inspection: inspect::Config {
            engines: document.engines.into_iter().map(|table| table.engine).collect(),
            rules: document.part_rules.into_iter().map(|table| table.rule).collect(),
            ..document.inspection
        },
        inspection_ca: document.inspection_ca,
        spool: document.spool,
        quarantine: document.quarantine,
        resources: document.resources.into_iter().map(|table| table.resource).collect(),
        warnings: diagnostics,
    })
}

/// What can be said of the rules while something else in the file is wrong: nothing about their order,
/// and nothing that a mistake nearby may have caused.
fn findings_despite_mistakes(
    rules: &[RuleTable],
    context: &LintContext<'_>,
    document: &Document,
) -> Vec<Finding> {
    let all_resources_named = document.resources.iter().all(|table| !table.resource.name.is_empty());
    let mut findings = Vec::new();
    for table in rules {
        findings.extend(lint_rule(&table.rule, context).into_iter().filter(|finding| match finding.kind {
            // These hang on their own key alone, and a key that could not be read gives none.
            FindingKind::UnknownResource { .. } => all_resources_named,
            FindingKind::UnknownInterface { .. } => true,
            _ => table.is_sound,
        }));
    }
    findings
}

/// Where in the file a finding belongs.
fn place(finding: &Finding, document: &Document, text: &str) -> Range<usize> {
    if let FindingKind::UnusedResource { resource } = &finding.kind {
        let table = document.resources.iter().find(|table| table.resource.name == *resource);
        return table.map_or(0..0, |table| table.name_span.clone());
    }
    if let Some(name) = finding.rules.first() {
        let table = document.rules.iter().find(|table| table.rule.name == *name);
        return table.map_or(0..0, |table| table.span_of(finding.key));
    }
    // Said of the list as a whole: at its end.
    document.rules.last().map_or_else(|| text.len()..text.len(), |table| table.span_of("name"))
}

fn duplicates<'a>(
    what: &'static str,
    names: impl Iterator<Item = (&'a String, Range<usize>)>,
    text: &str,
    notes: &mut Notes,
) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (name, span) in names.filter(|(name, _)| !name.is_empty()) {
        match first.get(name.as_str()) {
            Some(offset) => {
                let (first_line, _) = line_and_column(text, *offset);
                notes.error(span, ConfigProblem::Duplicate { what, name: name.clone(), first_line });
            }
            None => {
                first.insert(name, span.start);
            }
        }
    }
}

fn too_many(what: &'static str, count: usize, max: u32, at: Option<&Range<usize>>, notes: &mut Notes) {
    let max = max as usize;
    if count > max {
        notes.error(at.cloned().unwrap_or_default(), ConfigProblem::TooMany { what, count, max });
    }
}
