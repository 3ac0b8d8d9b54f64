//! Records for tests: sessions as they happen, written the way the daemon writes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::audit::config::Config;
use crate::audit::recorder::Recorder;
use crate::event::session_event::{PartRecord, SessionEvent};
use crate::model::clock::Clock;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::session_id::SessionId;
use crate::model::tls_facts::{CertificateFacts, TlsFacts};

/// When records of tests begin.
pub(crate) const BEGAN: u64 = 1_800_000_000_000_000;

/// A fact and what it is about.
pub(crate) type Fact = (SessionId, Option<u32>, SessionEvent);

/// Moves on by a millisecond whenever somebody looks.
#[derive(Debug)]
struct Steps(AtomicU64);

impl Clock for Steps {
    fn unix_micros(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// Writes facts, a millisecond apart; gives the folder of the records, which goes with the guard.
pub(crate) fn write(facts: Vec<Fact>) -> (TempDir, PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let config = Config::within(guard.path());
    let folder = config.folder.clone();
    let (recorder, writing) = Recorder::start(config, Arc::new(Steps(AtomicU64::new(BEGAN)))).unwrap();
    for (session, message, event) in facts {
        recorder.emit(session, message, event);
    }
    writing.finish().unwrap();
    (guard, folder)
}

/// A session that got its name so many milliseconds after the beginning.
pub(crate) fn session(ms: u64) -> SessionId {
    SessionId::new(BEGAN / 1000 + ms, [ms as u8; 10])
}

pub(crate) fn opened() -> SessionEvent {
    SessionEvent::Opened {
        peers: Peers {
            originator: "10.77.1.2:40000".parse().unwrap(),
            next_hop: "10.77.2.2:25".parse().unwrap(),
            interface: Some("pgw0".to_owned()),
            interface_index: 0,
            rule: 3,
            rule_name: "inbound mail".to_owned(),
            policy: 7,
            resource: "inbound".to_owned(),
        },
    }
}

pub(crate) fn tls(leg: Leg) -> SessionEvent {
    let certificate = CertificateFacts {
        subject: "CN=mx.example.org".to_owned(),
        issuer: "CN=Inspection".to_owned(),
        ..CertificateFacts::default()
    };
    let facts = TlsFacts {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        key_bits: 128,
        certificate: Some(certificate),
        ..TlsFacts::default()
    };
    SessionEvent::Tls { leg, facts }
}

pub(crate) fn envelope(from: &str, to: &[&str]) -> SessionEvent {
    let to = to.iter().map(|path| (*path).to_owned()).collect();
    SessionEvent::Envelope { from: from.to_owned(), to, refused: Vec::new() }
}

pub(crate) fn part(number: &str, media_type: &str, stages: &[(&str, &str)]) -> SessionEvent {
    SessionEvent::Part(PartRecord {
        part: number.to_owned(),
        names: vec!["a.pdf".to_owned()],
        media_type: media_type.to_owned(),
        octets: 10,
        stages: stages.iter().map(|(stage, result)| ((*stage).to_owned(), (*result).to_owned())).collect(),
        ..PartRecord::default()
    })
}

pub(crate) fn judged(verdict: MessageVerdict, action: MessageAction) -> SessionEvent {
    SessionEvent::Judged {
        verdict,
        action,
        why: "Eicar-Test-Signature in part 2 (eicar.com)".to_owned(),
        part_rule: None,
        octets: 100,
        sha256: String::new(),
    }
}

pub(crate) fn replied(code: u16) -> SessionEvent {
    SessionEvent::Replied { code, text: "text".to_owned(), from_next_hop: code < 300, micros: 1_500 }
}

pub(crate) fn account(disposition: Disposition, [delivered, refused, deferred]: [u32; 3]) -> SessionEvent {
    SessionEvent::Account {
        disposition,
        delivered,
        refused,
        deferred,
        quarantined: 0,
        client_octets: [1_000, 200],
        server_octets: [300, 900],
        millis: 42,
    }
}
