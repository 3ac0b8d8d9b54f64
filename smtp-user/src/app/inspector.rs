//! The inspector within the daemon: made from the configuration, joined to the packet path and the records, set up
//! anew when rules change, drained at the end.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use smtp_common::settings::Active;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use crate::app::clock::SystemClock;
use crate::app::config::quarantine::Originals;
use crate::app::config::resource::{self, ResourceMode, SourceAddress};
use crate::app::config::tls_files;
use crate::app::config::{Config, inspection, lock_key};
use crate::app::dequeuer::supervisor::Launch;
use crate::app::gateway::Gateway;
use crate::app::log::LogArgs;
use crate::app::quarantine::{self, Keeper};
use crate::app::store_and_forward::{self, StoreAndForward};
use crate::audit::recorder::{Recorder, Writing};
use crate::gateway::admission::Bounds;
use crate::gateway::remedy::Remedy;
use crate::gateway::service::{Service, Surroundings};
use crate::gateway::setup::{Resource, Setup};
use crate::inspect::inspector::Inspector as MessageInspector;
use crate::model::shortage::Shortage;
use crate::packet_path::divert::{self, Listeners};
use crate::packet_path::error::PacketPathError;
use crate::packet_path::inspections::MapStages;
use crate::packet_path::map_bans::MapBans;
use crate::packet_path::maps::{HeldActive, Maps};
use crate::packet_path::pins::Pins;
use crate::packet_path::{interface, rule_base};
use crate::policy::part_action::PartAction;
use crate::quarantine::store::Store;
use crate::session::relay::RelayLimits;
use crate::spool::intake::Intake;
use crate::transport::held_message::HoldLimits;
use crate::worker::pool::Pool;

/// The inspector within the daemon.
pub struct Inspector {
    service: Service,
    /// Writes the records for as long as it is kept.
    writing: Writing,
    maps: Maps,
    /// Of resources that take messages over, if there are any.
    store: Option<StoreAndForward>,
    /// Mail that was accepted and not sent on.
    keeper: Keeper,
    quarantine: Store,
}

/// What can be made, and fail, before anything is attached: certificates, lists, folders.
pub struct Prepared {
    setup: Setup,
    recorder: Recorder,
    writing: Writing,
    intake: Option<Intake>,
    quarantine: Store,
    config: Config,
}

/// How often it is looked whether somebody has changed the rules.
const LOOK: Duration = Duration::from_millis(200);

/// Makes what needs no packet path; `None` without resources, since no flow can come then.
pub fn prepare(config: &Config) -> anyhow::Result<Option<Prepared>> {
    if config.resources.is_empty() {
        return Ok(None);
    }
    let intake = store_and_forward::open(config)?;
    let quarantine = quarantine::open(config)?;
    let setup = setup(config, intake.as_ref(), &quarantine)?;
    let records = config.records.within(&config.gateway.data_dir);
    let records = if intake.is_some() { records.beside_dequeuer() } else { records };
    let (recorder, writing) = Recorder::start(records, Arc::new(SystemClock))?;
    Ok(Some(Prepared { setup, recorder, writing, intake, quarantine, config: config.clone() }))
}

impl Inspector {
    /// Joins the inspector to a gateway that is at work.
    pub async fn start(prepared: Prepared, gateway: &Gateway, log: &LogArgs) -> anyhow::Result<Self> {
        let Prepared { mut setup, recorder, writing, intake, quarantine, config } = prepared;
        let maps = gateway.maps().clone();
        follow_rules(&mut setup, &maps).await?;
        let Listeners { v4, v6 } = Listeners::open()?;
        divert::add_routes().await?;
        let keeper = Keeper::start(&quarantine, &config, intake.as_ref(), &recorder)?;
        let rules = setup.rules.clone();
        let surroundings = Surroundings {
            recorder,
            clock: Arc::new(SystemClock),
            stages: Arc::new(MapStages::open(&maps)?),
            pulse: gateway.pulse(),
            threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        };
        let service = Service::start([v4].into_iter().chain(v6), setup, surroundings)
            .context("starting the inspector")?;
        let launch = Launch { pin_dir: gateway.pin_dir().to_owned(), log: log.clone() };
        let store = match intake {
            Some(intake) => Some(StoreAndForward::start(intake, &config, &rules, launch).await?),
            None => None,
        };
        // Whoever is told that the gateway is ready finds its flows inspected.
        gateway.give_sign_of_life()?;
        info!(addresses = ?service.addresses(), "inspecting");
        Ok(Self { service, writing, maps, store, keeper, quarantine })
    }

