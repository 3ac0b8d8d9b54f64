//! A message's header: as it came, and what is added to it when it is sent.

use std::fmt::Write as _;

use serde::Serialize;

use crate::event::sentence::printable;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::error::SpoolError;
use crate::spool::file_system::disk::Disk;
use crate::spool::place::{Place, Places};
use crate::spool::recovery::read_octets;

/// Octets of a header that are shown.
const MOST: usize = 256 << 10;

/// A message's header.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    id: MessageId,
    /// Lines that stand before the original ones when it is sent.
    added: Vec<String>,
    /// Lines as they came.
    original: Vec<String>,
}

/// Reads a message's header from the spool.
pub(super) fn read(places: &Places, place: Place, message: &QueuedMessage) -> Result<Header, SpoolError> {
    let body = read_octets(&Disk, places, place, message.id)?;
    let octets = beginning(body.as_ref()).map_err(|error| SpoolError::of(&places.body(message.id), error))?;
    let lines = |octets: &[u8]| -> Vec<String> {
        octets
            .split(|octet| *octet == b'\n')
            .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
            .take_while(|line| !line.is_empty())
            .collect()
    };
    Ok(Header { id: message.id, added: lines(message.trace.as_bytes()), original: lines(&octets) })
}

fn beginning(body: &dyn MessageOctets) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![0; usize::try_from(body.len()).unwrap_or(MOST).min(MOST)];
    let filled = body.fill_at(0, &mut octets)?;
    octets.truncate(filled);
    Ok(octets)
}

impl Header {
    /// For people: what is added with `+` before it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}:\n", self.id);
        let added = self.added.iter().map(|line| ('+', line));
        for (mark, line) in added.chain(self.original.iter().map(|line| (' ', line))) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{mark} {}", printable(line));
        }
        text
    }
}
