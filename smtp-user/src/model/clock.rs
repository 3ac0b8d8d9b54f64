//! The time of day, as a trait so that tests can set it.

use std::fmt::Debug;

/// Tells the time of day.
pub trait Clock: Debug + Send + Sync {
    /// Microseconds since 1970 in UTC.
    fn unix_micros(&self) -> u64;
}
