//! What an earlier run left: sessions without an account, and perhaps half a line.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use tracing::warn;

use crate::audit::ledger::Ledger;
use crate::audit::line::OpenSessions;
use crate::audit::timestamp;
use crate::event::session_event::Record;

/// Reads which sessions a file leaves open. A line that is no record says nothing and is passed over.
pub(crate) fn read_ledger(file: &File) -> io::Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    let mut unreadable = 0_u64;
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if let Ok(record) = serde_json::from_slice::<Record>(&line) {
            let micros = timestamp::parse(&record.time).unwrap_or(0);
            let _ = ledger.enter(micros, record.session, record.event);
        } else if let Ok(list) = serde_json::from_slice::<OpenSessions>(&line) {
            ledger.open = list.open;
        } else {
            unreadable += 1;
        }
    }
    if unreadable > 0 {
        warn!(
            lines = unreadable,
            "there are lines among the records that cannot be read; they are passed over"
        );
    }
    Ok(ledger)
}

/// Puts a last line that was cut off aside, so that the next record begins on a line of its own.
pub(crate) fn put_torn_line_aside(file: &mut File, path: &Path) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let window = length.min(MAX_LINE);
    let start = length - window;
    file.seek(SeekFrom::Start(start))?;
    let mut tail = vec![0; usize::try_from(window).unwrap_or(0)];
    file.read_exact(&mut tail)?;
    let whole = tail.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    let torn = tail.get(whole..).unwrap_or_default();
    if torn.is_empty() {
        return Ok(());
    }
    let aside = path.with_extension("torn");
    warn!(octets = torn.len(), aside = %aside.display(), "the last record was cut off; it is put aside");
    fs::write(&aside, torn)?;
    file.set_len(start + whole as u64)
}

/// Octets of a line at most: a thousand forward-paths of the longest kind, and room.
pub(crate) const MAX_LINE: u64 = 1 << 20;
