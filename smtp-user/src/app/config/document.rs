//! The file as it was read: its tables with their places, and every mistake in any of them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::app::config::engine::{self, EngineTable};
use crate::app::config::gateway::{self, GatewayTable};
use crate::app::config::inspection;
use crate::app::config::inspection_ca::{self, InspectionCa};
use crate::app::config::inspector::{self, InspectorConfig};
use crate::app::config::part_rule::PartRuleTable;
use crate::app::config::problem::ConfigProblem;
use crate::app::config::quarantine::{self, QuarantineConfig};
use crate::app::config::records::{self, Records};
use crate::app::config::resource::{self, ResourceTable};
use crate::app::config::spool::{self, SpoolConfig};
use crate::inspect;
use crate::policy::mistake::{Mistake, Problem};
use crate::policy::rule_table::{RuleIds, RuleTable, read_rules, read_tables};
use crate::policy::toml_table::TableReader;

/// The tables of a file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) gateway: GatewayTable,
    pub(crate) records: Records,
    pub(crate) inspection: inspect::Config,
    pub(crate) part_rules: Vec<PartRuleTable>,
    pub(crate) engines: Vec<EngineTable>,
    pub(crate) inspection_ca: InspectionCa,
    pub(crate) inspector: InspectorConfig,
    pub(crate) spool: SpoolConfig,
    pub(crate) quarantine: QuarantineConfig,
    pub(crate) rules: Vec<RuleTable>,
    pub(crate) resources: Vec<ResourceTable>,
    /// Everything that is wrong with them one by one.
    pub(crate) notes: Notes,
}

/// Problems and their places.
#[derive(Debug, Default)]
pub(crate) struct Notes(pub(crate) Vec<(Range<usize>, ConfigProblem)>);

impl Notes {
    /// Adds a problem.
    pub(crate) fn error(&mut self, span: Range<usize>, problem: impl Into<ConfigProblem>) {
        self.0.push((span, problem.into()));
    }

    /// Adds mistakes.
    pub(crate) fn adopt(&mut self, mistakes: Vec<Mistake>) {
        self.0.extend(mistakes.into_iter().map(|mistake| (mistake.span, mistake.problem.into())));
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A whole configuration.
    Configuration,
    /// Rules for a gateway that runs; its other tables may stand there too, and are checked if they do.
    Rules,
}

const KEYS: &[&str] = &[
    "gateway",
    "inspector",
    "records",
    "inspection",
    "engine",
    "inspection_ca",
    "spool",
    "quarantine",
    "rule",
    "resource",
];

/// Reads a file. A text that is not TOML gives the one mistake at which the parser stopped.
pub(crate) fn read(text: &str, kind: FileKind) -> Document {
    let mut document = Document::default();
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let problem = Problem::Syntax { message: error.message().to_owned() };
            document.notes.error(error.span().unwrap_or_default(), problem);
            return document;
        }
    };
    // What the file as a whole lacks is said of its first line.
    let mut reader = TableReader::new(root.get_ref(), 0..0, "the file", KEYS);
    if kind == FileKind::Configuration {
        reader.require("gateway");
    }
    if let Some(value) = reader.value("gateway") {
        if let DeValue::Table(table) = value.get_ref() {
            document.gateway = gateway::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("gateway", "a table", value, Some("[gateway]".to_owned()));
        }
    }
    if let Some(value) = reader.value("records") {
        if let DeValue::Table(table) = value.get_ref() {
            document.records = records::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("records", "a table", value, Some("[records]".to_owned()));
        }
    }
    if let Some(value) = reader.value("inspection_ca") {
        if let DeValue::Table(table) = value.get_ref() {
            document.inspection_ca = inspection_ca::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("inspection_ca", "a table", value, Some("[inspection_ca]".to_owned()));
        }
    }
    if let Some(value) = reader.value("inspection") {
        if let DeValue::Table(table) = value.get_ref() {
            (document.inspection, document.part_rules) =
                inspection::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("inspection", "a table", value, Some("[inspection]".to_owned()));
        }
    }
    if let Some(value) = reader.value("engine") {
        let notes = &mut document.notes;
        let (engines, mistakes) = read_tables(value, "engine", "[[engine]]", |table, span| {
            (engine::read(table, span, notes), Vec::new())
        });
        document.engines = engines;
        reader.adopt(mistakes);
    }
    if let Some(value) = reader.value("inspector") {
        if let DeValue::Table(table) = value.get_ref() {
            document.inspector = inspector::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("inspector", "a table", value, Some("[inspector]".to_owned()));
        }
    }
    if let Some(value) = reader.value("spool") {
        if let DeValue::Table(table) = value.get_ref() {
            document.spool = spool::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("spool", "a table", value, Some("[spool]".to_owned()));
        }
    }
    if let Some(value) = reader.value("quarantine") {
        if let DeValue::Table(table) = value.get_ref() {
            document.quarantine = quarantine::read(table, value.span(), &mut document.notes);
        } else {
            reader.wrong_type("quarantine", "a table", value, Some("[quarantine]".to_owned()));
        }
    }
    if let Some(value) = reader.value("rule") {
        let (rules, mistakes) = read_rules(value, RuleIds::Absent);
        document.rules = rules;
        reader.adopt(mistakes);
    }
    if let Some(value) = reader.value("resource") {
        let notes = &mut document.notes;
        let (resources, mistakes) = read_tables(value, "resource", "[[resource]]", |table, span| {
            (resource::read(table, span, notes), Vec::new())
        });
        document.resources = resources;
        reader.adopt(mistakes);
    }
    document.notes.adopt(reader.finish());
    document
}
