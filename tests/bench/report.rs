//! Results: JSON lines as they come, a markdown table at the end.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::host::{Host, Load};
use crate::pairs::{Estimate, SEED};

/// A goal on a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// Target and stretch, more is better.
    AtLeast(f64, f64),
    /// Target and stretch, less is better.
    AtMost(f64, f64),
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A ratio.
    Times,
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Seconds.
    Seconds,
    /// A number a second.
    PerSecond,
    /// Millions of octets a second.
    MegabytesPerSecond,
    /// Units of 1024 octets.
    Kibibytes,
}

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What a reader must know to judge the numbers.
    pub(crate) honesty: &'static [&'static str],
}

/// The packet path.
pub(crate) const PACKET_PATH: Suite = Suite { title: "Packet path", honesty: &HONESTY };

/// What came of a measurement.
#[derive(Clone, Debug)]
enum Outcome {
    Measured(Estimate),
    Missing(String),
}

/// A line of the table.
#[derive(Clone, Debug)]
struct Row {
    case: &'static str,
    what: String,
    unit: Unit,
    goal: Option<Goal>,
    outcome: Outcome,
    note: String,
}

/// All results.
#[derive(Debug)]
pub(crate) struct Report {
    suite: Suite,
    lines: Option<File>,
    rows: Vec<Row>,
    notes: Vec<String>,
    host: Host,
    start: Load,
}

impl Report {
    /// Opens the file for JSON lines, if one is wanted, and writes what the machine is.
    pub(crate) fn open(suite: Suite, json: Option<&Path>, arguments: &str) -> Result<Self> {
        let lines = json
            .map(|path| File::create(path).with_context(|| format!("creating {}", path.display())))
            .transpose()?;
        let (rows, notes) = (Vec::new(), Vec::new());
        let mut report = Self { suite, lines, rows, notes, host: Host::look(), start: Load::look() };
        let header =
            json!({ "host": report.host, "load": report.start, "arguments": arguments, "seed": SEED });
        report.line(&header)?;
        Ok(report)
    }

    /// Writes a JSON line.
    pub(crate) fn line(&mut self, value: &Value) -> Result<()> {
        if let Some(file) = &mut self.lines {
            writeln!(file, "{value}")?;
        }
        Ok(())
    }

    /// Adds a result made of one value a pair.
    pub(crate) fn measured(
        &mut self,
        case: &'static str,
        what: impl Into<String>,
        unit: Unit,
        values: &[f64],
        goal: Option<Goal>,
        note: impl Into<String>,
    ) -> Result<()> {
        let (what, note) = (what.into(), note.into());
        let Some(estimate) = Estimate::of(values) else {
            self.missing(case, format!("{what}: no usable values"));
            return Ok(());
        };
        let unit_name = unit.name();
        self.line(&json!({
            "case": case, "result": what, "unit": unit_name, "values": values, "estimate": estimate,
            "met": goal.map(|goal| goal.is_met(estimate.median)), "note": note,
        }))?;
        self.rows.push(Row { case, what, unit, goal, outcome: Outcome::Measured(estimate), note });
        Ok(())
    }

    /// Adds a case that could not be measured, with its reason.
    pub(crate) fn missing(&mut self, case: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        eprintln!("{case}: {reason}");
        let outcome = Outcome::Missing(reason);
        self.rows.push(Row {
            case,
            what: String::new(),
            unit: Unit::Times,
            goal: None,
            outcome,
            note: String::new(),
        });
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Results whose whole interval is on the wrong side of the target, and missing ones under a gate.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.rows
            .iter()
            .filter_map(|row| match (&row.outcome, row.goal) {
                (Outcome::Measured(estimate), Some(goal)) if goal.is_missed(*estimate) => {
                    Some(format!("{}: {}", row.case, row.what))
                }
                _ => None,
            })
            .collect()
    }

