//! Which octets have ended workers. Pure: time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Deaths after which octets are given to no worker any more.
const DEATHS: u32 = 2;
/// How long that holds: a decoder may be mended by then.
const AGE: Duration = Duration::from_hours(1);
/// Octet strings that are remembered; the oldest make room.
const MAX_REMEMBERED: usize = 10_000;

/// Octets that have ended workers, by their SHA-256.
#[derive(Debug, Default)]
pub struct PoisonList(HashMap<[u8; 32], (Instant, u32)>);

impl PoisonList {
    /// Whether these octets have ended too many workers.
    pub fn is_poisonous(&self, sha256: &[u8; 32], now: Instant) -> bool {
        self.0.get(sha256).is_some_and(|(last, deaths)| *deaths >= DEATHS && now < *last + AGE)
    }

    /// A worker has died over these octets.
    pub fn died(&mut self, sha256: [u8; 32], now: Instant) {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, (last, _)| now < *last + AGE);
            let oldest = self.0.iter().min_by_key(|(_, (last, _))| *last).map(|(sha256, _)| *sha256);
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= MAX_REMEMBERED) {
                self.0.remove(&oldest);
            }
        }
        let (last, deaths) = self.0.entry(sha256).or_insert((now, 0));
        *deaths = if now < *last + AGE { *deaths + 1 } else { 1 };
        *last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_death_is_the_last_for_an_hour() {
        let (mut list, now) = (PoisonList::default(), Instant::now());
        let (one, other) = ([1; 32], [2; 32]);
        list.died(one, now);
        assert!(!list.is_poisonous(&one, now));
        list.died(one, now);
        assert!(list.is_poisonous(&one, now) && !list.is_poisonous(&other, now));
        assert!(!list.is_poisonous(&one, now + AGE));
        list.died(one, now + AGE);
        assert!(!list.is_poisonous(&one, now + AGE), "counted anew");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut list, now) = (PoisonList::default(), Instant::now());
        for number in 0..MAX_REMEMBERED as u64 + 10 {
            let mut sha256 = [0; 32];
            sha256[..8].copy_from_slice(&number.to_be_bytes());
            list.died(sha256, now + Duration::from_nanos(number));
        }
        assert_eq!(list.0.len(), MAX_REMEMBERED);
    }
}
