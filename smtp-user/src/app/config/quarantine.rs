//! The `[quarantine]` table: how long mail is kept that was not sent on.

use std::ops::Range;
use std::time::Duration;

use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::problem::ConfigProblem;
use crate::policy::toml_table::TableReader;

/// The quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineConfig {
    /// How long a message is kept that was not sent on. Default `30d`.
    pub keep_for: Duration,
    /// How long the original of a rewritten message is kept. Default `7d`.
    pub keep_originals_for: Duration,
}

impl Default for QuarantineConfig {
    fn default() -> Self {
        Self { keep_for: DAY * 30, keep_originals_for: DAY * 7 }
    }
}

const KEYS: &[&str] = &["keep_for", "keep_originals_for"];
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
        let Some(text) = reader.text(key) else { continue };
        let [min, max] = TIME;
        match parse_duration(text.get_ref()) {
            Ok(time) if (min..=max).contains(&time) => *place = time,
            Ok(_) => notes.error(text.span(), ConfigProblem::DurationOutOfRange { key, min, max }),
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    notes.adopt(reader.finish());
    quarantine
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::QuarantineConfig;
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
        for table in ["keep_for = \"1s\"", "keep_for = \"20000d\"", "keep_for = 30", "keep = \"1d\""] {
            assert!(parse(table).unwrap_err().contains("test.toml:4:"), "{table}");
        }
    }
}
