//! Starts workers on a thread of its own, which lasts as long as this program does: the kernel ends a worker when the thread
//! is gone that started it, and so one that hangs, or stands still, does not outlive a daemon that was killed.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// A worker that has just been started, and the socket to it.
type Started = io::Result<(Child, UnixStream)>;

/// Starts workers.
#[derive(Debug)]
pub(super) struct Starter {
    program: PathBuf,
    arguments: Vec<String>,
    /// To the thread, once there is one.
    thread: Mutex<Option<SyncSender<SyncSender<Started>>>>,
}

impl Starter {
    /// By starting a program with arguments.
    pub(super) const fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self { program, arguments, thread: Mutex::new(None) }
    }

    /// Starts one. Blocks until the program runs.
    pub(super) fn start(&self) -> Started {
        let thread = self.thread()?;
        let (answer, started) = sync_channel(1);
        let gone = |_| io::Error::other("the thread that starts workers has ended");
        thread.send(answer).map_err(|error| gone(error.to_string()))?;
        started.recv().map_err(|error| gone(error.to_string()))?
    }

    fn thread(&self) -> io::Result<SyncSender<SyncSender<Started>>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*thread {
            return Ok(thread.clone());
        }
        let (asks, asked) = sync_channel::<SyncSender<Started>>(1);
        let (program, arguments) = (self.program.clone(), self.arguments.clone());
        std::thread::Builder::new().name("workers".to_owned()).spawn(move || {
            for answer in asked {
                // Whoever asked waits for it.
                let _ = answer.send(start(&program, &arguments));
            }
        })?;
        Ok(thread.insert(asks).clone())
    }
}

fn start(program: &PathBuf, arguments: &[String]) -> Started {
    let (stream, theirs) = UnixStream::pair()?;
    let output = OwnedFd::from(theirs.try_clone()?);
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()?;
    // Where memory runs out, a worker costs one message, and the daemon every session. Whoever may not say so goes without.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), FIRST_TO_GO);
    Ok((child, stream))
}

/// What a worker is to the kernel when it ends a process for want of memory: the one to end (`proc_pid_oom_score_adj(5)`).
const FIRST_TO_GO: &str = "1000";
