//! A session as it is listed.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::audit::sessions::Session;
use crate::cli::quantity;
use crate::cli::sessions::filter::OPEN;
use crate::cli::table::Column::{Number, Words};
use crate::cli::table::TextTable;
use crate::event::sentence::printable;
use crate::model::session_id::SessionId;
use crate::model::tls_facts::TlsFacts;

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionRow {
    /// When it was opened.
    pub time: String,
    /// Its name.
    pub id: SessionId,
    /// Who sends mail.
    pub originator: SocketAddr,
    /// Whom it meant to reach.
    pub next_hop: SocketAddr,
    /// Interface it came in by.
    pub interface: Option<String>,
    /// Name of the rule.
    pub rule: String,
    /// Id of the rule.
    pub rule_id: u16,
    /// Revision of the policy.
    pub policy: u16,
    /// The resource.
    pub resource: String,
    /// TLS of the client leg; null: none.
    pub client_tls: Option<TlsRow>,
    /// TLS of the server leg; null: none.
    pub server_tls: Option<TlsRow>,
    /// Reverse-paths; a few.
    pub from: Vec<String>,
    /// Forward-paths; a few.
    pub to: Vec<String>,
    /// Forward-paths in all.
    pub recipients: usize,
    /// Messages that the next hop took.
    pub delivered: u32,
    /// Messages that were refused.
    pub refused: u32,
    /// Messages that were put off.
    pub deferred: u32,
    /// Messages that were accepted and kept.
    pub quarantined: u32,
    /// `inspected`, `bypassed`, `refused`, `failed`, or `open`.
    pub disposition: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// From the originator, and to it; null while it is open.
    pub client_octets: Option<[u64; 2]>,
    /// From the next hop, and to it; null while it is open.
    pub server_octets: Option<[u64; 2]>,
    /// From first to last; null while it is open.
    pub millis: Option<u64>,
}

/// TLS of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsRow {
    /// As in `TLSv1.3`.
    pub version: String,
    /// IANA's name of the cipher suite.
    pub cipher: String,
}

/// Paths of one kind that a row holds.
const PATHS: usize = 5;

impl SessionRow {
    /// A session, as far as it has come.
    pub fn new(session: &Session) -> Self {
        let peers = &session.peers;
        let account = session.account.as_ref();
        let count = |of: fn(&crate::audit::sessions::Account) -> u32| account.map_or(0, of);
        Self {
            time: session.time.clone(),
            id: session.id,
            originator: peers.originator,
            next_hop: peers.next_hop,
            interface: peers.interface.clone(),
            rule: peers.rule_name.clone(),
            rule_id: peers.rule,
            policy: peers.policy,
            resource: peers.resource.clone(),
            client_tls: session.client_tls.as_ref().map(TlsRow::new),
            server_tls: session.server_tls.as_ref().map(TlsRow::new),
            from: session.from.iter().take(PATHS).cloned().collect(),
            to: session.to.iter().take(PATHS).cloned().collect(),
            recipients: session.to.len(),
            delivered: count(|account| account.delivered),
            refused: count(|account| account.refused),
            deferred: count(|account| account.deferred),
            quarantined: count(|account| account.quarantined),
            disposition: account.map_or(OPEN, |account| account.disposition.name()),
            reason: account.and_then(|account| account.disposition.reason()).map(str::to_owned),
            client_octets: account.map(|account| account.client_octets),
            server_octets: account.map(|account| account.server_octets),
            millis: account.map(|account| account.millis),
        }
    }

    fn outcome(&self) -> String {
        match &self.reason {
            Some(reason) => printable(&format!("{}({reason})", self.disposition)),
            None => self.disposition.to_owned(),
        }
    }
}

impl TlsRow {
    fn new(facts: &TlsFacts) -> Self {
        Self { version: facts.version.clone(), cipher: facts.cipher.clone() }
    }
}

fn tls(row: Option<&TlsRow>) -> String {
    row.map_or_else(|| "-".to_owned(), |row| printable(&row.version))
}

/// Sessions as a table.
pub fn table<'a>(rows: impl IntoIterator<Item = &'a SessionRow>) -> TextTable {
    let mut table = TextTable::new(&[
        Words("time"),
        Words("session"),
        Words("originator"),
        Words("next hop"),
        Words("rule"),
        Words("client tls"),
        Words("server tls"),
        Number("delivered"),
        Number("refused"),
        Number("deferred"),
        Words("disposition"),
        Number("took"),
    ]);
    for row in rows {
        table.row([
            row.time.clone(),
            row.id.to_string(),
            row.originator.to_string(),
            row.next_hop.to_string(),
            row.rule.clone(),
            tls(row.client_tls.as_ref()),
            tls(row.server_tls.as_ref()),
            quantity::count(row.delivered.into()),
            quantity::count(row.refused.into()),
            quantity::count(row.deferred.into()),
            row.outcome(),
            row.millis.map_or_else(|| "-".to_owned(), |millis| quantity::age(Duration::from_millis(millis))),
        ]);
    }
    table
}

/// One line, for sessions that are shown as they end.
impl fmt::Display for SessionRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = match self.quarantined {
            0 => String::new(),
            count => format!(", {count} quarantined"),
        };
        let (client_tls, server_tls) = (tls(self.client_tls.as_ref()), tls(self.server_tls.as_ref()));
        write!(
            f,
            "{}  {}  {} -> {}  {}  tls {client_tls}/{server_tls}  {} delivered, {} refused, {} deferred{kept}  {}",
            self.time,
            self.id,
            self.originator,
            self.next_hop,
            self.rule,
            self.delivered,
            self.refused,
            self.deferred,
            self.outcome()
        )
    }
}
