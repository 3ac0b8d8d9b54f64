//! When a recipient is tried again, and when no more.
//!
//! A clock that is set must neither return mail too early nor hold it up. So the time of day, which the queue is written
//! down in, is believed only within bounds: a wait read from a file is never longer than the longest back-off, and
//! nothing is taken for older than the waits between its attempts were long.

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

    /// How long was waited between so many attempts, as far as that matters: up to the time at which it is over. `chance`
    /// is that of each wait.
    pub fn waited(&self, attempts: u32, chance: impl Fn(u32) -> u32) -> Duration {
        let mut waited = Duration::ZERO;
        for attempt in 1..attempts {
            if self.is_over(waited) {
                break;
            }
            waited += self.wait(attempt, chance(attempt));
        }
        waited
    }

    /// How long delivery has been tried that [waited](Self::waited) so long, by a clock that may have been set meanwhile.
    pub fn age(received: u64, waited: Duration, now: u64) -> Duration {
        Duration::from_micros(now.saturating_sub(received)).min(waited)
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
        assert!(!RETRY.is_over(Retry::age(received, RETRY.waited(3, |_| u32::MAX), later)));
        // Written by the clock that was ahead, read by one that was set right.
        assert!(RETRY.remaining(later, received) <= RETRY.longest().mul_f64(1.1));
        assert_eq!(Retry::age(later, RETRY.waited(3, |_| 0), received), Duration::ZERO);
    }

    #[test]
    fn a_message_is_given_up_when_its_time_is_over() {
        let received = 20_000 * DAY;
        let waited = RETRY.waited(110, |_| 0);
        assert!(!RETRY.is_over(Retry::age(received, waited, received + 4 * DAY)));
        assert!(RETRY.is_over(Retry::age(received, waited, received + 5 * DAY)));
    }

    proptest! {
        /// Whoever gives up after an hour is no exception.
        #[test]
        fn a_clock_set_ten_years_ahead_makes_nothing_older_than_it_is(
            minutes in 20_u64..20_000, attempts in 1_u32..1000, seed: u32,
        ) {
            let retry = Retry { abandon_time: Duration::from_mins(minutes), ..RETRY };
            let chance = |attempt: u32| seed.wrapping_mul(attempt.wrapping_mul(0x9e37_79b9) | 1);
            let tried_for: Duration =
                (1..attempts).map(|attempt| retry.wait(attempt, chance(attempt))).sum();
            let age = Retry::age(0, retry.waited(attempts, chance), 3650 * DAY);
            prop_assert!(age <= tried_for);
            prop_assert_eq!(retry.is_over(age), tried_for >= retry.abandon_time);
        }

        #[test]
        fn waits_are_within_a_tenth_of_what_is_configured(attempts in 1_u32..1000, chance: u32) {
            let wait = RETRY.wait(attempts, chance);
            prop_assert!(wait >= RETRY.resend_period.mul_f64(0.899));
            prop_assert!(wait <= RETRY.longest().mul_f64(1.101));
        }
    }
}
