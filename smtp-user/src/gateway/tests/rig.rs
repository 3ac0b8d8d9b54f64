//! The inspector between an originator and a next hop.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use crate::audit::recorder::{Collected, Recorder};
use crate::event::session_event::{Record, SessionEvent};
use crate::gateway::admission::Bounds;
use crate::gateway::remedy::Remedy;
use crate::gateway::service::{Service, Surroundings};
use crate::gateway::setup::{Resource, Setup};
use crate::gateway::taker::Reception;
use crate::gateway::timeouts::Timeouts;
use crate::inspect::inspector::Inspector;
use crate::model::clock::Clock;
use crate::model::disposition::Disposition;
use crate::model::flow_stages::NoFlowStages;
use crate::model::pulse::Pulse;
use crate::model::server_tls::ServerTls;
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;
use crate::session::relay::RelayLimits;
use crate::tls;
use crate::tls::context::TlsContext;
use crate::transport::held_message::HoldLimits;
use crate::wire::smtp::data::LineEnds;
use crate::worker::pool::Pool;

/// Seven minutes past seven on a day in 2026.
#[derive(Debug)]
pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn unix_micros(&self) -> u64 {
        1_790_000_000_000_000
    }
}

pub(super) struct Rig {
    pub(super) service: Service,
    pub(super) address: SocketAddr,
    pub(super) collected: Mutex<(Collected, Vec<Record>)>,
    _held: tempfile::TempDir,
}

/// A next hop with good manners, the inspector before it, and an originator that has said EHLO.
pub(super) async fn begun() -> (NextHop, Rig, Dialogue<TcpStream>) {
    begun_before(Manner::default()).await
}

/// The same before a next hop of another kind.
pub(super) async fn begun_before(manner: Manner) -> (NextHop, Rig, Dialogue<TcpStream>) {
    let hop = NextHop::start(manner).await;
    let rig = Plan::to(hop.address).build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    (hop, rig, client)
}

/// What can be said of a rig before it is built.
pub(super) struct Plan {
    pub(super) next_hop: Option<SocketAddr>,
    pub(super) bounds: Bounds,
    pub(super) timeouts: Timeouts,
    pub(super) drain: Duration,
    pub(super) server_tls: ServerTls,
    pub(super) tls: tls::config::Config,
    pub(super) reception: Option<Reception>,
    pub(super) inspection: crate::inspect::Config,
    pub(super) header: Vec<crate::action::header::HeaderRule>,
    pub(super) envelope: Vec<crate::action::envelope::EnvelopeRule>,
    pub(super) remedy: Option<Arc<Remedy>>,
    pub(super) workers: Option<Arc<Pool>>,
}

impl Plan {
    pub(super) fn to(next_hop: SocketAddr) -> Self {
        Self {
            next_hop: Some(next_hop),
            bounds: Bounds { in_all: 100, per_source: 100 },
            timeouts: Timeouts::default(),
            drain: Duration::from_secs(5),
            server_tls: ServerTls::Opportunistic,
            tls: tls::config::Config {
                originator: tls::config::OriginatorTls::Off,
                next_hop: tls::config::NextHopTls::default(),
                min_version: tls::config::MinVersion::default(),
            },
            reception: None,
            inspection: crate::inspect::Config::default(),
            header: Vec::new(),
            envelope: Vec::new(),
            remedy: None,
            workers: None,
        }
    }

    pub(super) fn build(self) -> Rig {
        let held = tempfile::tempdir().unwrap();
        let mut rule = PacketRule::new("mail", Action::Inspect);
        rule.resource = Some("inbound".to_owned());
        let resource = Resource {
            name: "inbound".to_owned(),
            from_originator: true,
            next_hop: self.next_hop,
            server_tls: self.server_tls,
            tls: TlsContext::new(self.tls).unwrap(),
            inspector: match self.workers {
                Some(workers) => Inspector::with_workers(self.inspection, workers).unwrap(),
                None => Inspector::new(self.inspection).unwrap(),
            },
            header: self.header,
            envelope: self.envelope,
            reception: self.reception,
        };
        let setup = Setup {
            hostname: "gw.example".to_owned(),
            bounds: self.bounds,
            timeouts: self.timeouts,
            drain: self.drain,
            limits: RelayLimits::default(),
            hold: HoldLimits::new(held.path()),
            line_ends: LineEnds::default(),
            rules: PacketRules::with_ids_of(vec![rule], &PacketRules::new()).unwrap(),
            revision: 7,
            interfaces: Vec::new(),
            resources: HashMap::from([("inbound".to_owned(), Arc::new(resource))]),
            remedy: self.remedy,
        };
        let clock: Arc<dyn Clock> = Arc::new(FixedClock);
        let (recorder, collected) = Recorder::collecting(Arc::clone(&clock));
        let surroundings = Surroundings {
            recorder,
            clock,
            stages: Arc::new(NoFlowStages),
            pulse: Arc::new(Pulse::default()),
            threads: NonZero::new(2).unwrap(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = Service::start([listener], setup, surroundings).unwrap();
        Rig { service, address, collected: Mutex::new((collected, Vec::new())), _held: held }
    }
}

impl Rig {
    /// Records so far.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut collected = self.collected.lock().unwrap();
        let new = collected.0.take();
        collected.1.extend(new);
        collected.1.clone()
    }

    /// Waits until so many sessions have their account, and gives the dispositions.
    pub(super) async fn accounts(&self, count: usize) -> Vec<Disposition> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let records = self.records();
            let opened = records.iter().filter(|r| matches!(r.event, SessionEvent::Opened { .. })).count();
            let accounts: Vec<_> = records
                .iter()
                .filter_map(|record| match &record.event {
                    SessionEvent::Account { disposition, .. } => Some(disposition.clone()),
                    _ => None,
                })
                .collect();
            assert!(accounts.len() <= opened, "{records:#?}");
            if accounts.len() >= count && opened >= count {
                assert_eq!(accounts.len(), opened, "{records:#?}");
                return accounts;
            }
            assert!(tokio::time::Instant::now() < deadline, "{records:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Words of the notes so far.
    pub(super) fn notes(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .filter_map(|record| match record.event {
                SessionEvent::Note { what, .. } => Some(what),
                _ => None,
            })
            .collect()
    }
}
