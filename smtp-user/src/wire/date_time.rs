//! Times as they stand in messages.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// A time, microseconds since 1970, as RFC 5322 §3.3 writes it, in UTC. One that no clock shows is the first of all.
pub fn date_time(unix_micros: u64) -> String {
    let seconds = i64::try_from(unix_micros / 1_000_000).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    // What has a year without a sign can be written.
    rfc2822::to_string(&time.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::date_time;

    #[test]
    fn dates_are_in_utc() {
        assert_eq!(date_time(1_000_000_000_999_999), "Sun, 9 Sep 2001 01:46:40 +0000");
        assert_eq!(date_time(1_700_000_000_000_000), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(date_time(u64::MAX), "Thu, 1 Jan 1970 00:00:00 +0000");
    }
}
