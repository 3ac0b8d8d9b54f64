//! Threads that sessions run on, each with a runtime of its own.
//!
//! A session stays on the thread that accepted it. A runtime that shares its tasks out wakes another thread several times in
//! each session, and that cost more than the session's own system calls. All threads accept from the same queue: one
//! that is busy leaves the next connection to the others, and what accepting costs those that come too late is paid only where
//! they had nothing to do.

use std::io;
use std::num::NonZero;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::gateway::runtime::steady;

/// The threads. They end when this is dropped, with what still runs on them.
#[derive(Debug)]
pub(crate) struct Threads(Vec<Thread>);

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Closed to end it.
    _end: oneshot::Sender<()>,
}

/// Threads of one runtime for work that blocks: files and what is computed for long.
const BLOCKING_THREADS: usize = 128;

impl Threads {
    /// Starts so many.
    pub(crate) fn start(count: NonZero<usize>) -> io::Result<Self> {
        (0..count.get()).map(start).collect::<io::Result<Vec<Thread>>>().map(Self)
    }

    /// The runtime of each.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().map(|thread| &thread.runtime)
    }
}

fn start(index: usize) -> io::Result<Thread> {
    let runtime = steady(Builder::new_current_thread().max_blocking_threads(BLOCKING_THREADS), 1)?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel();
    let work = move || {
        // Nothing is ever sent; it ends when the other end is gone.
        let _ = runtime.block_on(ended);
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(format!("sessions-{index}")).spawn(work)?;
    Ok(Thread { runtime: handle, _end: end })
}
