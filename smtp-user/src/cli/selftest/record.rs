//! What the records say of the session that refused EICAR.

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

/// The record in a sentence, or why there is none that says what it should.
pub(super) fn wait_for(args: &RecordsArgs, session: &SessionId, limit: Duration) -> Result<String, String> {
    let end = Instant::now() + limit;
    loop {
        let records = read(args, session)?;
        match judge(&records) {
            Some(said) => return Ok(said),
            None if Instant::now() < end => thread::sleep(AGAIN),
            None if records.is_empty() => return Err("no record is kept of that session".to_owned()),
            None => {
                return Err("what is recorded of that session does not say that it was refused".to_owned());
            }
        }
    }
}

fn read(args: &RecordsArgs, session: &SessionId) -> Result<Vec<Record>, String> {
    let from = session.unix_ms().saturating_mul(1000);
    let name = session.to_string();
    let mut reader: Reader = args.open(from).map_err(|error| format!("{error:#}"))?;
    let mut records = Vec::new();
    while let Some(raw) = reader.next_record().map_err(|error| error.to_string())? {
        if raw.session() == name {
            records.extend(raw.parse());
        }
    }
    Ok(records)
}

/// The sentence of the judgement, once it and the refusal are there.
fn judge(records: &[Record]) -> Option<String> {
    let judged = records
        .iter()
        .find(|record| matches!(&record.event, SessionEvent::Judged { action: MessageAction::Refuse, .. }))?;
    let replied = records.iter().any(|record| {
        let of_message = record.message == judged.message;
        of_message && matches!(record.event, SessionEvent::Replied { code: 554, from_next_hop: false, .. })
    });
    replied.then(|| sentence(&judged.event))
}
