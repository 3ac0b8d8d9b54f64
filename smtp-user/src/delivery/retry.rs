//! When a recipient is tried again, and when no more.
//!
//! A clock that is set must neither return mail too early nor hold it up. So the time of day, which the queue is written
//! down in, is believed only within bounds: a wait read from a file is never longer than the longest back-off, and a
//! message is never taken for older than its attempts can have taken.

use std::time::Duration;

use crate::delivery::settings::Settings;

/// The longest wait, in first waits.
const MAX_FACTOR: u32 = 8;

/// What a retry is reckoned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// From the first failure to the next attempt.
    pub resend_period: Duration,
    /// How long delivery is tried.
    pub abandon_time: Duration,
}

impl Retry {
    /// Of settings.
    pub const fn of(settings: &Settings) -> Self {
        Self { resend_period: settings.resend_period, abandon_time: settings.abandon_time }
    }

    /// The longest wait between two attempts.
    pub fn longest(&self) -> Duration {
        // Whoever gives up after an hour wants more than one attempt in it.
        let bound = (self.abandon_time / 2).max(self.resend_period);
        (self.resend_period * MAX_FACTOR).min(bound)
    }

    /// How long to wait after so many attempts have failed: doubled each time, and up to a tenth more or less by
    /// `chance`, so that what failed together does not come back together.
    pub fn wait(&self, attempts: u32, chance: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(MAX_FACTOR.ilog2());
        let base = (self.resend_period * 2_u32.pow(doublings)).min(self.longest());
        let tenths = f64::from(chance) / f64::from(u32::MAX);
        base.mul_f64(0.9 + 0.2 * tenths)
    }

    /// How long to wait for the moment that was written down, by a clock that may have been set meanwhile.
    pub fn remaining(&self, next_attempt: u64, now: u64) -> Duration {
        let longest = self.longest().mul_f64(1.1);
        Duration::from_micros(next_attempt.saturating_sub(now)).min(longest)
    }

    /// How long delivery of a message has been tried, by a clock that may have been set meanwhile.
    pub fn age(&self, received: u64, attempts: u32, now: u64) -> Duration {
        let by_clock = Duration::from_micros(now.saturating_sub(received));
        by_clock.min(self.longest().mul_f64(1.1) * attempts.saturating_add(1))
    }

    /// Whether a message of this age is given up.
    pub fn is_over(&self, age: Duration) -> bool {
        age >= self.abandon_time
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: Retry =
        Retry { resend_period: Duration::from_mins(10), abandon_time: Duration::from_hours(120) };
    const DAY: u64 = 86_400_000_000;

    #[test]
    fn waits_double_up_to_eight_times_the_first() {
        let waits: Vec<u128> =
            (1..7).map(|attempts| (RETRY.wait(attempts, u32::MAX / 2).as_millis() + 500) / 1000).collect();
        assert_eq!(waits, [600, 1200, 2400, 4800, 4800, 4800]);
    }

    #[test]
    fn a_short_life_has_several_attempts() {
        let retry = Retry { abandon_time: Duration::from_mins(30), ..RETRY };
        assert_eq!(retry.longest(), Duration::from_mins(15));
    }

    #[test]
    fn a_clock_set_ten_years_ahead_returns_nothing_and_holds_up_nothing() {
        let received = 20_000 * DAY;
        let later = received + 3650 * DAY;
        assert!(!RETRY.is_over(RETRY.age(received, 3, later)));
        // Written by the clock that was ahead, read by one that was set right.
        assert!(RETRY.remaining(later, received) <= RETRY.longest().mul_f64(1.1));
        assert_eq!(RETRY.age(later, 3, received), Duration::ZERO);
    }

    #[test]
    fn a_message_is_given_up_when_its_time_is_over() {
        let received = 20_000 * DAY;
        assert!(!RETRY.is_over(RETRY.age(received, 100, received + 4 * DAY)));
        assert!(RETRY.is_over(RETRY.age(received, 100, received + 5 * DAY)));
    }

    proptest! {
        #[test]
        fn waits_are_within_a_tenth_of_what_is_configured(attempts in 1_u32..1000, chance: u32) {
            let wait = RETRY.wait(attempts, chance);
            prop_assert!(wait >= RETRY.resend_period.mul_f64(0.899));
            prop_assert!(wait <= RETRY.longest().mul_f64(1.101));
        }
    }
}
