//! From the spool to next hops and back: what is delivered, tried again, returned and removed.

mod clock_steps;
mod connections;
mod crowd;
mod downstream_faults;
mod one_message;
mod parameters;
mod verdicts;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Dequeuer;
use super::faulty_disk::FaultyDisk;
use super::orders::Order;
use super::setup::{DequeuerSetup, Outlet};
use crate::audit;
use crate::audit::reader::Reader;
use crate::audit::recorder::{Recorder, Writing};
use crate::delivery::fixture::{NOW, OCTETS, message};
use crate::delivery::route::Router;
use crate::delivery::session::Manners;
use crate::delivery::session::script::{At, Script, Scripted, Turn};
use crate::delivery::settings::{ReportDetail, Routing, Settings};
use crate::dns::Dns;
use crate::dns::fixture::Zone;
use crate::event::session_event::SessionEvent;
use crate::inspect;
use crate::inspect::inspector::Inspector;
use crate::model::clock::Clock;
use crate::model::queued_message::QueuedMessage;
use crate::model::server_tls::ServerTls;
use crate::model::tracking::Tracking;
use crate::policy::packet_rules::PacketRules;
use crate::spool::config::Config;
use crate::spool::file_system::FileSystem;
use crate::spool::file_system::disk::Disk;
use crate::spool::place::Place;
use crate::spool::store::Spool;
use crate::tls::config::{MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;
use crate::tls::test_certificates::OtherCa;

/// A clock that is set.
#[derive(Debug)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn unix_micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Rig {
    spool: Spool,
    dequeuer: Dequeuer,
    clock: Arc<SetClock>,
    _writing: Writing,
    folder: tempfile::TempDir,
}

fn settings() -> Settings {
    Settings { delivery_timeout: Duration::from_millis(500), ..Settings::default() }
}

async fn put(spool: &Spool, message: QueuedMessage) {
    let octets = OCTETS.repeat(usize::try_from(message.octets).unwrap() / OCTETS.len());
    let mut incoming = spool.intake().begin(message.id).unwrap();
    incoming.write(&octets).unwrap();
    let sha256 = crate::wire::hexadecimal::hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(&octets));
    spool.commit(incoming, QueuedMessage { sha256, ..message }, Place::Active).await.unwrap();
}

async fn rig(settings: Settings, routing: Routing, zone: Zone, messages: Vec<QueuedMessage>) -> Rig {
    Plan { settings, routing, zone, messages, ..Plan::default() }.start().await
}

/// What a rig is made from.
struct Plan {
    disk: Arc<dyn FileSystem>,
    settings: Settings,
    routing: Routing,
    zone: Zone,
    messages: Vec<QueuedMessage>,
    inspection: inspect::Config,
    scan_timeout: Duration,
    rules: PacketRules,
    server_tls: ServerTls,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            disk: Arc::new(Disk),
            settings: settings(),
            routing: Routing::default(),
            zone: Zone::default(),
            messages: Vec::new(),
            inspection: inspect::Config::default(),
            scan_timeout: Duration::from_secs(5),
            rules: PacketRules::default(),
            server_tls: ServerTls::Opportunistic,
        }
    }
}

impl Plan {
    async fn start(self) -> Rig {
        let Self { disk, settings, routing, zone, messages, inspection, scan_timeout, rules, server_tls } =
            self;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        std::fs::create_dir(&path).unwrap();
        let limit = Some(messages.len() as u64);
        let config = Config { limit, min_free_octets: 0, min_free_files: 0, ..Config::within(&path) };
        let (spool, _) = Spool::open_with(&config, disk, None).unwrap();
        for message in messages {
            put(&spool, message).await;
        }
        let clock = Arc::new(SetClock(AtomicU64::new(NOW)));
        let records = audit::config::Config::within(folder.path());
        let (recorder, writing) = Recorder::start(records, Arc::clone(&clock) as _).unwrap();
        let next_hop = NextHopTls {
            verify: server_tls == ServerTls::Verified,
            trust: Some(OtherCa::new().trust()),
            ..NextHopTls::default()
        };
        let tls = crate::tls::config::Config {
            originator: OriginatorTls::Off,
            next_hop,
            min_version: MinVersion::default(),
        };
        let manners = Manners {
            hostname: "gw.example".to_owned(),
            timeout: settings.delivery_timeout,
            final_timeout: settings.delivery_timeout,
            server_tls,
            tls: Arc::new(TlsContext::new(tls).unwrap()),
        };
        let inspector = Inspector::new(inspection).unwrap();
        let routing = Routing { notify_sender: true, ..routing };
        let outlet = Outlet { routing, manners, policies: None, inspector };
        let dns = Dns::new(&[zone.serve().await]).unwrap();
        let setup = DequeuerSetup {
            settings,
            router: Router { dns, validated: None, hostname: "gw.example".to_owned() },
            scan_timeout,
            rules,
            outlets: HashMap::from([("r".to_owned(), Arc::new(outlet))]),
        };
        let found = Vec::new();
        let dequeuer = Dequeuer::start(spool.clone(), found, setup, recorder, Arc::clone(&clock) as _);
        Rig { spool, dequeuer, clock, _writing: writing, folder }
    }
}

