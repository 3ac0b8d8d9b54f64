//! How much of a long test is done: a share with every change, all of it by `cargo xtask test --faults`.

/// The environment variable that asks for all with the value `full`.
pub const VARIABLE: &str = "POSTERN_FAULTS";

/// The number that fits.
pub fn depth(short: u32, full: u32) -> u32 {
    if std::env::var(VARIABLE).is_ok_and(|value| value == "full") { full } else { short }
}
