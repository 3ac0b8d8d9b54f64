//! A message that is held, as engines see it.

use std::io;
use std::os::fd::BorrowedFd;

/// A message that is held: what the next hop will get behind the trace fields, octet for octet.
///
/// Reads take a place, so that several engines read at the same time.
pub trait MessageOctets: Send + Sync {
    /// Octets there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads from a place; fewer octets than there is room for are the end, or a file's way.
    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize>;

    /// Reads on from a place until the room is full or the octets end; gives how many there were.
    fn fill_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(free) = room.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.read_at(offset + filled as u64, free)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// The file that holds exactly these octets, if one does.
    fn as_file(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl MessageOctets for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(room.len());
        if let (Some(room), Some(rest)) = (room.get_mut(..count), rest.get(..count)) {
            room.copy_from_slice(rest);
        }
        Ok(count)
    }
}

impl MessageOctets for Vec<u8> {
    fn len(&self) -> u64 {
        MessageOctets::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a time, and at a place ends before its length or fails.
    struct Slow {
        octets: &'static [u8],
        at: u64,
        then: Then,
    }

    #[derive(Clone, Copy)]
    enum Then {
        End,
        Fail,
    }

    impl MessageOctets for Slow {
        fn len(&self) -> u64 {
            self.octets.len() as u64
        }

        fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
            match self.then {
                Then::End if offset >= self.at => Ok(0),
                Then::Fail if offset >= self.at => Err(io::Error::other("a faulty disk")),
                _ => self.octets.read_at(offset, room.get_mut(..1).unwrap_or_default()),
            }
        }
    }

    fn slow(at: u64, then: Then) -> Slow {
        Slow { octets: b"0123456789", at, then }
    }

    #[test]
    fn what_comes_in_pieces_fills_the_room() {
        let mut room = [0; 4];
        assert_eq!(slow(10, Then::End).fill_at(3, &mut room).unwrap(), 4);
        assert_eq!(&room, b"3456");
        // No more is read than there is room for.
        assert_eq!(slow(7, Then::Fail).fill_at(3, &mut room).unwrap(), 4);
        assert_eq!(slow(0, Then::Fail).fill_at(0, &mut []).unwrap(), 0);
    }

    #[test]
    fn what_ends_early_leaves_room() {
        let mut room = [b'-'; 8];
        assert_eq!(slow(5, Then::End).fill_at(3, &mut room).unwrap(), 2);
        assert_eq!(&room, b"34------");
        assert_eq!(slow(10, Then::End).fill_at(12, &mut room).unwrap(), 0);
    }

    #[test]
    fn what_fails_behind_some_octets_fails() {
        let mut room = [0; 8];
        assert!(slow(5, Then::Fail).fill_at(3, &mut room).is_err());
    }
}