    /// Sees to it that new sessions go by the rules that are active. Never ends; may be dropped and called again.
    pub async fn follow(&self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // It stays open: there may be no descriptor left for it.
        let mut held = None;
        let failing = Shortage::default();
        let failed = |error: anyhow::Error| {
            if failing.begins(Instant::now().into_std()) {
                warn!(
                    error = format!("{error:#}"),
                    "cannot read the active rules: sessions go by those that were read last"
                );
            }
        };
        loop {
            look.tick().await;
            let now = self.service.setup();
            match active(&self.maps, &mut held) {
                Ok(active) if active.policy() == now.revision => {
                    if let Some(over) = failing.ends(Instant::now().into_std()) {
                        info!(lasted = ?over.lasted, "the active rules can be read again");
                    }
                }
                Ok(_) => {
                    let mut setup = Setup::clone(&now);
                    match follow_rules(&mut setup, &self.maps).await {
                        Ok(()) => {
                            debug!(revision = setup.revision, "sessions go by another policy");
                            if let Some(Err(error)) =
                                self.store.as_ref().map(|store| store.set_rules(&setup.rules))
                            {
                                warn!(%error, "the dequeuer goes by the old rules");
                            }
                            self.service.set_up(setup);
                        }
                        Err(error) => failed(error),
                    }
                }
                Err(error) => failed(error.into()),
            }
        }
    }

    /// Makes everything anew from another configuration; on a mistake the old one stays.
    pub async fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let intake = self.store.as_ref().map(StoreAndForward::intake);
        let mut setup = setup(config, intake, &self.quarantine)?;
        if let Some(intake) = intake {
            store_and_forward::look_at_folder(config, intake)?;
        }
        follow_rules(&mut setup, &self.maps).await?;
        self.keeper.set_up(config, intake)?;
        if let Some(store) = &self.store {
            // The active ones; those of this configuration are followed once they are.
            store.set_up(config, &setup.rules)?;
        }
        self.service.set_up(setup);
        Ok(())
    }

    /// Lets sessions in flight end, and writes the last records.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(store) = &self.store {
            store.expect_end();
        }
        self.service.stop().await;
        self.keeper.stop();
        if let Some(store) = self.store {
            store.stop().await;
        }
        tokio::task::spawn_blocking(move || self.writing.finish()).await??;
        Ok(())
    }
}

/// The word that says what is valid, from a map that stays open.
fn active(maps: &Maps, held: &mut Option<HeldActive>) -> Result<Active, PacketPathError> {
    let map = match held {
        Some(map) => map,
        None => held.insert(maps.hold_active()?),
    };
    map.get()
}

/// The rules that are active, and the interfaces that they name.
async fn follow_rules(setup: &mut Setup, maps: &Maps) -> anyhow::Result<()> {
    // In this order: rules that are newer than their revision are only read once more.
    setup.revision = maps.active()?.policy();
    setup.rules = rule_base::active_rules(maps)?;
    let interfaces = interface::list_async().await?;
    setup.interfaces = interfaces.into_iter().map(|interface| (interface.name, interface.index)).collect();
    Ok(())
}

