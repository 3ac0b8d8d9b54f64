//! Numbers as people read them.

use std::time::Duration;

use crate::app::config::duration::format_duration;

/// A count, in groups of three.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of octets, in binary multiples.
pub fn octets(number: u64) -> String {
    let mut value = number as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") }
}

/// A part of a whole in percent, to two places; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 10_000.0 / whole as f64).round() / 100.0 }
}

/// A time that has passed, to the second, or to the millisecond below one.
pub fn age(duration: Duration) -> String {
    let shown = if duration < Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(duration.as_secs())
    };
    format_duration(shown)
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_048_576, "1,048,576")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn octets_have_the_largest_unit_that_fits() {
        for (number, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (u64::MAX, "16384.0 PiB")]
        {
            assert_eq!(octets(number), text);
        }
    }

    #[test]
    fn percents_have_two_places() {
        assert!((percent(1, 3) - 33.33).abs() < 1e-9);
        assert!(percent(1, 0).abs() < 1e-9);
    }

    #[test]
    fn ages_lose_what_nobody_reads() {
        assert_eq!(age(Duration::from_millis(61_900)), "1m1s");
        assert_eq!(age(Duration::from_millis(250)), "250ms");
        assert_eq!(age(Duration::ZERO), "0s");
    }
}
