//! `postern run`: the daemon from its command line to its end.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use smtp_common::abi::DEFAULT_PIN_DIR;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::app::config::gateway::Hook;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH, LoadError};
use crate::app::gateway::Gateway;
use crate::app::inspector::{self, Inspector};
use crate::app::log::LogArgs;
use crate::gateway::{descriptors, runtime};
use crate::packet_path::divert;
use crate::packet_path::error::PacketPathError;
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;

/// Runs the gateway in the foreground.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Ctrl-C takes everything off again, as `postern stop` does. SIGTERM leaves the kernel half at work: flows go on, and \
the next `postern run` takes them over. SIGHUP reads the configuration again.

Example:
  postern run --config /etc/postern/postern.toml
  postern run --interface eth0 --interface eth1      everything accelerated, STARTTLS flagged")]
pub struct RunArgs {
    /// Configuration file [default: /etc/postern/postern.toml if it exists].
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Gateway interface, in place of those in the configuration; give it once for each.
    #[arg(long, short, value_name = "NAME")]
    pub interface: Vec<String>,
    /// Where to attach, in place of what the configuration says: auto, xdp or tc.
    #[arg(long, value_name = "HOOK")]
    pub hook: Option<Hook>,
    /// Folder of the pinned maps, in place of the configured one.
    #[arg(long, value_name = "DIR", env = "POSTERN_PIN_DIR")]
    pub pin_dir: Option<PathBuf>,
    /// Leave the inspector out: new flows under `inspect` and `watch` rules follow their `when_down`.
    #[arg(long)]
    pub no_inspector: bool,
    /// What the log is to be.
    #[command(flatten)]
    pub log: LogArgs,
}

impl RunArgs {
    /// The configuration with the command line put over it.
    pub fn resolve(&self) -> Result<Config, LoadError> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => match Config::load(DEFAULT_CONFIG_PATH.as_ref()) {
                Err(LoadError::NotFound { .. }) if !self.interface.is_empty() => without_file(),
                loaded => loaded?,
            },
        };
        if !self.interface.is_empty() {
            config.gateway.interfaces.clone_from(&self.interface);
        }
        if let Some(hook) = self.hook {
            config.gateway.hook = hook;
        }
        if let Some(dir) = &self.pin_dir {
            config.gateway.pin_dir.clone_from(dir);
        }
        Ok(config)
    }
}

/// Without a file everything is accelerated, and STARTTLS is flagged.
fn without_file() -> Config {
    let mut rule = PacketRule::new("everything", Action::Accelerate);
    rule.track_starttls = true;
    let mut config = Config { file: "built-in".to_owned(), ..Config::default() };
    config.gateway.pin_dir = PathBuf::from(DEFAULT_PIN_DIR);
    config.rules = PacketRules::with_ids_of(vec![rule], &PacketRules::default()).unwrap_or_default();
    config
}

/// Runs until a signal says otherwise.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let config = args.resolve()?;
    // A parent that blocked signals hands that on, and `postern stop` would never be heard. Before any thread.
    nix::sys::signal::SigSet::all().thread_unblock()?;
    args.log.start();
    raise_descriptor_limit();
    let sessions = descriptors::sessions_by(descriptors::limit());
    if sessions < u64::from(config.inspector.max_connections) {
        warn!(
            limit = descriptors::limit(),
            max_connections = config.inspector.max_connections,
            "the system's limit of open files and connections is enough for {sessions} sessions at a time: raise \
             `LimitNOFILE=` in the unit, or lower `max_connections`"
        );
    }
    for warning in &config.warnings {
        warn!("{}", warning.to_string().trim_end());
    }
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime::steady(runtime.worker_threads(cpus), cpus).context(NO_THREADS)?;
    runtime.block_on(serve(args, config))
}

async fn serve(args: &RunArgs, config: Config) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // What may be missing or wrong in files is found out before anything is attached.
    let prepared = if args.no_inspector { None } else { inspector::prepare(&config)? };
    let mut gateway = Gateway::start(config).await?;
    let inspector = match prepared {
        Some(prepared) => match Inspector::start(prepared, &gateway, &args.log).await {
            Ok(inspector) => Some(inspector),
            Err(error) => {
                gateway.give_up().await;
                return Err(error);
            }
        },
        None => None,
    };
    // Scripts and tests wait for this line; it is not a matter of the log level.
    eprintln!("postern: ready");
    let stops = loop {
        tokio::select! {
            _ = interrupt.recv() => break true,
            _ = terminate.recv() => break false,
            _ = hang_up.recv() => reload(args, &mut gateway, inspector.as_ref()).await,
            () = follow(inspector.as_ref()) => {}
            never = gateway.run() => match never {},
        }
    };
    if let Some(inspector) = inspector {
        tokio::select! {
            stopped = inspector.stop() => stopped?,
            _ = interrupt.recv() => warn!("sessions are cut"),
            _ = terminate.recv() => warn!("sessions are cut"),
            never = gateway.run() => match never {},
        }
    }
    if stops {
        info!("stopping: the programs are taken off");
        divert::remove_routes().await?;
        gateway.stop().await?;
    } else {
        info!("leaving: the kernel half stays at work under {}", gateway.pin_dir().display());
        gateway.leave().await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn follow(inspector: Option<&Inspector>) {
    match inspector {
        Some(inspector) => inspector.follow().await,
        None => std::future::pending().await,
    }
}

/// Reads the configuration again; a wrong one is refused whole and the running policy stays.
async fn reload(args: &RunArgs, gateway: &mut Gateway, inspector: Option<&Inspector>) {
    let config = match args.resolve() {
        Ok(config) => config,
        Err(error) => return warn!("the configuration is refused; the running policy stays: {error}"),
    };
    match inspector {
        Some(inspector) => {
            // First of all: this is what can fail for reasons that lie outside the file.
            if let Err(error) = inspector.reload(&config).await {
                return warn!("the configuration is refused; the running policy stays: {error:#}");
            }
        }
        None if !config.resources.is_empty() => warn!("the inspector is started at the next start only"),
        None => {}
    }
    match gateway.reload(config) {
        Ok(revision) => info!(revision, "configuration read again"),
        Err(error) => warn!(%error, "the new configuration does not load; the running policy stays"),
    }
}

/// A session has two connections, and a large message a file; the system's soft limit is for programs that have neither.
pub(super) fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = DESCRIPTORS.clamp(soft, hard.max(soft));
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
    });
    if let Err(error) = raised {
        warn!(%error, "cannot raise the limit of open files");
    }
}

/// Said where a process cannot have the threads that it begins with.
pub(super) const NO_THREADS: &str = "no threads can be had: `TasksMax=` in the unit, `pids.max` of the control group, or `ulimit -u` says how many";

/// Descriptors that are asked for, where the system's hard limit allows it.
const DESCRIPTORS: u64 = 1 << 20;

/// Whether a failure to start is one of missing rights, anywhere in the chain.
pub fn is_permission(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(PacketPathError::NoRights { .. }))
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == ErrorKind::PermissionDenied)
    })
}
