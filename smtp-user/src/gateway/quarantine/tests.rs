//! Messages leave the quarantine once, whatever the next hop says, and what was done is written down.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Desk, Order, Request, Way};
use crate::audit;
use crate::audit::recorder::{Recorder, Writing};
use crate::delivery::fixture::{NOW, OCTETS};
use crate::delivery::session::Manners;
use crate::delivery::session::script::{At, Script, Scripted, Turn};
use crate::model::clock::Clock;
use crate::model::queued_recipient::QueuedRecipient;
use crate::model::server_tls::ServerTls;
use crate::model::session_id::MessageId;
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::fixture::entry;
use crate::quarantine::store::Store;
use crate::spool;
use crate::spool::place::Place;
use crate::spool::store::Spool;
use crate::tls::config::{MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn unix_micros(&self) -> u64 {
        NOW
    }
}

struct Rig {
    desk: Desk,
    server: Scripted,
    folder: tempfile::TempDir,
    writing: Option<Writing>,
}

fn manners() -> Manners {
    let tls = crate::tls::config::Config {
        originator: OriginatorTls::Off,
        next_hop: NextHopTls::default(),
        min_version: MinVersion::default(),
    };
    Manners {
        hostname: "gw.example".to_owned(),
        timeout: Duration::from_millis(500),
        final_timeout: Duration::from_millis(500),
        server_tls: ServerTls::Opportunistic,
        tls: Arc::new(TlsContext::new(tls).unwrap()),
    }
}

fn ordinary() -> Vec<String> {
    ["PIPELINING", "8BITMIME"].map(str::to_owned).to_vec()
}

/// Message 1 in quarantine, for a server that does as it is told.
async fn rig(turns: Vec<(At, Turn)>, change: impl FnOnce(&mut Entry)) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(Script { keywords: ordinary(), turns }).await;
    let (store, _) = Store::open(&folder.path().join("quarantine")).unwrap();
    let mut entry = Entry { next_hop: server.address, ..entry(1) };
    change(&mut entry);
    store.keep(entry, &OCTETS.to_vec()).await.unwrap();
    let (recorder, writing) =
        Recorder::start(audit::config::Config::within(folder.path()), Arc::new(Still)).unwrap();
    let ways = HashMap::from([("inbound".to_owned(), Way::Direct(manners()))]);
    let desk = Desk { store, ways, recorder: Some(recorder), clock: Arc::new(Still) };
    Rig { desk, server, folder, writing: Some(writing) }
}

fn id() -> MessageId {
    entry(1).id
}

impl Rig {
    async fn give(&self, order: Order, again: bool) -> Result<String, String> {
        let request = Request { order, ids: vec![id()], again, who: "somebody".to_owned() };
        let answer = self.desk.carry_out(&request, id()).await;
        answer.done.ok_or_else(|| answer.error.unwrap())
    }

    async fn release(&self) -> Result<String, String> {
        self.give(Order::Release, false).await
    }

    fn state(&self) -> &'static str {
        self.desk.store.get(id()).unwrap().release.name()
    }

    /// What is in the records, once nothing more comes.
    fn records(&mut self) -> String {
        self.writing.take().unwrap().finish().unwrap();
        let files = std::fs::read_dir(self.folder.path().join("records")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_message_is_delivered_once_as_it_came() {
    let mut rig = rig(vec![], |_| {}).await;
    let done = rig.release().await.unwrap();
    assert!(done.starts_with(&format!("released to {}: 250", rig.server.address)), "{done}");
    let mail = rig.server.mail();
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].octets, [b"Received: from x\r\n", OCTETS].concat());
    assert!(mail[0].from.contains("a@example.org") && mail[0].to[0].contains("b@example.com"), "{mail:?}");
    for again in [false, true] {
        let refused = rig.give(Order::Release, again).await.unwrap_err();
        assert!(refused.starts_with("it was released before"), "{refused}");
    }
    assert_eq!((rig.server.mail().len(), rig.state()), (1, "released"));
    assert_eq!(rig.give(Order::Delete, false).await.unwrap(), "deleted");
    assert!(rig.release().await.unwrap_err().contains("there is no message"));
    let records = rig.records();
    assert!(records.contains("\"outcome\":\"released\"") && records.contains("by somebody"), "{records}");
    assert!(records.contains("\"outcome\":\"deleted\""), "{records}");
}

