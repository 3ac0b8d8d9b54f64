//! Store-and-forward within the daemon: the spool opened before anything is attached, so that mail can be taken in, and
//! the dequeuer, which is a process of its own, looked after.

mod former_folder;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::app::config::Config;
use crate::app::config::resource::{self, Resource, ResourceMode};
use crate::app::config::spool::RecipientsMode;
use crate::app::config::tls_files;
use crate::app::dequeuer::link::Configuration;
use crate::app::dequeuer::supervisor::{Launch, Supervisor};
use crate::delivery::route::Router;
use crate::delivery::session::Manners;
use crate::delivery::sts::Policies;
use crate::dns::Dns;
use crate::dns::validated::ValidatedDns;
use crate::gateway::dequeuer::running::{Running, running};
use crate::gateway::dequeuer::setup::{DequeuerSetup, Outlet};
use crate::gateway::taker::Reception;
use crate::inspect::inspector::Inspector;
use crate::model::server_tls::ServerTls;
use crate::policy::packet_rules::PacketRules;
use crate::policy::rule_text;
use crate::session::relay::RelayLimits;
use crate::spool;
use crate::spool::intake::Intake;
use crate::tls::mta_sts::PolicyFolder;

/// Store-and-forward at work.
#[derive(Debug)]
pub struct StoreAndForward {
    intake: Intake,
    supervisor: Supervisor,
    limit_period: watch::Sender<Duration>,
    tasks: Vec<JoinHandle<()>>,
}

/// How often a disk that failed is tried.
const PROBE: Duration = Duration::from_secs(5);
/// How long the answer to a message that was sent is waited for (RFC 5321 §4.5.3.2.6).
const FINAL: Duration = Duration::from_mins(10);
/// How long a start waits for the dequeuer, which reads the whole spool first.
const PATIENCE: Duration = Duration::from_secs(2);

/// The spool's folder.
pub fn folder(config: &Config) -> PathBuf {
    config.spool.rundir.clone().unwrap_or_else(|| config.gateway.data_dir.join(FOLDER))
}

pub(super) const FOLDER: &str = "spool";

/// Opens the spool if a resource needs it. Blocks on the disk.
pub fn open(config: &Config) -> anyhow::Result<Option<Intake>> {
    if !config.resources.iter().any(|resource| resource.mode == ResourceMode::Spool) {
        return Ok(None);
    }
    let folder = folder(config);
    if config.spool.rundir.is_none() {
        make(&folder)?;
    }
    let settings = spool::config::Config {
        limit: Some(config.spool.spool_limit),
        ..spool::config::Config::within(&folder)
    };
    let intake = Intake::open(&settings)?;
    if fs::metadata(&folder).is_ok_and(|found| may_be_changed_by_others(found.mode())) {
        warn!(folder = %folder.display(), "others may write in the spool's folder: `chmod 700` it");
    }
    former_folder::note(&config.gateway.data_dir, intake.places())?;
    info!(messages = intake.count(), folder = %folder.display(), "mail can be taken into the spool");
    Ok(Some(intake))
}

/// Says it if the spool's folder is to be another one, which is an error if it could not be that.
pub fn look_at_folder(config: &Config, intake: &Intake) -> anyhow::Result<()> {
    let (folder, now) = (folder(config), intake.places().root());
    if folder == now {
        return Ok(());
    }
    if config.spool.rundir.is_some() {
        spool::folder::check(&folder)?;
    }
    warn!(
        now = %now.display(),
        then = %folder.display(),
        "another `rundir` takes effect at the next start; what is queued is moved there then"
    );
    Ok(())
}

/// Whether others may take away what is in a folder: not where a sticky bit keeps each to what is his.
const fn may_be_changed_by_others(mode: u32) -> bool {
    mode & 0o022 != 0 && mode & 0o1000 == 0
}

/// The default folder is made; one that was named may be of a file system that is not mounted yet.
fn make(folder: &Path) -> anyhow::Result<()> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        // What stands there instead is told by whoever opens it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.with_context(|| format!("making the folder {}", folder.display())),
    }
}

impl StoreAndForward {
    /// Starts the dequeuer, or finds the one that is there; inside a runtime.
    pub async fn start(
        intake: Intake,
        config: &Config,
        rules: &PacketRules,
        launch: Launch,
    ) -> anyhow::Result<Self> {
        let (limit_period, period) = watch::channel(config.spool.spool_limit_scan_period);
        let tasks =
            vec![tokio::spawn(look_after(intake.clone())), tokio::spawn(watch_limit(intake.clone(), period))];
        end_dequeuers_elsewhere(&launch.pin_dir, intake.places().root());
        let supervisor = Supervisor::start(intake.clone(), launch, configuration(config, rules)?);
        if !supervisor.ready(PATIENCE).await {
            warn!("mail is taken already, and delivered once the dequeuer has read the spool");
        }
        Ok(Self { intake, supervisor, limit_period, tasks })
    }

    /// Other rules from now on.
    pub fn set_rules(&self, rules: &PacketRules) -> anyhow::Result<()> {
        let text = rule_text::write(rules)?;
        // Without a text, nobody asks for them.
        self.supervisor.change(|configuration| {
            if !configuration.rules.is_empty() {
                configuration.rules = text;
            }
        });
        Ok(())
    }

