//! The test string of anti-virus programs, found wherever it stands: it proves that a path is inspected.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What it is called.
pub const EICAR_NAME: &str = "Eicar-Test-Signature";

/// Looks for the test string in octets that stream in.
#[derive(Clone, Debug, Default)]
pub struct EicarMatcher {
    /// The last octets, fewer than the string has.
    last: Vec<u8>,
    found: bool,
}

impl EicarMatcher {
    /// Looks at the next octets.
    pub fn push(&mut self, octets: &[u8]) {
        if self.found {
            return;
        }
        if !self.last.is_empty() {
            let seam = octets.get(..octets.len().min(LENGTH - 1)).unwrap_or_default();
            self.last.extend_from_slice(seam);
            self.found = FINDER.find(&self.last).is_some();
        }
        self.found |= octets.len() >= LENGTH && FINDER.find(octets).is_some();
        if octets.len() >= LENGTH - 1 {
            self.last.clear();
            self.last.extend_from_slice(octets.get(octets.len() - (LENGTH - 1)..).unwrap_or_default());
        } else if self.last.is_empty() {
            self.last.extend_from_slice(octets);
        } else {
            let excess = self.last.len().saturating_sub(LENGTH - 1);
            self.last.drain(..excess);
        }
    }

    /// Whether it was there.
    pub const fn found(&self) -> bool {
        self.found
    }
}

/// The test string, put together here only, so that this file is none.
pub fn eicar() -> Vec<u8> {
    [FIRST_HALF, SECOND_HALF].concat()
}

const FIRST_HALF: &[u8] = br"X5O!P%@AP[4\PZX54(P^)7CC)7}";
const SECOND_HALF: &[u8] = br"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
const LENGTH: usize = FIRST_HALF.len() + SECOND_HALF.len();

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&eicar()).into_owned());

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EicarMatcher, LENGTH, eicar};

    fn found(octets: &[u8], step: usize) -> bool {
        let mut matcher = EicarMatcher::default();
        for piece in octets.chunks(step) {
            matcher.push(piece);
        }
        matcher.found()
    }

    #[test]
    fn it_is_found_at_every_place_in_every_piece_size() {
        assert_eq!(LENGTH, 68);
        for before in 0..140 {
            let octets = [vec![b'X'; before], eicar(), b"after".to_vec()].concat();
            for step in [1, 2, 3, 10, 66, 67, 68, 69, 100, 200] {
                assert!(found(&octets, step), "{before} {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn less_than_all_of_it_is_nothing(cut in 0usize..68, step in 1usize..80) {
            let mut octets = eicar();
            octets.remove(cut);
            prop_assert!(!found(&octets.repeat(3), step));
        }
    }
}