/// What looks at messages; here, and in the dequeuer's process at those that nobody has looked at here.
pub(super) fn message_inspector(config: &Config) -> anyhow::Result<MessageInspector> {
    let looks = inspection::within(&config.inspection, Path::new(&config.file));
    Ok(MessageInspector::with_workers(looks, Arc::new(Pool::of_this_program()))?)
}

/// Everything but the active rules.
fn setup(config: &Config, spool: Option<&Intake>, quarantine: &Store) -> anyhow::Result<Setup> {
    let inspector = &config.inspector;
    let held = config.gateway.data_dir.join(HELD_FOLDER);
    std::fs::create_dir_all(&held).with_context(|| format!("making the folder {}", held.display()))?;
    let mut hold = HoldLimits::new(&held);
    hold.max_octets = inspector.max_message;
    let message_inspector = message_inspector(config)?;
    let mut resources = HashMap::new();
    for resource in &config.resources {
        let name = resource.name.clone();
        let made = self::resource(resource, config, &message_inspector, spool)
            .with_context(|| format!("resource `{name}`"))?;
        resources.insert(name, Arc::new(made));
    }
    let hostname = inspector.name();
    if spool.is_some() {
        // What the dequeuer could not work by is not tried.
        store_and_forward::dequeuer_setup(config, &hostname, &message_inspector)?;
    }
    Ok(Setup {
        hostname,
        bounds: Bounds {
            in_all: inspector.max_connections as usize,
            per_source: inspector.max_per_source as usize,
        },
        timeouts: inspector.timeouts.clone(),
        drain: inspector.drain,
        limits: RelayLimits {
            max_recipients: inspector.max_recipients,
            max_errors: inspector.max_errors,
            max_transactions: inspector.max_transactions,
            max_message_octets: config.max_message(ResourceMode::Proxy),
            ..RelayLimits::default()
        },
        hold,
        line_ends: crate::wire::smtp::data::LineEnds::default(),
        rules: config.rules.clone(),
        revision: 0,
        interfaces: Vec::new(),
        resources,
        remedy: Some(Arc::new(remedy(config, quarantine)?)),
    })
}

/// What is done with messages that may not pass as they are. The key of locked files is made where a rule needs it.
fn remedy(config: &Config, quarantine: &Store) -> anyhow::Result<Remedy> {
    let locks = config.inspection.rules.iter().any(|rule| rule.action == PartAction::Lock);
    let key = config.gateway.data_dir.join(lock_key::FILE);
    Ok(Remedy {
        quarantine: quarantine.clone(),
        keep_for: config.quarantine.keep_for,
        keep_originals_for: config.quarantine.keep_originals_for,
        keeps_for_header: config.quarantine.keep_originals == Originals::All,
        lock_key: locks.then(|| lock_key::read_or_make(&key)).transpose()?,
        bans: Arc::new(MapBans::new(Pins::new(&config.gateway.pin_dir))),
    })
}

fn resource(
    resource: &resource::Resource,
    config: &Config,
    inspector: &MessageInspector,
    spool: Option<&Intake>,
) -> anyhow::Result<Resource> {
    let reception = match (resource.mode, spool) {
        (ResourceMode::Proxy, _) => None,
        (ResourceMode::Spool, Some(spool)) => Some(store_and_forward::reception(resource, config, spool)),
        (ResourceMode::Spool, None) => {
            anyhow::bail!("the first resource with `mode = \"spool\"` takes effect at the next start")
        }
    };
    Ok(Resource {
        name: resource.name.clone(),
        from_originator: resource.source == SourceAddress::Client,
        next_hop: resource.next_hop,
        server_tls: resource.server_tls,
        tls: tls_files::context(config, resource)?,
        inspector: resource.inspection.of(inspector),
        header: resource.header.clone(),
        envelope: resource.envelope.clone(),
        reception,
    })
}

/// Folder of messages on their way, within the data folder. Their files have no names; it stays empty.
const HELD_FOLDER: &str = "held";
