//! The socket in the spool's folder on which `postern queue` gives orders to the dequeuer: one request a line as JSON, one
//! answer a line for each message. Whoever may open it may also write to the spool, so nobody is asked who they are.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::delivery::failure::one_line;
use crate::gateway::dequeuer::orders::{Answer, Orders, Request, nothing_for};
use crate::model::session_id::MessageId;
use crate::model::shortage::Shortage;

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited when the system has no descriptors for another request.
const EXHAUSTED: Duration = Duration::from_secs(1);
/// Octets of a request at most.
pub const MAX_REQUEST: u64 = 16 << 20;

/// Takes orders until the task is ended.
pub fn listen(path: &Path, orders: Orders) -> anyhow::Result<JoinHandle<()>> {
    // Of a daemon that was killed: the lock says that there is no other.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listening at {}", path.display()))?;
    Ok(tokio::spawn(async move {
        let shortage = Shortage::default();
        loop {
            let accepted = listener.accept().await;
            let now = Instant::now().into_std();
            match accepted {
                Ok((stream, _)) => {
                    if let Some(over) = shortage.ends(now) {
                        info!(lasted = ?over.lasted, "orders for the queue are taken again");
                    }
                    // One at a time: nobody gives so many orders.
                    if let Err(error) = serve(stream, &orders).await {
                        warn!(%error, "an order for the queue came to nothing");
                    }
                }
                Err(error) => {
                    if shortage.begins(now) {
                        warn!(%error, "no order for the queue can be taken");
                    }
                    sleep(EXHAUSTED).await;
                }
            }
        }
    }))
}

async fn serve(stream: UnixStream, orders: &Orders) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    tokio::time::timeout(PATIENCE, read.read_line(&mut line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let request: Request = serde_json::from_str(&line)?;
    if let Some(name) = &request.to {
        let error = (orders.flush_to(name) == 0).then(|| nothing_for(name));
        if error.is_none() {
            info!(by = %request.who, to = %one_line(name), "what waits is tried at once, as was ordered");
        }
        return write.write_all(&answer(None, error)?).await;
    }
    if request.is_about_all() {
        orders.flush_all();
        info!(by = %request.who, "all that waits is tried at once, as was ordered");
        return write.write_all(&answer(None, None)?).await;
    }
    for id in request.ids {
        let done = orders.carry_out(request.order, id, &request.who).await;
        write.write_all(&answer(Some(id), done.err().map(|error| error.to_string()))?).await?;
    }
    Ok(())
}

fn answer(id: Option<MessageId>, error: Option<String>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Answer { id, error })?;
    line.push(b'\n');
    Ok(line)
}
