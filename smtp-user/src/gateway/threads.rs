//! Threads that sessions run on, each with a runtime of its own.
//!
//! A session stays on the thread that accepted it. A runtime that shares its tasks out wakes another thread several times in
//! each session, and that cost more than the session's own system calls. All threads accept from the same queue: one
//! that is busy leaves the next connection to the others, and what accepting costs those that come too late is paid only where
//! they had nothing to do.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

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

/// How long a thread stays that has nothing to do, and how often one is given something to do.
const STAYS: Duration = Duration::from_mins(1);
const KEPT: Duration = Duration::from_secs(5);

/// Builds a runtime of so many threads that goes on when the system gives it no more. It always has a thread for work that
/// blocks: without one, and with none to be had, tokio panics where such work is given out, or leaves it lying until more of
/// it comes.
pub fn steady(builder: &mut Builder, threads: usize) -> io::Result<Runtime> {
    are_to_be_had(threads + 1)?;
    let runtime = builder.thread_keep_alive(STAYS).enable_all().build()?;
    drop(runtime.spawn_blocking(|| ()));
    runtime.spawn(async {
        let mut ticker = interval(KEPT);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticker.tick().await;
            // In a task of its own: should it have no thread all the same, the next time is to come.
            drop(tokio::spawn(async { drop(tokio::task::spawn_blocking(|| ())) }).await);
        }
    });
    Ok(runtime)
}

/// Fails where tokio, which makes its threads later, would panic.
fn are_to_be_had(count: usize) -> io::Result<()> {
    let (end, ended) = sync_channel::<()>(0);
    let ended = Arc::new(Mutex::new(ended));
    let made = |_| {
        let ended = Arc::clone(&ended);
        std::thread::Builder::new().spawn(move || drop(ended.lock().map(|ended| ended.recv())))
    };
    let threads: io::Result<Vec<JoinHandle<()>>> = (0..count).map(made).collect();
    drop(end);
    for thread in threads? {
        let _ = thread.join();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_a_thread_for_work_that_blocks_before_there_is_any() {
        let (began, begins) = sync_channel(9);
        let mut builder = Builder::new_current_thread();
        let runtime = steady(builder.on_thread_start(move || began.send(()).unwrap()), 1).unwrap();
        begins.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(runtime.block_on(async { tokio::task::spawn_blocking(|| true).await.unwrap() }));
    }
}
