//! Whether the inspector accepts connections, as the daemon's heartbeat asks it.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// What the inspector tells of itself, and the heartbeat passes on to the kernel program.
///
/// The inspector calls [`beat`](Self::beat) from its accept loops, several times a second whether or not anybody calls;
/// the heartbeat, every 100 ms, asks [`is_alive`](Self::is_alive). Without beats for a second new flows follow their
/// rules' `when_down`.
#[derive(Debug, Default)]
pub struct Pulse {
    beats_left: AtomicU32,
    ports: [AtomicU16; 2],
}

/// Questions of the heartbeat that one beat answers: half a second's.
const BEATS: u32 = 5;
/// In place of beats when it is closed.
const CLOSED: u32 = u32::MAX;

impl Pulse {
    /// The inspector accepts connections, on these ports of the loopback addresses (IPv4 and IPv6; 0 is "none").
    pub fn open(&self, ports: [u16; 2]) {
        for (mine, port) in self.ports.iter().zip(ports) {
            mine.store(port, Ordering::Relaxed);
        }
        self.beats_left.store(BEATS, Ordering::Release);
    }

    /// An accept loop has come round. After [`close`](Self::close) that says nothing any more.
    pub fn beat(&self) {
        let beats = |left| (left != CLOSED).then_some(BEATS);
        let _ = self.beats_left.fetch_update(Ordering::AcqRel, Ordering::Acquire, beats);
    }

    /// The inspector takes no more connections.
    pub fn close(&self) {
        self.beats_left.store(CLOSED, Ordering::Release);
    }

    /// Whether the accept loop has come round lately; for the heartbeat alone, since each question uses a beat up.
    pub fn is_alive(&self) -> bool {
        let fewer = |left: u32| if left == CLOSED { None } else { left.checked_sub(1) };
        self.beats_left.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer).is_ok()
    }

    /// Ports of the listeners.
    pub fn ports(&self) -> [u16; 2] {
        let [v4, v6] = &self.ports;
        [v4.load(Ordering::Relaxed), v6.load(Ordering::Relaxed)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accept_loop_that_stands_still_is_soon_not_alive() {
        let pulse = Pulse::default();
        assert!(!pulse.is_alive());
        pulse.open([7, 8]);
        assert_eq!(pulse.ports(), [7, 8]);
        assert!((0..BEATS).all(|_| pulse.is_alive()));
        assert!(!pulse.is_alive());
        pulse.beat();
        assert!(pulse.is_alive());
        pulse.close();
        assert!(!pulse.is_alive());
        pulse.beat();
        assert!(!pulse.is_alive(), "another loop may come round once more");
        pulse.open([7, 8]);
        assert!(pulse.is_alive());
    }
}
