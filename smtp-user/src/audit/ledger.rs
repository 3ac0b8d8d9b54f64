//! Which sessions are open. It sees to it that every one gets one account, and no second.

use std::collections::BTreeMap;

use crate::audit::line::Tally;
use crate::event::session_event::SessionEvent;
use crate::model::decision::MessageAction;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::session_id::SessionId;

/// The open sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) open: BTreeMap<SessionId, Tally>,
}

impl Ledger {
    /// Takes note of a fact. One that would spoil the accounts is turned into a note that says so.
    pub(crate) fn enter(
        &mut self,
        unix_micros: u64,
        session: SessionId,
        event: SessionEvent,
    ) -> SessionEvent {
        let open = self.open.get_mut(&session);
        match (&event, open) {
            (SessionEvent::Opened { .. }, None) => {
                self.open
                    .insert(session, Tally { opened: unix_micros, last: unix_micros, ..Tally::default() });
            }
            (SessionEvent::Opened { .. }, Some(_)) => return spoilt("opened_twice", &event),
            (SessionEvent::Account { .. }, Some(_)) => {
                self.open.remove(&session);
            }
            (SessionEvent::Account { .. }, None) => return spoilt("account_of_no_open_session", &event),
            (_, Some(tally)) => {
                tally.last = unix_micros;
                tally.enter(&event);
            }
            (_, None) => {}
        }
        event
    }

    /// Accounts of everything that is still open, which is then no longer.
    pub(crate) fn close_all(&mut self, reason: &str) -> Vec<(SessionId, SessionEvent)> {
        let account = |tally: Tally| SessionEvent::Account {
            disposition: Disposition::Failed(reason.to_owned()),
            delivered: tally.delivered,
            refused: tally.refused,
            deferred: tally.deferred,
            quarantined: tally.quarantined,
            client_octets: [0; 2],
            server_octets: [0; 2],
            millis: tally.last.saturating_sub(tally.opened) / 1000,
        };
        std::mem::take(&mut self.open).into_iter().map(|(session, tally)| (session, account(tally))).collect()
    }
}

impl Tally {
    fn enter(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Replied { code, .. } => match (code, std::mem::take(&mut self.is_kept)) {
                (200..=299, true) => self.quarantined += 1,
                (200..=299, false) => self.delivered += 1,
                _ => {}
            },
            SessionEvent::Judged { action: MessageAction::Quarantine, .. } => self.is_kept = true,
            SessionEvent::Judged {
                action: MessageAction::Refuse | MessageAction::Drop | MessageAction::Block,
                ..
            } => self.refused += 1,
            SessionEvent::Judged { action: MessageAction::Defer, .. } => self.deferred += 1,
            _ => {}
        }
    }
}

fn spoilt(what: &str, event: &SessionEvent) -> SessionEvent {
    let detail = match event {
        SessionEvent::Account { disposition, .. } => Some(match disposition.reason() {
            Some(reason) => format!("{} ({reason})", disposition.name()),
            None => disposition.name().to_owned(),
        }),
        _ => None,
    };
    SessionEvent::Note { leg: Leg::Client, what: what.to_owned(), detail }
}
