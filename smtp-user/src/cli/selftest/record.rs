//! What the records say of the session in which EICAR was sent.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::audit::reader::Reader;
use crate::cli::records_args::RecordsArgs;
use crate::event::sentence::sentence;
use crate::event::session_event::{Record, SessionEvent};
use crate::model::decision::MessageAction;
use crate::model::session_id::SessionId;

/// How often is looked again: records are written a moment after the fact.
const AGAIN: Duration = Duration::from_millis(50);

/// Which session is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// The one that the reply names.
    Named(SessionId),
    /// The one that an originator opened since a time, microseconds since 1970: the next hop's reply names none.
    Of(SocketAddr, u64),
}

/// What became of EICAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Refused,
    Quarantined,
    Rewritten,
    Dropped,
    Blocked,
}

impl Deed {
    /// In a few words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Quarantined => "put into quarantine",
            Self::Rewritten => "taken out, and the rest sent on",
            Self::Dropped => "dropped",
            Self::Blocked => "dropped, and the sender banned",
        }
    }
}

/// What the records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) session: String,
    pub(super) deed: Deed,
    /// In sentences.
    pub(super) said: String,
}

/// Why the records do not say that it was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Untold {
    /// They cannot be read, or nothing is in them about it.
    Nothing(String),
    /// It was let pass, or nobody knows yet.
    Otherwise(String),
}

/// What is recorded, or why there is nothing that says what it should.
pub(super) fn wait_for(args: &RecordsArgs, wanted: Wanted, limit: Duration) -> Result<Told, Untold> {
    let end = Instant::now() + limit;
    loop {
        let records = read(args, wanted).map_err(Untold::Nothing)?;
        if let Some(told) = judge(&records) {
            return Ok(told);
        }
        if Instant::now() >= end {
            return Err(why_not(&records));
        }
        thread::sleep(AGAIN);
    }
}

fn read(args: &RecordsArgs, wanted: Wanted) -> Result<Vec<Record>, String> {
    let (from, mut name) = match wanted {
        Wanted::Named(session) => (session.unix_ms().saturating_mul(1000), Some(session.to_string())),
        Wanted::Of(_, since) => (since, None),
    };
    let mut reader: Reader = args.open(from).map_err(|error| format!("{error:#}"))?;
    let mut records: Vec<Record> = Vec::new();
    while let Some(raw) = reader.next_record().map_err(|error| error.to_string())? {
        if name.is_none()
            && let (Wanted::Of(own, _), Some(record)) = (wanted, raw.parse())
            && matches!(&record.event, SessionEvent::Opened { peers } if peers.originator == own)
        {
            name = Some(raw.session().to_owned());
        }
        if name.as_deref() == Some(raw.session()) {
            records.extend(raw.parse());
        }
    }
    Ok(records)
}

/// The judgement, once it and what follows from it are there.
fn judge(records: &[Record]) -> Option<Told> {
    // The last: what cannot be rewritten is judged more strictly.
    let (judged, action) = records.iter().rev().find_map(|record| match &record.event {
        SessionEvent::Judged { action, .. } => Some((record, action)),
        _ => None,
    })?;
    let followed = |is_it: fn(&SessionEvent) -> bool| {
        records.iter().find(|record| record.message == judged.message && is_it(&record.event))
    };
    let (deed, further) = match action {
        MessageAction::Refuse => {
            let is_refusal = |event: &SessionEvent| {
                matches!(event, SessionEvent::Replied { code: 554, from_next_hop: false, .. })
            };
            followed(is_refusal).map(|_| (Deed::Refused, None))
        }
        MessageAction::Quarantine => {
            followed(|event| matches!(event, SessionEvent::Quarantined { original: false, .. }))
                .map(|_| (Deed::Quarantined, None))
        }
        MessageAction::Rewrite => followed(|event| matches!(event, SessionEvent::Rewritten { .. }))
            .map(|rewritten| (Deed::Rewritten, Some(sentence(&rewritten.event)))),
        MessageAction::Drop => Some((Deed::Dropped, None)),
        MessageAction::Block => Some((Deed::Blocked, None)),
        MessageAction::Defer | MessageAction::Pass => None,
    }?;
    let said = [Some(sentence(&judged.event)), further].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some(Told { session: judged.session.to_string(), deed, said })
}

fn why_not(records: &[Record]) -> Untold {
    let judged = records.iter().rev().find(|record| matches!(record.event, SessionEvent::Judged { .. }));
    match (judged, records) {
        (Some(judged), _) => Untold::Otherwise(format!(
            "what is recorded of that session does not say that EICAR was stopped: {}",
            sentence(&judged.event)
        )),
        (None, []) => Untold::Nothing("no record is kept of that session".to_owned()),
        (None, _) => Untold::Otherwise("what is recorded of that session has no judgement".to_owned()),
    }
}
