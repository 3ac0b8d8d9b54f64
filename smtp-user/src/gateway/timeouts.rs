//! How long the gateway waits for what, and how slow an originator may be.

use std::time::Duration;

use crate::limits::Timeout;

/// How long each wait is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(super) waits: [Duration; Timeout::ALL.len()],
    /// A whole session, whatever happens in it. Default `2h`: far beyond the largest message at the minimum rate that
    /// is worth waiting for.
    pub session: Duration,
    /// Octets per second that an originator sends at least, over the whole of a message's data. Default 500.
    pub minimum_rate: u64,
    /// How long a message's data may take before its rate is looked at. Default `1m`.
    pub rate_grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            waits: Timeout::ALL.map(Timeout::duration),
            session: Duration::from_hours(2),
            minimum_rate: 500,
            rate_grace: Duration::from_mins(1),
        }
    }
}

impl Timeouts {
    /// How long one wait is.
    pub fn of(&self, timeout: Timeout) -> Duration {
        self.waits.get(timeout as usize).copied().unwrap_or_else(|| timeout.duration())
    }

    /// Changes one wait.
    pub fn set(&mut self, timeout: Timeout, duration: Duration) {
        if let Some(wait) = self.waits.get_mut(timeout as usize) {
            *wait = duration;
        }
    }

    /// Whether so many octets in so long a time are too few.
    pub fn is_too_slow(&self, octets: u64, elapsed: Duration) -> bool {
        elapsed > self.rate_grace && octets < self.minimum_rate.saturating_mul(elapsed.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timeouts;
    use crate::limits::Timeout;

    #[test]
    fn every_wait_has_its_default_and_can_be_changed() {
        let mut timeouts = Timeouts::default();
        for (index, timeout) in Timeout::ALL.into_iter().enumerate() {
            assert_eq!(timeout as usize, index);
            assert_eq!(timeouts.of(timeout), timeout.duration(), "{timeout:?}");
        }
        timeouts.set(Timeout::Quit, Duration::from_secs(1));
        assert_eq!(timeouts.of(Timeout::Quit), Duration::from_secs(1));
        assert_eq!(timeouts.of(Timeout::Judgement), Timeout::Judgement.duration());
    }

    #[test]
    fn the_rate_counts_after_its_grace() {
        let timeouts = Timeouts::default();
        assert!(!timeouts.is_too_slow(0, Duration::from_mins(1)));
        assert!(timeouts.is_too_slow(0, Duration::from_secs(61)));
        assert!(timeouts.is_too_slow(49_999, Duration::from_secs(100)));
        assert!(!timeouts.is_too_slow(50_000, Duration::from_secs(100)));
    }
}
