//! A runtime that goes on when the system gives it no more threads.

use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{MissedTickBehavior, interval};

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
