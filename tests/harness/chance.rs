//! A stream of numbers that looks like chance, and is the same again.

use std::time::Duration;

/// xorshift64.
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed, which is printed.
    pub fn new(seed: u64) -> Self {
        println!("seed {seed:#x}");
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from one up to another.
    pub fn up_to(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap_or_default() + 1
    }

    /// A time that is shorter.
    pub fn below(&mut self, time: Duration) -> Duration {
        time.mul_f64(self.next() as f64 / u64::MAX as f64)
    }
}