    /// The table with its header and the rules it was made by.
    pub(crate) fn markdown(&self) -> String {
        let end = Load::look();
        let host = &self.host;
        let mut text = format!(
            "## {}\n\nKernel {}, {} x {}, commit {}, {} profile. Load average {:.2} at the start, {:.2} at the end; \
             {} ticks stolen meanwhile. Bootstrap seed {SEED:#x}.\n\n\
             | case | what | median | 90 % interval | target | stretch | met | note |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.suite.title,
            host.kernel,
            host.cpus,
            host.cpu,
            host.commit,
            host.profile,
            self.start.load1,
            end.load1,
            end.steal_ticks - self.start.steal_ticks
        );
        for row in &self.rows {
            text.push_str(&row.markdown());
        }
        text.push('\n');
        for note in self.suite.honesty.iter().copied().chain(self.notes.iter().map(String::as_str)) {
            let _ = writeln!(text, "* {note}");
        }
        text
    }
}

impl Goal {
    /// Whether a median meets the target.
    fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtLeast(target, _) => median >= target,
            Self::AtMost(target, _) => median <= target,
        }
    }

    /// Whether the whole interval is on the wrong side of the target.
    fn is_missed(self, estimate: Estimate) -> bool {
        match self {
            Self::AtLeast(target, _) => estimate.high < target,
            Self::AtMost(target, _) => estimate.low > target,
        }
    }

    fn cells(self, unit: Unit) -> (String, String) {
        let (sign, target, stretch) = match self {
            Self::AtLeast(target, stretch) => (">=", target, stretch),
            Self::AtMost(target, stretch) => ("<=", target, stretch),
        };
        (format!("{sign} {}", unit.show(target)), format!("{sign} {}", unit.show(stretch)))
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Times => "ratio",
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Seconds => "s",
            Self::PerSecond => "1/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Kibibytes => "KiB",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Times => format!("{value:.2}x"),
            Self::Nanoseconds => format!("{value:.1} ns"),
            Self::Microseconds => format!("{value:.0} us"),
            Self::Seconds => format!("{value:.1} s"),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::MegabytesPerSecond => format!("{value:.0} MB/s"),
            Self::Kibibytes => format!("{value:.1} KiB"),
        }
    }
}

impl Row {
    fn markdown(&self) -> String {
        let estimate = match &self.outcome {
            Outcome::Missing(reason) => return format!("| {} | {reason} | | | | | | |\n", self.case),
            Outcome::Measured(estimate) => estimate,
        };
        let (target, stretch) = self.goal.map(|goal| goal.cells(self.unit)).unwrap_or_default();
        let met = self.goal.map_or("", |goal| if goal.is_met(estimate.median) { "y" } else { "n" });
        format!(
            "| {} | {} | {} | {} .. {} | {target} | {stretch} | {met} | {} |\n",
            self.case,
            self.what,
            self.unit.show(estimate.median),
            self.unit.show(estimate.low),
            self.unit.show(estimate.high),
            self.note
        )
    }
}

/// What a reader must know to judge the numbers.
const HONESTY: [&str; 8] = [
    "CPU nanoseconds a delivered packet of source, gateway and sink on one pinned CPU; frames injected on veth, not NIC line rate.",
    "Net ratios subtract the floor: the same frames dropped in XDP at the gateway's ingress. A floor above 60 % of the chain is noted.",
    "XDP gateways end in an XDP sink and the others in a TC sink, each the cheapest that its packets can reach.",
    "Ratios are medians of ratios within a pair of adjacent legs (ABBA); rates by the clock are marked noisy, and no goal is held against them.",
    "A sample counts only if every frame sent was delivered, and, for Postern, was counted on the accelerated path without asking the rule base; otherwise it is repeated.",
    "Flows were seen from both sides before the clock started; connection tracking held every one of them.",
    "F7 and F8: both stacks and the gateway on one CPU, and all their CPU time for the same work; that is the inverse of the rate of a CPU that does nothing else.",
    "The daemon's own CPU time is in no packet's share; the JSON lines have it.",
];
