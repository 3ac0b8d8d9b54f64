//! A message with other values in its header, or without some of its fields: made from where it is held, and held likewise.
//! Its parts stay what they were judged as: no rule is about a field that says what the parts are, and what came out is parsed
//! again to see that they are.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::Means;
use super::rewriting::{Cannot, No, Rewritten, read, write};
use super::signatures::DKIM;
use super::structure::structure;
use crate::action::header::{self, FieldChange};
use crate::action::rewrite::splice;
use crate::gateway::hops::{HopCounter, taken_out};
use crate::limits;
use crate::model::decision::MessageAction;
use crate::transport::held_message::HeldMessage;
use crate::wire::hexadecimal::hexadecimal;

/// Changes that are told.
const MOST_TOLD: usize = 20;
/// Names that a trace field takes, which is one line.
const MOST_NAMES: usize = 6;
const RECEIVED: &str = "Received";

/// Makes the message that goes on; `None` if no rule is about anything in it.
pub(super) async fn rewrite(message: &HeldMessage, means: Means<'_>) -> Result<Option<Rewritten>, No> {
    let rewriting = means.inspector.rewriting();
    let impossible = |Cannot(why)| No::Impossible { why, action: rewriting.not_possible.clone() };
    let header = section(message, means.inspector.limits().max_header_octets).map_err(impossible)?;
    let rewritten =
        header::rewrite(&header, means.header).map_err(|error| impossible(Cannot(error.text())))?;
    let removed = |name: &str| {
        let of_name =
            |change: &&FieldChange| change.replaced.is_none() && change.field.eq_ignore_ascii_case(name);
        rewritten.changes.iter().filter(of_name).count()
    };
    let hosts = removed(RECEIVED);
    if hosts > 0 && hops(&header) > limits::HOPS {
        let why = "it went through too many hosts, round in circles";
        return Err(No::Impossible { why, action: MessageAction::Refuse });
    }
    if rewritten.splices.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = rewritten.changes.iter().map(|change| change.field.clone()).collect();
    let breaks_dkim = header::covers(&header, &names);
    if breaks_dkim && rewriting.dkim != MessageAction::Rewrite {
        let why = "a DKIM signature covers its header";
        return Err(No::Impossible { why, action: rewriting.dkim.clone() });
    }
    let mut splices: Vec<(Range<u64>, Vec<u8>)> = Vec::new();
    let mut is_counted = hosts == 0;
    for part in rewritten.splices {
        let is_received = header.get(part.range.clone()).is_some_and(is_received_field);
        // The first that goes leaves a number, so that a message cannot go round for ever.
        let with = if is_received && part.with.is_empty() && !std::mem::replace(&mut is_counted, true) {
            taken_out(hosts)
        } else {
            part.with
        };
        splices.push((part.range.start as u64..part.range.end as u64, with));
    }
    let pieces = splice(message.len(), splices)
        .map_err(|_| impossible(Cannot("the fields of its header have no places of their own")))?;
    let mut digest = Sha256::new();
    let held = write(message, pieces, means, Some(&mut digest)).await.map_err(impossible)?;
    let (before, after) = (structure(message, means).await, structure(&held, means).await);
    if before.map_err(impossible)? != after.map_err(impossible)? {
        return Err(impossible(Cannot("with another header its parts would not be what they were")));
    }
    Ok(Some(Rewritten {
        octets: held.len(),
        sha256: hexadecimal(&digest.finalize()),
        held,
        changes: told(&rewritten.changes),
        broken: breaks_dkim.then(|| DKIM.to_owned()).into_iter().collect(),
        done: done(&rewritten.changes),
    }))
}

/// The header section, with the empty line at its end if it has one.
fn section(message: &HeldMessage, max_octets: usize) -> Result<Vec<u8>, Cannot> {
    let mut octets = Vec::new();
    let mut looked = 0;
    loop {
        if octets.starts_with(b"\r\n") {
            octets.truncate(2);
            return Ok(octets);
        }
        let end = memchr::memmem::find(octets.get(looked..).unwrap_or_default(), b"\r\n\r\n");
        if let Some(end) = end {
            octets.truncate(looked + end + 4);
            return Ok(octets);
        }
        let start = octets.len() as u64;
        if start == message.len() {
            return Ok(octets);
        }
        if octets.len() > max_octets {
            return Err(Cannot("its header is too long"));
        }
        looked = octets.len().saturating_sub(3);
        octets.append(&mut read(message, start, message.len().min(start + PIECE))?);
    }
}

/// Octets of a header that are read at a time.
const PIECE: u64 = 16 << 10;

fn hops(header: &[u8]) -> u32 {
    let mut counter = HopCounter::default();
    counter.push(header);
    counter.count()
}

fn is_received_field(field: &[u8]) -> bool {
    let name = field.split(|octet| *octet == b':').next().unwrap_or_default();
    name.eq_ignore_ascii_case(RECEIVED.as_bytes())
}

/// For the record, one by one.
fn told(changes: &[FieldChange]) -> Vec<String> {
    let mut told: Vec<String> = changes
        .iter()
        .take(MOST_TOLD)
        .map(|FieldChange { field, replaced }| match replaced {
            Some((old, new)) => format!("field {field}: {old} -> {new}"),
            None => format!("field {field} removed"),
        })
        .collect();
    if changes.len() > MOST_TOLD {
        told.push(format!("and {} more fields", changes.len() - MOST_TOLD));
    }
    told
}

/// For the trace field: each name once, without values.
fn done(changes: &[FieldChange]) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    for FieldChange { field, replaced } in changes {
        let text = format!("{field} {}", if replaced.is_some() { "rewritten" } else { "removed" });
        if !done.iter().any(|known| known.eq_ignore_ascii_case(&text)) && done.len() < MOST_NAMES {
            done.push(text);
        }
    }
    done
}
