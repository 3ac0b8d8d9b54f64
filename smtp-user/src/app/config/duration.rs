//! Durations as people write them: `30s`, `2h4m`, `500ms`.

use std::fmt::Write as _;
use std::time::Duration;

/// Units, from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration: whole numbers with units, longest unit first.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let malformed = || DurationError::Malformed { text: text.to_owned(), suggestion: seconds(text) };
    let too_long = || DurationError::TooLong { text: text.to_owned() };
    let mut total_ms: u64 = 0;
    let mut rest = text;
    let mut units = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        // Only shorter units may follow.
        let index = units.iter().position(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let (_, factor) = units.get(index).ok_or_else(malformed)?;
        units = units.get(index + 1..).unwrap_or_default();
        if number.is_empty() {
            return Err(malformed());
        }
        let number: u64 = number.parse().map_err(|_| too_long())?;
        total_ms =
            number.checked_mul(*factor).and_then(|ms| total_ms.checked_add(ms)).ok_or_else(too_long)?;
        rest = next;
    }
    if text.is_empty() { Err(malformed()) } else { Ok(Duration::from_millis(total_ms)) }
}

/// Writes a duration so that [`parse_duration`] reads it, to the millisecond.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            // Writing to a string does not fail.
            let _ = write!(text, "{}{unit}", rest / factor);
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Usually a number without its unit.
    #[error("`{text}` is not a duration such as `30s`, `10m` or `2h4m`")]
    Malformed {
        /// What was written.
        text: String,
        /// The same in seconds.
        suggestion: Option<String>,
    },
    /// Longer than any clock runs.
    #[error("`{text}` is too long")]
    TooLong {
        /// What was written.
        text: String,
    },
}

fn seconds(text: &str) -> Option<String> {
    text.parse::<u64>().ok().map(|number| format!("{number}s"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("30s", 30_000),
            ("2h4m", 7_440_000),
            ("500ms", 500),
            ("1d", 86_400_000),
            ("0s", 0),
            ("90m", 5_400_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "30",
            "s",
            "4m2h",
            "1h1h",
            "30 s",
            "-1s",
            "1.5s",
            "1w",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        let DurationError::Malformed { suggestion, .. } = parse_duration("30").unwrap_err() else { panic!() };
        assert_eq!(suggestion.as_deref(), Some("30s"));
    }

    proptest! {
        #[test]
        fn written_durations_are_read_back(ms in 0..=u64::from(u32::MAX) * 1000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
        }
    }
}
