//! What a device holds at some point of its record, in memory: blocks that are not all zeros.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};

/// Octets of a device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    blocks: BTreeMap<u64, Box<[u8]>>,
}

/// Octets of a block.
const BLOCK: u64 = 4096;

impl Image {
    /// What a file holds; holes are not read.
    pub(crate) fn of(file: &File, octets: u64) -> io::Result<Self> {
        let mut image = Self::default();
        let mut block = vec![0; BLOCK as usize];
        let mut at = 0;
        while at < octets {
            at = match seek(file, SeekFrom::Data(at)) {
                Ok(found) => found / BLOCK * BLOCK,
                // Nothing but a hole up to the end.
                Err(rustix::io::Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            file.read_exact_at(&mut block, at)?;
            image.write(at, &block);
            at += BLOCK;
        }
        Ok(image)
    }

    /// Writes octets.
    pub(crate) fn write(&mut self, mut at: u64, mut octets: &[u8]) {
        while !octets.is_empty() {
            let within = (at % BLOCK) as usize;
            let (now, rest) = octets.split_at(octets.len().min(BLOCK as usize - within));
            let number = at / BLOCK;
            if now.iter().any(|octet| *octet != 0) || self.blocks.contains_key(&number) {
                let block =
                    self.blocks.entry(number).or_insert_with(|| vec![0; BLOCK as usize].into_boxed_slice());
                block[within..within + now.len()].copy_from_slice(now);
            }
            at += now.len() as u64;
            octets = rest;
        }
    }

    /// Makes octets zero, as the device here does with what is not needed any more.
    pub(crate) fn clear(&mut self, at: u64, octets: u64) {
        let (mut at, end) = (at, at + octets);
        while at < end {
            let next = (at / BLOCK + 1) * BLOCK;
            if at.is_multiple_of(BLOCK) && next <= end {
                self.blocks.remove(&(at / BLOCK));
            } else {
                self.write(at, &vec![0; (next.min(end) - at) as usize]);
            }
            at = next;
        }
    }

    /// Makes a file hold this and nothing else.
    pub(crate) fn put(&self, file: &File, octets: u64) -> io::Result<()> {
        fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, octets)?;
        self.blocks.iter().try_for_each(|(number, block)| file.write_all_at(block, number * BLOCK))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::Image;

    fn octets(image: &Image) -> Vec<u8> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(16_384).unwrap();
        file.write_all_at(&[1; 16_384], 0).unwrap();
        image.put(&file, 16_384).unwrap();
        let mut octets = vec![9; 16_384];
        file.read_exact_at(&mut octets, 0).unwrap();
        octets
    }

    #[test]
    fn writes_and_discards_leave_what_they_would_on_a_device() {
        let (mut image, mut model) = (Image::default(), vec![0; 16_384]);
        image.write(512, &[3; 8192]);
        model[512..8704].fill(3);
        assert_eq!(octets(&image), model);
        image.write(1024, &[0; 512]);
        model[1024..1536].fill(0);
        assert_eq!(octets(&image), model);
        image.clear(3584, 5000);
        model[3584..8584].fill(0);
        assert_eq!(octets(&image), model);
    }

    #[test]
    fn a_file_is_read_with_its_holes() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(16_384).unwrap();
        file.write_all_at(&[5; 100], 9000).unwrap();
        let mut model = vec![0; 16_384];
        model[9000..9100].fill(5);
        assert_eq!(octets(&Image::of(&file, 16_384).unwrap()), model);
    }
}
