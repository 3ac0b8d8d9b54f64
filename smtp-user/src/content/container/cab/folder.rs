//! Folders of a cabinet: blocks of octets, compressed by `MSZIP` or LZX.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress};
use lzxd::{Lzxd, WindowSize};

/// Where a folder is.
pub(super) struct Folder {
    pub(super) start: usize,
    pub(super) blocks: u16,
    pub(super) method: u16,
    /// Octets in the header of each block that mean nothing here.
    pub(super) block_reserve: usize,
}

/// Reads a folder from its start.
pub(super) struct FolderReader<'o> {
    octets: &'o [u8],
    at: usize,
    blocks: u16,
    reserve: usize,
    method: Method,
    block: Vec<u8>,
    given: usize,
}

enum Method {
    Stored,
    /// What the next block may refer to.
    Mszip(Vec<u8>),
    Lzx(Box<Lzxd>),
}

/// Octets that a block of `MSZIP` may refer to, and that it has at most.
const WINDOW: usize = 32 << 10;

impl<'o> FolderReader<'o> {
    /// `None` if nothing here knows the method.
    pub(super) fn new(octets: &'o [u8], folder: &Folder) -> Option<Self> {
        let method = match folder.method & 15 {
            0 => Method::Stored,
            1 => Method::Mszip(Vec::new()),
            3 => Method::Lzx(Box::new(Lzxd::new(window(folder.method >> 8 & 31)?))),
            _ => return None,
        };
        let Folder { start, blocks, block_reserve, .. } = *folder;
        Some(Self { octets, at: start, blocks, reserve: block_reserve, method, block: Vec::new(), given: 0 })
    }

    fn next_block(&mut self) -> Option<Vec<u8>> {
        let header = self.octets.get(self.at..self.at.checked_add(8)?)?;
        let [_, _, _, _, a, b, c, d] = header else { return None };
        let (packed, unpacked) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let start = self.at + 8 + self.reserve;
        let data = self.octets.get(start..start + usize::from(packed))?;
        self.at = start + data.len();
        match &mut self.method {
            Method::Stored => Some(data.to_vec()),
            Method::Mszip(window) => {
                let block = inflate(data.strip_prefix(b"CK")?, window, usize::from(unpacked))?;
                window.extend_from_slice(&block);
                window.drain(..window.len().saturating_sub(WINDOW));
                Some(block)
            }
            Method::Lzx(decoder) => {
                decoder.decompress_next(data, usize::from(unpacked)).ok().map(<[u8]>::to_vec)
            }
        }
    }
}

impl Read for FolderReader<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            if self.blocks == 0 {
                return Ok(0);
            }
            self.blocks -= 1;
            self.block = self.next_block().ok_or(io::ErrorKind::InvalidData)?;
            self.given = 0;
        }
        let mut rest = self.block.get(self.given..).unwrap_or_default();
        let count = rest.read(room)?;
        self.given += count;
        Ok(count)
    }
}

fn inflate(data: &[u8], window: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut decoder = Decompress::new(false);
    if !window.is_empty() {
        decoder.set_dictionary(window).ok()?;
    }
    let mut block = Vec::with_capacity(length.max(WINDOW));
    decoder.decompress_vec(data, &mut block, FlushDecompress::Finish).ok()?;
    (block.len() >= length).then_some(block)
}

fn window(bits: u16) -> Option<WindowSize> {
    Some(match bits {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        21 => WindowSize::MB2,
        _ => return None,
    })
}
