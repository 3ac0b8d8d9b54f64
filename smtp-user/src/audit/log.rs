//! The log line of a record, made from the same value.

use tracing::{Level, debug, enabled, info};

use crate::event::sentence::sentence;
use crate::event::session_event::{Record, SessionEvent};
use crate::model::decision::MessageAction;

/// Whether the log is to say anything about a fact: what somebody should hear of at `info`, the rest at `debug`.
pub(crate) fn is_wanted(event: &SessionEvent) -> bool {
    enabled!(Level::DEBUG) || is_telling(event) && enabled!(Level::INFO)
}

/// Logs a record that is wanted.
pub(crate) fn log(record: &Record) {
    let text = sentence(&record.event);
    let id = match record.message {
        Some(number) => format!("{}.{number}", record.session),
        None => record.session.to_string(),
    };
    if is_telling(&record.event) {
        info!(%id, "{text}");
    } else {
        debug!(%id, "{text}");
    }
}

fn is_telling(event: &SessionEvent) -> bool {
    match event {
        SessionEvent::Account { .. } | SessionEvent::TlsFailed { .. } | SessionEvent::Note { .. } => true,
        SessionEvent::Judged { action, .. } => *action != MessageAction::Pass,
        _ => false,
    }
}