#[tokio::test]
async fn what_was_refused_stays_and_who_has_it_gets_it_no_second_time() {
    let turns = vec![(At::Rcpt(1), Turn::Say("550 5.1.1 no such user".to_owned()))];
    let rig = rig(turns, |entry| entry.recipients.push(QueuedRecipient::new("c@example.com"))).await;
    let refused = rig.release().await.unwrap_err();
    assert!(refused.contains("<c@example.com>") && refused.contains("550"), "{refused}");
    assert_eq!((rig.server.mail().len(), rig.state()), (1, "held"));
    rig.release().await.unwrap();
    let mail = rig.server.mail();
    assert_eq!(mail.len(), 2);
    assert_eq!(mail[1].to.len(), 1);
    assert!(mail[1].to[0].contains("c@example.com"), "{mail:?}");
}

#[tokio::test]
async fn a_next_hop_that_does_not_answer_leaves_it_where_it_is() {
    let rig = rig(vec![(At::Mail, Turn::Say("451 4.3.0 later".to_owned()))], |_| {}).await;
    assert!(rig.release().await.unwrap_err().contains("451"), "said");
    assert_eq!((rig.server.mail().len(), rig.state()), (0, "held"));
    rig.release().await.unwrap();
    assert_eq!(rig.server.mail().len(), 1);
}

#[tokio::test]
async fn without_an_answer_to_the_end_it_is_not_sent_twice_unasked() {
    let rig = rig(vec![(At::Final, Turn::HangUp)], |_| {}).await;
    for _ in 0..2 {
        let refused = rig.release().await.unwrap_err();
        assert!(refused.contains("nobody knows whether it arrived"), "{refused}");
        assert_eq!(rig.state(), "releasing");
    }
    assert!(rig.give(Order::Delete, false).await.is_err());
    rig.give(Order::Release, true).await.unwrap();
    assert_eq!(rig.state(), "released");
}

#[tokio::test]
async fn what_came_for_a_next_hop_in_tls_does_not_go_in_plaintext() {
    let rig = rig(vec![], |entry| entry.in_tls = true).await;
    let refused = rig.release().await.unwrap_err();
    assert!(refused.contains("TLS"), "{refused}");
    assert_eq!((rig.server.mail().len(), rig.state()), (0, "held"));
}

#[tokio::test]
async fn through_the_spool_it_is_judged_already() {
    let mut rig = rig(vec![], |_| {}).await;
    let path = rig.folder.path().join("spool");
    std::fs::create_dir(&path).unwrap();
    let config = spool::config::Config {
        min_free_octets: 0,
        min_free_files: 0,
        ..spool::config::Config::within(&path)
    };
    let (spool, _) = Spool::open(&config).unwrap();
    rig.desk.ways.insert("inbound".to_owned(), Way::Spool(spool.intake()));
    let done = rig.release().await.unwrap();
    assert_eq!(done, format!("released to the spool: queued as {}", id()));
    let (place, message) = spool.load(id()).unwrap();
    assert_eq!(place, Place::Active);
    let kept = message.judgement.clone().unwrap();
    assert_eq!(kept.decision.action, crate::model::decision::MessageAction::Pass);
    assert!(kept.decision.why.starts_with("released by somebody: Eicar"), "{}", kept.decision.why);
    assert_eq!(message.received, NOW);
    assert_eq!(spool.body(&message).unwrap().len(), OCTETS.len() as u64);
    // A release that was cut off behind the spool's word is not done twice.
    let mut claim = rig.desk.store.claim(id()).unwrap();
    claim.set(Release::Releasing { since: 1, to: "the spool".to_owned() }).unwrap();
    drop(claim);
    assert!(rig.release().await.is_err());
    rig.give(Order::Release, true).await.unwrap();
    assert_eq!((spool.all().len(), rig.state()), (1, "released"));
}

#[tokio::test]
async fn a_resource_that_is_gone_is_named() {
    let mut rig = rig(vec![], |_| {}).await;
    rig.desk.ways.clear();
    assert!(rig.release().await.unwrap_err().contains("no resource `inbound`"));
    assert_eq!(rig.state(), "held");
}