/// Every `dequeued` of the records: outcome, why, and what is made of it.
fn dequeued(rig: &Rig) -> Vec<(String, String, Tracking)> {
    let mut reader = Reader::open(&rig.folder.path().join(audit::config::FOLDER), 0).unwrap();
    let mut all = Vec::new();
    while let Some(raw) = reader.next_record().unwrap() {
        if let SessionEvent::Dequeued { outcome, why, track, .. } = raw.parse().unwrap().event {
            all.push((outcome, why, track));
        }
    }
    all
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    until_within(Duration::from_secs(20), what, holds).await;
}

async fn until_within(patience: Duration, what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(patience, wait).await.is_ok(), "never: {what}");
}

impl Rig {
    fn is_empty(&self) -> bool {
        self.spool.all().is_empty()
    }

    fn only(&self) -> QueuedMessage {
        let [(id, _)] = self.spool.all()[..] else { panic!("{:?}", self.spool.all()) };
        self.spool.load(id).unwrap().1
    }
}

fn to(address: SocketAddr, number: u32, recipients: &[&str]) -> QueuedMessage {
    QueuedMessage { destination: address, ..message(number, recipients) }
}

fn keywords() -> Vec<String> {
    ["PIPELINING", "8BITMIME"].map(str::to_owned).to_vec()
}

async fn healthy() -> Scripted {
    Scripted::start(Script { keywords: keywords(), turns: vec![] }).await
}

