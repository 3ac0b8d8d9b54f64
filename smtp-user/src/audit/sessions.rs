//! Sessions, put together from their records.

use std::collections::HashMap;

use crate::audit::reader::RawRecord;
use crate::event::session_event::SessionEvent;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::session_id::SessionId;
use crate::model::tls_facts::TlsFacts;

/// A session as its records tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// When it was opened.
    pub time: String,
    /// Who, to whom, by which rule.
    pub peers: Peers,
    /// TLS of the client leg.
    pub client_tls: Option<TlsFacts>,
    /// TLS of the server leg.
    pub server_tls: Option<TlsFacts>,
    /// Reverse-paths, one a message.
    pub from: Vec<String>,
    /// Forward-paths that the next hop accepted, of all messages.
    pub to: Vec<String>,
    /// How it ended, if it has.
    pub account: Option<Account>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// When.
    pub time: String,
    /// How.
    pub disposition: Disposition,
    /// Messages that the next hop took.
    pub delivered: u32,
    /// Messages that were refused.
    pub refused: u32,
    /// Messages that were put off.
    pub deferred: u32,
    /// Messages that were accepted and kept.
    pub quarantined: u32,
    /// Octets from the originator, and to it.
    pub client_octets: [u64; 2],
    /// Octets from the next hop, and to it.
    pub server_octets: [u64; 2],
    /// From first to last, milliseconds.
    pub millis: u64,
}

/// Puts sessions together. It holds those that are open, and nothing of the others.
#[derive(Debug, Default)]
pub struct Sessions {
    open: HashMap<SessionId, Session>,
}

impl Sessions {
    /// Takes a record; gives the session when that was its last.
    pub fn enter(&mut self, raw: &RawRecord<'_>) -> Option<Session> {
        if !matches!(raw.event(), "opened" | "tls" | "envelope" | "account") {
            return None;
        }
        let record = raw.parse()?;
        let id = record.session;
        match record.event {
            SessionEvent::Opened { peers } => {
                let session = Session {
                    id,
                    time: record.time,
                    peers,
                    client_tls: None,
                    server_tls: None,
                    from: Vec::new(),
                    to: Vec::new(),
                    account: None,
                };
                self.open.insert(id, session);
                None
            }
            SessionEvent::Tls { leg, facts } => {
                let session = self.open.get_mut(&id)?;
                match leg {
                    Leg::Client => session.client_tls = Some(facts),
                    Leg::Server => session.server_tls = Some(facts),
                }
                None
            }
            SessionEvent::Envelope { from, to, .. } => {
                let session = self.open.get_mut(&id)?;
                session.from.push(from);
                session.to.extend(to);
                None
            }
            SessionEvent::Account {
                disposition,
                delivered,
                refused,
                deferred,
                quarantined,
                client_octets,
                server_octets,
                millis,
            } => {
                let mut session = self.open.remove(&id)?;
                session.account = Some(Account {
                    time: record.time,
                    disposition,
                    delivered,
                    refused,
                    deferred,
                    quarantined,
                    client_octets,
                    server_octets,
                    millis,
                });
                Some(session)
            }
            _ => None,
        }
    }

    /// A session that is open.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.open.get(&id)
    }

    /// Those that are still open, oldest first.
    pub fn into_open(self) -> Vec<Session> {
        let mut open: Vec<Session> = self.open.into_values().collect();
        open.sort_by(|a, b| (&a.time, a.id).cmp(&(&b.time, b.id)));
        open
    }
}