    /// Other settings from now on.
    pub fn set_up(&self, config: &Config, rules: &PacketRules) -> anyhow::Result<()> {
        self.supervisor.set_up(configuration(config, rules)?);
        self.intake.set_limit(Some(config.spool.spool_limit));
        let _ = self.limit_period.send(config.spool.spool_limit_scan_period);
        Ok(())
    }

    /// For what takes messages over.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The daemon is about to end: a dequeuer that ends, too, is not started again.
    pub fn expect_end(&self) {
        self.supervisor.expect_end();
    }

    /// Ends what is in flight; the rest is in the spool.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.supervisor.stop().await;
    }
}

/// Ends dequeuers that an earlier daemon left at work in a folder that is the spool's no longer: what is there is moved.
fn end_dequeuers_elsewhere(pin_dir: &Path, folder: &Path) {
    for Running { pid, spool } in running(pin_dir).into_iter().filter(|running| running.spool != folder) {
        info!(pid, spool = %spool.display(), "the dequeuer of the former folder is told to end");
        if let Err(error) = kill(Pid::from_raw(pid), Signal::SIGTERM) {
            warn!(pid, %error, "it cannot be told");
        }
    }
}

/// What the dequeuer is told.
fn configuration(config: &Config, rules: &PacketRules) -> anyhow::Result<Configuration> {
    let asks = config.resources.iter().any(|resource| resource.delivery.check_rule_base);
    let rules = if asks { rule_text::write(rules)? } else { String::new() };
    Ok(Configuration { file: std::path::absolute(&config.file)?, text: config.text.clone(), rules })
}

/// What messages of a resource are taken over with.
pub fn reception(resource: &Resource, config: &Config, spool: &Intake) -> Reception {
    let inspector = &config.inspector;
    Reception {
        spool: spool.clone(),
        hold: resource.hold.unwrap_or(resource::DEFAULT_HOLD),
        limits: RelayLimits {
            max_recipients: config.spool.maxrecipients,
            refuse_above: config.spool.maxrecipients_mode == RecipientsMode::Compat,
            max_errors: inspector.max_errors,
            max_transactions: inspector.max_transactions,
            max_message_octets: config.max_message(ResourceMode::Spool),
            ..RelayLimits::default()
        },
    }
}

/// What the dequeuer works by. Also made in the daemon, where mistakes are to be found.
pub fn dequeuer_setup(
    config: &Config,
    hostname: &str,
    inspector: &Inspector,
) -> anyhow::Result<DequeuerSetup> {
    let mut outlets = HashMap::new();
    let servers = &config.spool.delivery.dns_servers;
    let dns = Dns::new(servers)?;
    for resource in config.resources.iter().filter(|resource| resource.mode == ResourceMode::Spool) {
        let manners = Manners {
            hostname: hostname.to_owned(),
            timeout: config.spool.delivery.delivery_timeout,
            final_timeout: FINAL,
            server_tls: resource.server_tls,
            tls: Arc::new(tls_files::context(config, resource)?),
        };
        let policies = if resource.delivery.mta_sts {
            let folder = PolicyFolder::new(config.gateway.data_dir.join("mta-sts"));
            Some(Policies::new(dns.clone(), folder, tls_files::web(resource)?))
        } else {
            None
        };
        let routing = resource.delivery.clone();
        let outlet = Outlet { routing, manners, policies, inspector: resource.inspection.of(inspector) };
        outlets.insert(resource.name.clone(), Arc::new(outlet));
    }
    let asks = outlets.values().any(|outlet: &Arc<Outlet>| outlet.manners.server_tls == ServerTls::Dane);
    // Where it is asked for, the configuration names servers that are believed.
    let validated = asks.then(|| ValidatedDns::new(servers)).transpose()?;
    Ok(DequeuerSetup {
        settings: config.spool.delivery.clone(),
        rules: config.rules.clone(),
        router: Router { dns, validated, hostname: hostname.to_owned() },
        scan_timeout: config.spool.scan_timeout,
        outlets,
    })
}

/// Says when the spool has become full, and when it has room again. The limit itself is exact at every message.
async fn watch_limit(spool: Intake, mut period: watch::Receiver<Duration>) {
    let mut was_full = false;
    loop {
        if let Some(limit) = spool.limit() {
            let messages = spool.count();
            let is_full = messages >= limit;
            match (was_full, is_full) {
                (false, true) => warn!(messages, limit, "`spool_limit` is reached: mail is put off"),
                (true, false) => warn!(messages, limit, "`spool_limit` is no longer reached: mail is taken"),
                _ => {}
            }
            was_full = is_full;
        }
        let wait = *period.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = period.changed() => if changed.is_err() { return },
        }
    }
}

/// Tries a disk that failed until it works.
pub(super) async fn look_after(spool: Intake) {
    let mut ticker = tokio::time::interval(PROBE);
    loop {
        ticker.tick().await;
        if spool.is_read_only() {
            let probed = spool.clone();
            match tokio::task::spawn_blocking(move || probed.probe()).await {
                Ok(Ok(())) => warn!("the spool takes mail again: its disk can be written to"),
                Ok(Err(error)) => error!(%error, "the spool takes no mail"),
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
