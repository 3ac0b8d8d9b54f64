//! Times in records: RFC 3339 in UTC with microseconds, always 27 characters, so that texts sort as times do.

use jiff::Timestamp;

/// Writes a time.
pub fn format(unix_micros: u64) -> String {
    let micros = i64::try_from(unix_micros).unwrap_or(i64::MAX);
    // Later than the year 9999 no clock is right.
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

/// Writes times that are mostly of the second before: it is written once for all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Formatter {
    second: u64,
    /// Up to the full stop.
    beginning: String,
}

impl Formatter {
    /// Writes a time.
    pub(crate) fn format(&mut self, unix_micros: u64) -> String {
        let (second, micros) = (unix_micros / 1_000_000, unix_micros % 1_000_000);
        if self.beginning.is_empty() || self.second != second {
            let text = format(unix_micros);
            self.beginning.clear();
            // A time that cannot be written became another one.
            if parse(&text) == Some(unix_micros) {
                self.beginning.extend(text.chars().take_while(|character| *character != '.'));
            }
            self.second = second;
            return text;
        }
        format!("{}.{micros:06}Z", self.beginning)
    }
}

/// Reads a time in any form of RFC 3339.
pub fn parse(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_microsecond()).ok()
}

/// Characters of a time.
pub const LENGTH: usize = 27;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_are_read_back() {
        for micros in [0, 1, 1_700_000_000_000_000, 1_700_000_000_120_000] {
            let text = format(micros);
            assert_eq!((text.len(), text.ends_with('Z')), (LENGTH, true), "{text}");
            assert_eq!(parse(&text), Some(micros));
        }
        assert_eq!(format(1_700_000_000_120_000), "2023-11-14T22:13:20.120000Z");
        assert_eq!(parse("2023-11-14T23:13:20.12+01:00"), Some(1_700_000_000_120_000));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn a_formatter_writes_what_is_written_without_it() {
        let mut formatter = Formatter::default();
        let second = 1_700_000_000_000_000;
        for micros in [
            0,
            1,
            second,
            second + 1,
            second + 999_999,
            second + 1_000_000,
            second + 120_000,
            u64::MAX,
            u64::MAX,
        ] {
            assert_eq!(formatter.format(micros), format(micros));
        }
    }
}
