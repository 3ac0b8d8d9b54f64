//! Times in records: RFC 3339 in UTC with microseconds, always 27 characters, so that texts sort as times do.

use jiff::Timestamp;

/// Writes a time.
pub fn format(unix_micros: u64) -> String {
    let micros = i64::try_from(unix_micros).unwrap_or(i64::MAX);
    // Later than the year 9999 no clock is right.
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
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
}
