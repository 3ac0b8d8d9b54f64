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
