//! How many more descriptors the system lets this process have.
//!
//! The last ones are not for new sessions: those that there are need some, for the next hop, for a large message, for a
//! worker, and so does the daemon itself, which sees by files whether its programs are attached. Nobody counts: the kernel
//! gives out the lowest number that is free, so whoever gets a high one knows that most are in use.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit};
use tracing::{info, warn};

use crate::model::shortage::Shortage;

/// What is left beside a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Enough for a session.
    Enough,
    /// Not enough for a session; enough to say no, and to wait until that was heard.
    Little,
    /// Enough to say no, and no more.
    None,
}

/// What sessions know of descriptors.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// Connections are turned away.
    few: Shortage,
    /// Connections are not even accepted.
    none: Shortage,
}

/// Kept free: an eighth of all, but not less or more than this.
const LEAST_KEPT: u64 = 32;
const MOST_KEPT: u64 = 512;
/// Descriptors of a session, with the next hop's.
const OF_A_SESSION: u64 = 2;

/// The limit now. Whoever may can change that of a running process.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// How many sessions there can be at a time by a limit, not counting what the daemon has open itself.
pub const fn sessions_by(limit: u64) -> u64 {
    limit.saturating_sub(kept(limit)) / OF_A_SESSION
}

/// One that can be given back when there is no other.
pub fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whether there is so little that what cannot be opened need not be gone.
pub fn are_short() -> bool {
    spare().is_none_or(|spare| beside(&spare) == Room::None)
}

/// Whether there are enough for something new.
pub(crate) fn are_enough() -> bool {
    spare().is_some_and(|spare| beside(&spare) == Room::Enough)
}

/// What is left beside one that was just given out.
pub(crate) fn beside(descriptor: impl AsFd) -> Room {
    room(descriptor, limit())
}

/// What is left beside a descriptor by a limit.
fn room(descriptor: impl AsFd, limit: u64) -> Room {
    let number = u64::try_from(descriptor.as_fd().as_raw_fd()).unwrap_or(0);
    let left = limit.saturating_sub(number);
    let kept = kept(limit);
    match () {
        () if left > kept => Room::Enough,
        () if left > kept / 2 => Room::Little,
        () => Room::None,
    }
}

const fn kept(limit: u64) -> u64 {
    let part = limit / 8;
    if part < LEAST_KEPT {
        LEAST_KEPT
    } else if part > MOST_KEPT {
        MOST_KEPT
    } else {
        part
    }
}

impl Descriptors {
    /// Takes note of what is left for a connection, and says so when that changes.
    pub(crate) fn note(&self, room: Room, now: Instant) {
        if room != Room::Enough && self.few.begins(now) {
            let limit = limit();
            warn!(
                limit,
                "descriptors run out: whoever connects is told to come later (421); `LimitNOFILE=` in the unit, or \
                 `ulimit -n`, says how many files and connections there may be"
            );
        }
    }

    /// Takes note of a connection that the system did not hand over.
    pub(crate) fn none_to_accept(&self, error: &io::Error, now: Instant) {
        if self.none.begins(now) {
            let limit = limit();
            warn!(
                %error,
                limit,
                "connections cannot be accepted, and wait; if there are no descriptors, `LimitNOFILE=` in the unit, or \
                 `ulimit -n`, says how many there may be"
            );
        }
    }

    /// Looks whether there are enough again, and says so.
    pub(crate) fn look(&self, now: Instant) {
        if let Some(over) = self.few.ends(now) {
            let limit = limit();
            info!(limit, turned_away = over.times, lasted = ?over.lasted, "there are descriptors for connections again");
        }
        if let Some(over) = self.none.ends(now) {
            info!(lasted = ?over.lasted, "connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_descriptors_are_not_for_sessions() {
        let descriptor = File::open("/dev/null").unwrap();
        let number = u64::try_from(descriptor.as_raw_fd()).unwrap();
        let beside = |limit| room(&descriptor, limit);
        assert_eq!(beside(number + LEAST_KEPT + 1), Room::Enough);
        assert_eq!(beside(number + LEAST_KEPT), Room::Little);
        assert_eq!(beside(number + LEAST_KEPT / 2), Room::None);
        assert_eq!(beside(number), Room::None);
        // Lowered below what is in use.
        assert_eq!(beside(0), Room::None);
    }

    #[test]
    fn a_share_of_them_is_kept_within_bounds() {
        for (limit, is) in [(64, 32), (1024, 128), (4096, 512), (1 << 20, 512)] {
            assert_eq!(kept(limit), is, "of {limit}");
        }
        assert_eq!(sessions_by(1024), 448);
        assert_eq!(sessions_by(16), 0);
    }
}
