//! Buffers that are lent for as long as there are octets in them, so that an idle connection has none.

use std::cell::RefCell;

/// Octets of one buffer.
pub(crate) const BUFFER_OCTETS: usize = 32 << 10;
/// Buffers that a thread keeps for the next one who asks.
const KEPT: usize = 32;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with octets from a peer that nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Empty only while it is being dropped.
    room: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer.
    pub(crate) fn lend() -> Self {
        let kept = POOL.with(|pool| pool.borrow_mut().pop());
        let room = kept.unwrap_or_else(|| vec![0; BUFFER_OCTETS].into_boxed_slice());
        Self { room, start: 0, end: 0 }
    }

    /// Room for all it can hold; what was in it is gone.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        &mut self.room
    }

    /// Says how much of the room was filled.
    pub(crate) fn fill(&mut self, octets: usize) {
        self.end = octets.min(self.room.len());
    }

    /// What nobody has looked at yet.
    pub(crate) fn octets(&self) -> &[u8] {
        self.room.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes octets from the front.
    pub(crate) fn consume(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets).min(self.end);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.room);
        // The pool is gone when the thread ends.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut()
                && pool.len() < KEPT
            {
                pool.push(room);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_OCTETS, Buffer};

    #[test]
    fn octets_are_taken_from_the_front() {
        let mut buffer = Buffer::lend();
        assert!(buffer.octets().is_empty());
        buffer.room()[..5].copy_from_slice(b"hello");
        buffer.fill(5);
        buffer.consume(2);
        assert_eq!(buffer.octets(), b"llo");
        buffer.consume(9);
        assert!(buffer.octets().is_empty());
        assert_eq!(buffer.room().len(), BUFFER_OCTETS);
    }
}
