//! The quarantine within the daemon: opened before anything is attached, cleared of what was kept long enough, and a socket
//! in its folder on which `postern quarantine` gives its orders. Whoever may open it may also write to the folder, so nobody
//! is asked who they are.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::app::clock::SystemClock;
use crate::app::config::Config;
use crate::app::config::release_ways::ways;
use crate::app::queue_socket::MAX_REQUEST;
use crate::audit::recorder::Recorder;
use crate::gateway::quarantine::{Desk, Request, Way};
use crate::model::clock::Clock as _;
use crate::model::shortage::Shortage;
use crate::quarantine;
use crate::quarantine::store::Store;
use crate::spool::intake::Intake;

/// How often it is looked for what was kept long enough.
const SWEEP: Duration = Duration::from_mins(10);
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the quarantine. Blocks on the disk; once in a process.
pub fn open(config: &Config) -> anyhow::Result<Store> {
    let folder = config.gateway.data_dir.join(quarantine::FOLDER);
    let (store, opened) =
        Store::open(&folder).with_context(|| format!("opening the quarantine {}", folder.display()))?;
    for foreign in &opened.foreign {
        warn!("{foreign}");
    }
    for (id, why) in &opened.damaged {
        error!(message = %id, why, "a message in quarantine is damaged; it stays until somebody deletes it");
    }
    let (messages, removed) = (opened.messages, opened.removed);
    info!(messages, removed, folder = %folder.display(), "the quarantine is open");
    Ok(store)
}

/// The quarantine at work.
#[derive(Debug)]
pub struct Keeper {
    socket: PathBuf,
    ways: Arc<RwLock<HashMap<String, Way>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Starts to take orders and to clear away; inside a runtime.
    pub fn start(
        store: &Store,
        config: &Config,
        spool: Option<&Intake>,
        recorder: &Recorder,
    ) -> anyhow::Result<Self> {
        let socket = store.folder().join(quarantine::SOCKET);
        // Of a daemon that was killed.
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", socket.display()));
            }
            _ => {}
        }
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("listening at {}", socket.display()))?;
        let ways = Arc::new(RwLock::new(made(config, spool)?));
        let (theirs, desk) = (Arc::clone(&ways), desk(store, recorder));
        let orders = tokio::spawn(async move {
            let shortage = Shortage::default();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        if let Some(over) = shortage.ends(tokio::time::Instant::now().into_std()) {
                            info!(lasted = ?over.lasted, "orders for the quarantine are taken again");
                        }
                        let ways = theirs.read().unwrap_or_else(PoisonError::into_inner).clone();
                        let desk = Desk { ways, ..desk.clone() };
                        // Apart, since a next hop may take its time.
                        drop(tokio::spawn(async move {
                            if let Err(error) = serve(stream, &desk).await {
                                warn!(%error, "an order for the quarantine came to nothing");
                            }
                        }));
                    }
                    Err(error) => {
                        if shortage.begins(tokio::time::Instant::now().into_std()) {
                            warn!(%error, "no order for the quarantine can be taken");
                        }
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        let tasks = vec![orders, tokio::spawn(sweep(store.clone()))];
        Ok(Self { socket, ways, tasks })
    }

    /// Other settings from now on.
    pub fn set_up(&self, config: &Config, spool: Option<&Intake>) -> anyhow::Result<()> {
        let made = made(config, spool)?;
        *self.ways.write().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    /// Takes no orders any more.
    pub fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        // Whoever finds no socket knows that there is no daemon.
        let _ = fs::remove_file(&self.socket);
    }
}

fn made(config: &Config, spool: Option<&Intake>) -> anyhow::Result<HashMap<String, Way>> {
    Ok(ways(config, &config.inspector.name(), spool.ok_or("there is none before the next start"))?)
}

fn desk(store: &Store, recorder: &Recorder) -> Desk {
    Desk {
        store: store.clone(),
        ways: HashMap::new(),
        recorder: Some(recorder.clone()),
        clock: Arc::new(SystemClock),
    }
}

async fn serve(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    tokio::time::timeout(PATIENCE, read.read_line(&mut line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let request: Request = serde_json::from_str(&line)?;
    for id in &request.ids {
        let mut answer = serde_json::to_vec(&Box::pin(desk.carry_out(&request, *id)).await)?;
        answer.push(b'\n');
        write.write_all(&answer).await?;
    }
    Ok(())
}

/// Clears away what was kept long enough.
async fn sweep(store: Store) {
    let mut ticker = tokio::time::interval(SWEEP);
    loop {
        ticker.tick().await;
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.expire(SystemClock.unix_micros())).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => info!(count, "messages in quarantine were kept long enough"),
            Ok(Err(error)) => warn!(%error, "what was kept long enough cannot be cleared away"),
            Err(_) => return,
        }
    }
}
