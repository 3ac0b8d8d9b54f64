//! The log line of a record, made from the same value.

use tracing::{Level, debug, enabled, error, info};

use crate::event::sentence::sentence;
use crate::event::session_event::{Record, SessionEvent};
use crate::model::decision::MessageAction;
use crate::model::tracking::Tracking;

/// Whether the log is to say anything about a fact: what somebody should hear of at `info`, the rest at `debug`.
pub(crate) fn is_wanted(event: &SessionEvent) -> bool {
    let is_alert = matches!(event, SessionEvent::Dequeued { track: Tracking::Alert, .. });
    enabled!(Level::DEBUG) || is_telling(event) && enabled!(Level::INFO) || is_alert && enabled!(Level::ERROR)
}

/// Logs a record that is wanted.
pub(crate) fn log(record: &Record) {
    let text = sentence(&record.event);
    let id = match record.message {
        Some(number) => format!("{}.{number}", record.session),
        None => record.session.to_string(),
    };
    if let SessionEvent::Dequeued { track: Tracking::Alert, .. } = record.event {
        error!(%id, alert = true, "{text}");
    } else if is_telling(&record.event) {
        info!(%id, "{text}");
    } else {
        debug!(%id, "{text}");
    }
}

fn is_telling(event: &SessionEvent) -> bool {
    match event {
        SessionEvent::Account { .. } | SessionEvent::TlsFailed { .. } | SessionEvent::Note { .. } => true,
        SessionEvent::Dequeued { track, .. } => !track.is_none(),
        SessionEvent::Judged { action, .. } => *action != MessageAction::Pass,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::model::session_id::SessionId;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_attempt_is_logged_as_it_is_tracked() {
        for (track, expected) in
            [(Tracking::None, None), (Tracking::Log, Some(" INFO ")), (Tracking::Alert, Some("ERROR "))]
        {
            let written = Written::default();
            let writer = written.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(Level::INFO)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            let event = SessionEvent::Dequeued {
                outcome: "deferred".to_owned(),
                recipients: Vec::new(),
                why: "connection refused".to_owned(),
                rule_name: "mail".to_owned(),
                policy: 1,
                tls_by: crate::model::tls_demand::TlsDecider::None,
                track,
            };
            tracing::subscriber::with_default(subscriber, || {
                if is_wanted(&event) {
                    let session = SessionId::new(1, [1; 10]);
                    log(&Record { time: String::new(), sequence: 1, session, message: Some(1), event });
                }
            });
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.lines().count(), usize::from(expected.is_some()), "{text}");
            assert!(expected.is_none_or(|level| text.contains(level)), "{text}");
            assert_eq!(text.contains("alert=true"), track == Tracking::Alert, "{text}");
        }
    }
}