fn dead() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_for_one_next_hop_share_a_connection() {
    let server = healthy().await;
    let messages = (1..=5).map(|number| to(server.address, number, &["x@y.example"])).collect();
    let settings = Settings { max_conns_per_site: 1, max_mails_per_conn: 2, ..settings() };
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("all are delivered", || rig.is_empty()).await;
    assert_eq!((server.mail().len(), server.connections()), (5, 3));
    assert_eq!(server.most_at_a_time(), 1);
    assert_eq!(server.mail()[0].octets, [b"Received: x\r\n", OCTETS].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_server_gets_what_others_do_not_take() {
    let server = healthy().await;
    let turns = vec![(At::Mail, Turn::Say("421 4.3.2 closing".to_owned())); 2];
    let closing = Scripted::start(Script { keywords: keywords(), turns }).await;
    let servers = vec![dead().into(), closing.address.into(), server.address.into()];
    let routing = Routing { servers: servers.clone(), ..Routing::default() };
    let rig = rig(settings(), routing, Zone::default(), vec![message(1, &["x@y.example"])]).await;
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!((server.mail().len(), closing.connections()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_server_that_was_spoken_with_says_why() {
    let turns = vec![(At::Mail, Turn::Say("421 4.3.2 closing".to_owned()))];
    let closing = Scripted::start(Script { keywords: keywords(), turns }).await;
    let routing = Routing { servers: vec![closing.address.into()], ..Routing::default() };
    let rig = rig(settings(), routing, Zone::default(), vec![message(1, &["x@y.example"])]).await;
    until("an attempt has failed", || rig.only().attempts == 1).await;
    let outcome = rig.only().last_attempt.unwrap().outcome;
    assert!(outcome.contains("421 4.3.2"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_allowed() {
    let server = healthy().await;
    let messages = (1..=20).map(|number| to(server.address, number, &["x@y.example"])).collect();
    let settings = Settings { max_conns: 3, max_mails_per_conn: 1, ..settings() };
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("all are delivered", || rig.is_empty()).await;
    assert!(server.most_at_a_time() <= 3, "{}", server.most_at_a_time());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_black_hole_and_a_hundred_good_messages() {
    let turns = vec![(At::Greeting, Turn::Silence); 20];
    let hole = Scripted::start(Script { keywords: vec![], turns }).await;
    let server = healthy().await;
    let mut messages = vec![to(hole.address, 1, &["x@hole.example"])];
    messages.extend((2..=101).map(|number| to(server.address, number, &["x@y.example"])));
    let settings = Settings { delivery_timeout: Duration::from_secs(30), max_conns: 3, ..settings() };
    let began = tokio::time::Instant::now();
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("the good ones are delivered", || server.mail().len() == 100).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    until("one is left", || rig.spool.all().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recipient_has_its_own_end_and_the_sender_one_report() {
    let turns = vec![
        (At::Rcpt(1), Turn::Say("550 5.1.1 nobody".to_owned())),
        (At::Rcpt(2), Turn::Say("450 4.2.1 busy".to_owned())),
        (At::Rcpt(3), Turn::Say("550 5.2.1 closed".to_owned())),
    ];
    let server = Scripted::start(Script { keywords: keywords(), turns }).await;
    let errors = healthy().await;
    let routing = Routing { error_servers: vec![errors.address.into()], ..Routing::default() };
    let paths = ["ok@y.example", "no@y.example", "busy@y.example", "shut@y.example"];
    let detail = ReportDetail { smtp: true, ..ReportDetail::default() };
    let settings = Settings { detail, postmaster: Some("pm@b.example".to_owned()), ..settings() };
    let rig = rig(settings, routing, Zone::default(), vec![to(server.address, 1, &paths)]).await;
    until("the report has arrived", || errors.mail().len() == 1 && rig.spool.all().len() == 1).await;
    let report = errors.mail().remove(0);
    assert_eq!((report.from.as_str(), report.to.len()), ("FROM:<>", 2));
    let text = String::from_utf8(report.octets).unwrap();
    assert!(
        text.contains("no@y.example") && text.contains("shut@y.example") && text.contains("5.1.1 nobody")
    );
    assert!(!text.contains("ok@y.example") && !text.contains("busy@y.example"), "{text}");
    let left = rig.only();
    let names: Vec<&str> = left.recipients.iter().map(|recipient| recipient.state.name()).collect();
    assert_eq!(names, ["delivered", "failed", "pending", "failed"]);
    let wait = left.next_attempt().unwrap() - NOW;
    assert!((540_000_000..=660_000_000).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_gives_one_report_and_none_for_a_null_sender() {
    let errors = healthy().await;
    let routing = Routing { error_servers: vec![errors.address.into()], ..Routing::default() };
    let settings = Settings {
        abandon_time: Duration::from_secs(10),
        resend_period: Duration::from_secs(1),
        ..settings()
    };
    let mut null = to(dead(), 2, &["x@y.example"]);
    null.sender.path = String::new();
    let messages = vec![to(dead(), 1, &["x@y.example", "z@y.example"]), null];
    let rig = rig(settings, routing, Zone::default(), messages).await;
    // Each look is a day later; a message is believed to be as old as its attempts can have taken.
    for _ in 0..50 {
        if rig.is_empty() {
            break;
        }
        rig.clock.0.fetch_add(86_400_000_000, Ordering::Relaxed);
        for (id, _) in rig.spool.all() {
            let _ = rig.dequeuer.orders().carry_out(Order::Flush, id, "test").await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until("nothing is left", || rig.is_empty()).await;
    let [report] = &errors.mail()[..] else { panic!("{} reports", errors.mail().len()) };
    let text = String::from_utf8(report.octets.clone()).unwrap();
    assert_eq!(text.matches("Action: failed").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_goes_in_circles_is_returned() {
    let (server, errors) = (healthy().await, healthy().await);
    let routing = Routing { error_servers: vec![errors.address.into()], ..Routing::default() };
    let mut looping = to(server.address, 1, &["x@y.example"]);
    looping.hops = 51;
    let rig = rig(settings(), routing, Zone::default(), vec![looping]).await;
    until("it is returned", || rig.is_empty()).await;
    assert_eq!((server.mail().len(), errors.mail().len()), (0, 1));
    assert!(String::from_utf8_lossy(&errors.mail()[0].octets).contains("Status: 5.4.6"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_says_who_takes_mail_and_who_does_not() {
    let errors = healthy().await;
    let routing = Routing { use_mx: true, error_servers: vec![errors.address.into()], ..Routing::default() };
    let zone = Zone::default().mx("null.example", 0, "").failing("broken.example");
    let paths = ["x@null.example", "x@broken.example", "x@missing.example"];
    let rig = rig(settings(), routing, zone, vec![message(1, &paths)]).await;
    until("two are reported", || {
        let text: String =
            errors.mail().iter().map(|mail| String::from_utf8_lossy(&mail.octets).into_owned()).collect();
        text.contains("Status: 5.1.10") && text.contains("Status: 5.1.2")
    })
    .await;
    until("one waits", || rig.spool.all().len() == 1).await;
    let names: Vec<String> =
        rig.only().recipients.iter().map(|recipient| recipient.state.name().to_owned()).collect();
    assert_eq!(names, ["failed", "pending", "failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_the_final_dot_costs_one_more_copy_and_no_message() {
    let turns = vec![(At::Final, Turn::HangUp)];
    let server = Scripted::start(Script { keywords: keywords(), turns }).await;
    let messages = vec![to(server.address, 1, &["x@y.example"])];
    let rig = rig(settings(), Routing::default(), Zone::default(), messages).await;
    until("the first copy is there", || server.mail().len() == 1 && rig.only().attempts == 1).await;
    let id = rig.only().id;
    rig.dequeuer.orders().carry_out(Order::Flush, id, "test").await.unwrap();
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_program_costs_its_message_a_wait_and_the_others_nothing() {
    let server = healthy().await;
    let mut large = to(server.address, 1, &["x@y.example"]);
    large.octets = (OCTETS.len() * 10_000) as u64;
    let messages = vec![large, to(server.address, 2, &["x@y.example"])];
    let settings = Settings { max_conns: 1, ..settings() };
    let disk = Arc::new(FaultyDisk::default());
    let rig = Plan { disk: disk.clone(), settings, messages, ..Plan::default() }.start().await;
    until("the other one is delivered", || server.mail().len() == 1 && rig.spool.all().len() == 1).await;
    assert_eq!((disk.faults(), rig.only().id.number), (1, 1));
    rig.dequeuer.orders().carry_out(Order::Flush, rig.only().id, "test").await.unwrap();
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 2);
}
