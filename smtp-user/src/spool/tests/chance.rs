//! Numbers that look like chance, the same ones for the same seed.

/// A stream of them (xorshift64).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed is not 0, and is printed by whoever chooses it.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
