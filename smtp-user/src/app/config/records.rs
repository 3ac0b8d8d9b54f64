//! The `[records]` table: how much of the past is kept.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::problem::ConfigProblem;
use crate::app::config::size::parse_size;
use crate::audit;
use crate::audit::config::{DEFAULT_KEEP, DEFAULT_MAX_FILE, MIN_MAX_FILE};
use crate::policy::toml_table::TableReader;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// Octets of one file at most. Default `64MiB`.
    pub max_file: u64,
    /// Octets of all files together at most. Default `4GiB`.
    pub keep: u64,
}

impl Default for Records {
    fn default() -> Self {
        Self { max_file: DEFAULT_MAX_FILE, keep: DEFAULT_KEEP }
    }
}

impl Records {
    /// With the folder they are kept in.
    pub fn within(self, data_dir: &Path) -> audit::config::Config {
        let Self { max_file, keep } = self;
        audit::config::Config { max_file, keep, ..audit::config::Config::within(data_dir) }
    }
}

const KEYS: &[&str] = &["max_file", "keep"];
/// 1 GiB: more in one file is only slower to look through.
const MAX_MAX_FILE: u64 = 1 << 30;
/// 1 PiB.
const MAX_KEEP: u64 = 1 << 50;

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> Records {
    let mut reader = TableReader::new(table, span, "[records]", KEYS);
    let mut records = Records::default();
    if let Some(text) = reader.text("max_file") {
        match size("max_file", &text, MIN_MAX_FILE, MAX_MAX_FILE) {
            Ok(octets) => records.max_file = octets,
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    // At least the file that is being written and the one before it.
    if let Some(text) = reader.text("keep") {
        match size("keep", &text, records.max_file * 2, MAX_KEEP) {
            Ok(octets) => records.keep = octets,
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    notes.adopt(reader.finish());
    records
}

fn size(key: &'static str, text: &Spanned<&str>, min: u64, max: u64) -> Result<u64, ConfigProblem> {
    let octets = parse_size(text.get_ref())?;
    if (min..=max).contains(&octets) {
        Ok(octets)
    } else {
        Err(ConfigProblem::SizeOutOfRange { key, min, max })
    }
}
