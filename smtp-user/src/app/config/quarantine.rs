//! The `[quarantine]` table: how long mail is kept that was not sent on.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::problem::ConfigProblem;
use crate::policy::action::UnknownWord;
use crate::policy::toml_table::TableReader;

/// The quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineConfig {
    /// How long a message is kept that was not sent on. Default `30d`.
    pub keep_for: Duration,
    /// How long the original of a rewritten message is kept. Default `7d`.
    pub keep_originals_for: Duration,
    /// Of which rewritten messages it is kept.
    pub keep_originals: Originals,
}

impl Default for QuarantineConfig {
    fn default() -> Self {
        Self { keep_for: DAY * 30, keep_originals_for: DAY * 7, keep_originals: Originals::All }
    }
}

/// Of which rewritten messages the original is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originals {
    /// Of all: who asks what came in is shown it. The default.
    All,
    /// Of those with parts replaced. A rule on a field that most mail has would keep most mail.
    Parts,
}

impl FromStr for Originals {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "all" => Ok(Self::All),
            "parts" => Ok(Self::Parts),
            _ => Err(UnknownWord::new(text, "a choice of rewritten messages", &["all", "parts"])),
        }
    }
}

const KEYS: &[&str] = &["keep_for", "keep_originals_for", "keep_originals"];
const DAY: Duration = Duration::from_hours(24);
/// Shortest and longest time: what is gone within the minute nobody can release, and ten years are an archive.
const TIME: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(24 * 3650)];

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> QuarantineConfig {
    let mut reader = TableReader::new(table, span, "[quarantine]", KEYS);
    let mut quarantine = QuarantineConfig::default();
    let times =
        [("keep_for", &mut quarantine.keep_for), ("keep_originals_for", &mut quarantine.keep_originals_for)];
    for (key, place) in times {
        let Some(text) = reader.duration(key) else { continue };
        let [min, max] = TIME;
        match parse_duration(text.get_ref()) {
            Ok(time) if (min..=max).contains(&time) => *place = time,
            Ok(_) => notes.error(text.span(), ConfigProblem::DurationOutOfRange { key, min, max }),
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if let Some(which) = reader.word("keep_originals") {
        quarantine.keep_originals = which;
    }
    notes.adopt(reader.finish());
    quarantine
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Originals, QuarantineConfig};
    use crate::app::config::Config;

    fn parse(table: &str) -> Result<QuarantineConfig, String> {
        let text = format!("[gateway]\ninterfaces = [\"eth0\"]\n[quarantine]\n{table}\n");
        Config::parse(&text, "test.toml").map(|config| config.quarantine).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_read_and_bounded() {
        assert_eq!(parse("").unwrap(), QuarantineConfig::default());
        let config = parse("keep_for = \"90d\"\nkeep_originals_for = \"1h\"").unwrap();
        assert_eq!(config.keep_for, Duration::from_hours(90 * 24));
        assert_eq!(config.keep_originals_for, Duration::from_hours(1));
        assert_eq!(config.keep_originals, Originals::All);
        assert_eq!(parse("keep_originals = \"parts\"").unwrap().keep_originals, Originals::Parts);
        let error = parse("keep_originals = \"part\"").unwrap_err();
        assert!(error.contains("`parts`"), "{error}");
        for table in ["keep_for = \"1s\"", "keep_for = \"20000d\"", "keep_for = 30", "keep = \"1d\""] {
            assert!(parse(table).unwrap_err().contains("test.toml:4:"), "{table}");
        }
    }
}
