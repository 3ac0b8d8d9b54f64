//! Counts of a test run, read from the summary lines of cargo's test runners.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// As they should.
    pub(crate) passed: u32,
    /// Otherwise.
    pub(crate) failed: u32,
    /// Not run.
    pub(crate) skipped: u32,
}

/// Whose summary it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, for each program of tests.
    CargoTest,
    /// `Summary [   0.1s] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped`, for all. What a test that failed has printed
    /// has a line of the other form in it.
    Nextest,
}

impl Tally {
    /// Reads one line; `None` when it is no summary.
    pub(crate) fn of_line(runner: Runner, line: &str) -> Option<Self> {
        let line = line.trim();
        let counts = match runner {
            Runner::CargoTest => line.strip_prefix("test result:")?.split_once(". ")?.1,
            Runner::Nextest => line.strip_prefix("Summary [")?.split_once("run: ")?.1,
        };
        let mut tally = Self::default();
        for count in counts.split([';', ',']) {
            let mut words = count.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => tally.passed += number,
                "failed" | "timed" | "exec" => tally.failed += number,
                "ignored" | "skipped" => tally.skipped += number,
                _ => {}
            }
        }
        Some(tally)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::{Runner, Tally};

    #[test]
    fn both_runners_are_understood_and_no_failure_counts_twice() {
        let cargo = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        let of_cargo = |line| Tally::of_line(Runner::CargoTest, line);
        assert_eq!(of_cargo(cargo), Some(Tally { passed: 3, failed: 2, skipped: 1 }));
        let nextest =
            "     Summary [   0.100s] 6 tests run: 4 passed (1 slow), 1 failed, 1 timed out, 2 skipped";
        let of_nextest = |line| Tally::of_line(Runner::Nextest, line);
        assert_eq!(of_nextest(nextest), Some(Tally { passed: 4, failed: 2, skipped: 2 }));
        assert_eq!(of_nextest(cargo), None, "a test's own output");
        assert_eq!(of_cargo("running 3 tests"), None);
    }
}
