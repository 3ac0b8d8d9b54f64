//! Moments on the command line: how long ago, or when.

use jiff::Timestamp;

use crate::app::config::duration::parse_duration;
use crate::audit::timestamp;
use crate::cli::word::WordError;

/// A moment, microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// Reads a moment: a duration is meant back from now, anything else is RFC 3339.
pub fn moment(text: &str) -> Result<Moment, WordError> {
    let now = now();
    match parse_duration(text) {
        Ok(ago) => Ok(Moment(now.saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)))),
        Err(_) => timestamp::parse(text).map(Moment).ok_or_else(|| {
            let problem =
                format!("`{text}` is neither a duration such as `1h` nor a time such as `{EXAMPLE}`");
            let seconds = text.parse::<u64>().ok().map(|number| format!("{number}s"));
            WordError::new(&problem, seconds)
        }),
    }
}

const EXAMPLE: &str = "2026-01-31T08:00:00Z";

/// Now, microseconds since 1970.
pub fn now() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ago_or_absolute() {
        let hour = moment("1h").unwrap().0;
        assert!(now() - hour >= 3_600_000_000 && now() - hour < 3_660_000_000);
        assert_eq!(moment("1970-01-01T00:00:01Z").unwrap(), Moment(1_000_000));
        let error = moment("60").unwrap_err().to_string();
        assert!(error.ends_with("did you mean `60s`?"), "{error}");
    }
}
