//! Reads what Linux's device-mapper target `log-writes` has recorded of a device: every write in the order in which it
//! could be relied on, and the marks between. See `Documentation/admin-guide/device-mapper/log-writes.rst` and the
//! structures at the head of `drivers/md/dm-log-writes.c`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// A record, read from its beginning.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// Octets of what the record calls a sector.
    sector: u64,
    entries: u64,
    read: u64,
    /// Where the next entry stands.
    at: u64,
}

/// Something that happened to the device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// How many were before it.
    pub(crate) number: u64,
    /// What it was.
    pub(crate) what: What,
    /// Whether it was a flush or a write that goes past the device's cache: who waited for it may rely on all before it.
    pub(crate) is_durable: bool,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Octets were written there; a flush alone writes none.
    Write { at: u64, octets: Vec<u8> },
    /// So many octets are not needed any more.
    Discard { at: u64, octets: u64 },
    /// A word of whoever made the record.
    Mark(String),
}

impl Log {
    /// Opens one that is complete: its device has been removed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).context("reading the head of the record")?;
        let (magic, version) = (number_at(&head, 0)?, number_at(&head, 8)?);
        if magic != MAGIC || version != VERSION {
            bail!("no record of log-writes, or of another version: {magic:#x}, {version}");
        }
        // Four octets of it count; what follows in the sector is zero.
        let sector = number_at(&head, 24)? & u64::from(u32::MAX);
        if !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
            bail!("sectors of {sector} octets");
        }
        Ok(Self { file, sector, entries: number_at(&head, 16)?, read: 0, at: sector })
    }

    /// The next entry.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>> {
        if self.read == self.entries {
            return Ok(None);
        }
        let number = self.read;
        let mut head = [0; HEAD];
        self.file.read_exact_at(&mut head, self.at).with_context(|| format!("reading entry {number}"))?;
        let (at, count) = (number_at(&head, 0)? * self.sector, number_at(&head, 8)? * self.sector);
        let (flags, length) = (number_at(&head, 16)?, number_at(&head, 24)?);
        let behind = self.at + self.sector;
        let (what, kept) = if flags & MARK != 0 {
            if length > self.sector - HEAD as u64 {
                bail!("entry {number} has a mark of {length} octets");
            }
            let word = self.octets(self.at + HEAD as u64, length)?;
            (What::Mark(String::from_utf8_lossy(&word).trim_end_matches('\0').to_owned()), 0)
        } else if flags & DISCARD != 0 {
            (What::Discard { at, octets: count }, 0)
        } else {
            if count > MOST {
                bail!("entry {number} writes {count} octets");
            }
            (What::Write { at, octets: self.octets(behind, count)? }, count)
        };
        self.at = behind + kept;
        self.read += 1;
        Ok(Some(Entry { number, what, is_durable: flags & (FLUSH | FUA) != 0 }))
    }

    fn octets(&self, at: u64, count: u64) -> Result<Vec<u8>> {
        let mut octets = vec![0; usize::try_from(count)?];
        self.file.read_exact_at(&mut octets, at).context("the record ends early")?;
        Ok(octets)
    }
}

fn number_at(head: &[u8; HEAD], at: usize) -> Result<u64> {
    let octets = head.get(at..at + 8).context("behind the head")?;
    Ok(u64::from_le_bytes(octets.try_into()?))
}

/// Octets of the record's head that count, and of an entry's.
const HEAD: usize = 32;
const MAGIC: u64 = 0x6a_7366_7773_6872;
const VERSION: u64 = 1;
const FLUSH: u64 = 1;
const FUA: u64 = 1 << 1;
const DISCARD: u64 = 1 << 2;
const MARK: u64 = 1 << 3;
/// No single write is larger.
const MOST: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Entry, Log, What};

    /// As the kernel writes it: a sector of its own for the head and for each entry, what was written behind.
    #[derive(Default)]
    struct Record {
        octets: Vec<u8>,
        entries: u64,
    }

    impl Record {
        fn entry(&mut self, fields: [u64; 4], mark: &str, written: &[u8]) {
            self.entries += 1;
            self.octets.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
            self.octets.extend(mark.as_bytes());
            self.octets.resize(self.octets.len().next_multiple_of(512), 0);
            self.octets.extend(written);
        }

        fn open(&self) -> anyhow::Result<Log> {
            let mut file = tempfile::NamedTempFile::new()?;
            let mut head: Vec<u8> = [super::MAGIC, 1, self.entries, 512]
                .iter()
                .flat_map(|field: &u64| field.to_le_bytes())
                .collect();
            head.resize(512, 0);
            file.write_all(&head)?;
            file.write_all(&self.octets)?;
            Log::open(file.path())
        }
    }

    #[test]
    fn entries_are_read_in_their_order() {
        let mut record = Record::default();
        record.entry([8, 1, 0, 0], "", &[7; 512]);
        record.entry([0, 0, 1, 0], "", &[]);
        record.entry([0, 0, 8, 7], "taken.5", &[]);
        record.entry([16, 2, 4, 0], "", &[]);
        record.entry([9, 1, 3, 0], "", &[9; 512]);
        let mut log = record.open().unwrap();
        let mut all = Vec::new();
        while let Some(entry) = log.next().unwrap() {
            all.push(entry);
        }
        let entry = |number, what, is_durable| Entry { number, what, is_durable };
        assert_eq!(
            all,
            [
                entry(0, What::Write { at: 4096, octets: vec![7; 512] }, false),
                entry(1, What::Write { at: 0, octets: Vec::new() }, true),
                entry(2, What::Mark("taken.5".to_owned()), false),
                entry(3, What::Discard { at: 8192, octets: 1024 }, false),
                entry(4, What::Write { at: 4608, octets: vec![9; 512] }, true),
            ]
        );
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[0; 4096]).unwrap();
        assert!(Log::open(file.path()).is_err());
    }

    #[test]
    fn a_record_that_ends_early_is_an_error() {
        let mut record = Record::default();
        record.entry([8, 4, 0, 0], "", &[7; 512]);
        assert!(record.open().unwrap().next().is_err());
    }
}
