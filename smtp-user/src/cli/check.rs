//! `postern check`: reads the configuration file and says everything that is wrong or doubtful about it.

mod trust;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context as _;
use serde::Serialize;

use crate::app::config::diagnostic::Diagnostic;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH, LoadError, inspection};
use crate::cli::exit_code::ExitCode;
use crate::engine::hash_list::HashLists;
use crate::engine::link_list::LinkLists;
use crate::policy::lint::Severity;

/// Check the configuration file.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG_PATH)]
    pub config: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Let warnings count as errors.
    #[arg(long)]
    pub strict: bool,
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> anyhow::Result<process::ExitCode> {
    let report = Report::new(&args.config.display().to_string(), Config::load(&args.config), args.strict);
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report).context("cannot print the report")?;
        writeln!(out).context("cannot print the report")?;
    } else {
        write!(out, "{}", report.text()).context("cannot print the report")?;
    }
    Ok(report.exit_code.into())
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    ok: bool,
    rules: Option<usize>,
    /// Why the file could not be read at all, or why a daemon would not start with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    diagnostics: Vec<Diagnostic>,
    /// What follows from it for others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip)]
    exit_code: ExitCode,
}

impl Report {
    fn new(file: &str, loaded: Result<Config, LoadError>, strict: bool) -> Self {
        let file = file.to_owned();
        match loaded {
            Ok(config) => {
                // Lists are files of their own, and a daemon does not start with a wrong one.
                let looks = inspection::within(&config.inspection, Path::new(&file));
                let problems =
                    [HashLists::load(&looks.hash_lists).err(), LinkLists::load(&looks.link_lists).err()];
                let failures: Vec<String> =
                    problems.into_iter().flatten().flatten().map(|problem| problem.to_string()).collect();
                let failure = (!failures.is_empty()).then(|| failures.join(".\n"));
                let ok = failure.is_none() && (!strict || config.warnings.is_empty());
                let notes = trust::notes(&config);
                Self {
                    file,
                    ok,
                    rules: Some(config.rules.len()),
                    failure,
                    diagnostics: config.warnings,
                    notes,
                    exit_code: if ok { ExitCode::Ok } else { ExitCode::Config },
                }
            }
            Err(error) => {
                let exit_code = ExitCode::from(&error);
                let (failure, diagnostics) = match error {
                    LoadError::Invalid(errors) => (None, errors.diagnostics),
                    other => (Some(format!("{:#}", anyhow::Error::from(other))), Vec::new()),
                };
                Self { file, ok: false, rules: None, failure, diagnostics, notes: Vec::new(), exit_code }
            }
        }
    }

    fn text(&self) -> String {
        let mut text: String = self.diagnostics.iter().map(ToString::to_string).collect();
        if let Some(failure) = &self.failure {
            text.push_str(failure);
            text.push_str(".\n");
            return text;
        }
        for note in &self.notes {
            text.push_str("note: ");
            text.push_str(note);
            text.push('\n');
        }
        let count = |severity| self.diagnostics.iter().filter(|d| d.severity == severity).count();
        let summary = match (count(Severity::Error), count(Severity::Warning), self.rules) {
            (0, 0, Some(rules)) => format!("in order, {}", counted(rules, "rule")),
            (0, warnings, _) => counted(warnings, "warning"),
            (errors, 0, _) => counted(errors, "error"),
            (errors, warnings, _) => {
                format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        };
        text + &format!("{}: {summary}.\n", self.file)
    }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
