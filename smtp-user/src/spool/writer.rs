//! The one thread of a process that changes files of the spool: whoever waits meanwhile shares the next round of syncs, and
//! wherever several come, they wait a moment for others.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::error;

use crate::model::shortage::has_no_descriptors;
use crate::spool::batch::{self, Outcome, Task};
use crate::spool::bundle::Slot;
use crate::spool::error::SpoolError;
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Places, Side};
use crate::spool::room::Room;
use crate::spool::syncers::Syncers;

/// Something to be done, and whom to tell.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) done: oneshot::Sender<Outcome>,
    /// Where that one waits.
    pub(crate) runtime: Option<Handle>,
}

/// Jobs that may wait; more wait where they come from.
const WAITING: usize = 1024;
/// Jobs that are done at a time.
const BATCH: usize = 128;
/// How long others are waited for when a message is finished: nobody waits for what becomes of it, and a disk has done a
/// sync of its own by then.
const GATHER: Duration = Duration::from_millis(2);
/// How long others are waited for while many come at a time: to the disk a round costs as much whatever is in it.
const GATHER_MORE: Duration = Duration::from_millis(3);
/// As many as these in a round are many.
const MANY: usize = 8;

/// Starts the thread. It ends when nobody can give it jobs any more.
pub(crate) fn start(
    file_system: Arc<dyn FileSystem>,
    places: Places,
    side: Side,
    room: Arc<Room>,
) -> std::io::Result<(SyncSender<Job>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(WAITING);
    let work = move || work(file_system.as_ref(), &places, side, &room, &receiver);
    let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(work)?;
    Ok((sender, thread))
}

fn work(file_system: &dyn FileSystem, places: &Places, side: Side, room: &Room, jobs: &Receiver<Job>) {
    let (mut serial, mut last, syncers) = (0, 0, Syncers::default());
    while let Ok(first) = jobs.recv() {
        let (mut tasks, mut waiting) = (vec![first.task], vec![(first.done, first.runtime)]);
        // In one sleep: each that came would wake this thread otherwise.
        let can_wait = tasks.iter().all(Task::can_wait);
        if can_wait || last >= MANY {
            std::thread::sleep(if can_wait { GATHER } else { GATHER_MORE });
        }
        while tasks.len() < BATCH
            && let Ok(next) = jobs.try_recv()
        {
            tasks.push(next.task);
            waiting.push((next.done, next.runtime));
        }
        last = tasks.len();
        let leaving: Vec<Option<Slot>> = tasks.iter().map(Task::leaves).collect();
        let outcomes = batch::run(file_system, &syncers, places, side, &mut serial, tasks);
        for slot in
            leaving.into_iter().zip(&outcomes).filter_map(|(slot, outcome)| slot.filter(|_| outcome.is_ok()))
        {
            if room.leave(slot) {
                // One that is there again after a loss of power says of each message that it is gone.
                let _ = file_system.remove(&places.bundle(slot.bundle));
                room.forget_bundle(slot);
            }
        }
        let mut answers: Vec<Answers> = Vec::new();
        for ((done, runtime), outcome) in waiting.into_iter().zip(outcomes) {
            // Without descriptors nothing was written, and so no write has failed.
            if let Err(SpoolError::Io { path, why }) = &outcome
                && !has_no_descriptors(why)
                && !room.set_read_only(true)
            {
                // A later sync may claim success though the octets are lost: nothing is promised any more.
                error!(path = %path.display(), %why, "the spool takes no mail: a write failed");
            }
            let id = runtime.as_ref().map(Handle::id);
            match answers.iter_mut().find(|answers| answers.runtime.as_ref().map(Handle::id) == id) {
                Some(answers) => answers.to.push((done, outcome)),
                None => answers.push(Answers { runtime, to: vec![(done, outcome)] }),
            }
        }
        answers.into_iter().for_each(Answers::give);
    }
}

/// What came of a round, for those who wait in one runtime.
struct Answers {
    runtime: Option<Handle>,
    to: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl Answers {
    /// Waking somebody from another thread takes a system call: it is done once for all of them.
    fn give(self) {
        let Self { runtime, to } = self;
        let several = to.len() > 1;
        let give = move || {
            for (done, outcome) in to {
                // Whoever does not wait any more finds it in the spool, or does not.
                let _ = done.send(outcome);
            }
        };
        match runtime {
            Some(runtime) if several => drop(runtime.spawn(async move { give() })),
            _ => give(),
        }
    }
}
