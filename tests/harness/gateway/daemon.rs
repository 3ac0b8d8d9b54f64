//! The daemon's life: from `postern run` to its end, however it ends.

use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smtp_user::gateway::dequeuer::running::running;

use super::Gateway;
use super::log::Log;
use crate::deadline::{self, SOON};

/// The line on standard error that says the data path is in place.
const READY: &str = "postern: ready";

/// Longest time for a start: the kernel checks every path through the programs, beside other tests and builds.
const LOADED: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) child: Child,
    log: Arc<Log>,
}

impl Gateway<'_> {
    /// Starts `postern run` (again) and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn run(&mut self) {
        assert!(self.daemon.is_none(), "the daemon is running");
        let mut child = self
            .postern_run()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter can be started");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let writer = Arc::clone(&log);
        std::thread::spawn(move || writer.fill(stderr));
        self.daemon = Some(Daemon { child, log: Arc::clone(&log) });
        assert!(
            log.wait_for_line(|line| line == READY, LOADED).is_some(),
            "the gateway did not get ready; it said:\n{}",
            log.text()
        );
    }

    /// Runs `postern run` where it must fail, and returns what it said and its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn run_in_vain(&self) -> Output {
        let mut child = self
            .postern(&self.run_arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter can be started");
        let end = Instant::now() + SOON;
        while child.try_wait().expect("the child can be waited for").is_none() {
            if Instant::now() > end {
                let _ = child.kill();
                let output = child.wait_with_output().expect("the child can be waited for");
                panic!("the gateway runs; it said:\n{}", String::from_utf8_lossy(&output.stderr));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        child.wait_with_output().expect("the child can be waited for")
    }

    pub(super) fn run_arguments(&self) -> Vec<String> {
        let mut arguments =
            vec!["run".to_owned(), "--config".to_owned(), self.config.path().display().to_string()];
        if !self.inspects {
            arguments.push("--no-inspector".to_owned());
        }
        arguments
    }

    /// The daemon's process.
    ///
    /// # Panics
    ///
    /// When it is not running.
    pub fn pid(&self) -> Pid {
        let daemon = self.daemon.as_ref().expect("the daemon is running");
        Pid::from_raw(i32::try_from(daemon.child.id()).expect("process ids are positive"))
    }

    /// What the daemon has said so far.
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(|daemon| daemon.log.text()).unwrap_or_default()
    }

    /// Waits for a line of the daemon.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    #[track_caller]
    pub fn wait_for_line(&self, wanted: impl FnMut(&str) -> bool) -> String {
        let daemon = self.daemon.as_ref().expect("the daemon is running");
        daemon
            .log
            .wait_for_line(wanted, SOON)
            .unwrap_or_else(|| panic!("the line did not come; the gateway said:\n{}", daemon.log.text()))
    }

    /// Sends a signal to the daemon.
    ///
    /// # Panics
    ///
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon can be signalled");
    }

    /// SIGTERM: the daemon ends, the data path stays.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_for_end()
    }

    /// SIGKILL to all of it: the daemon, and the dequeuer if there is one.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.kill9_daemon();
        self.kill9_dequeuer();
    }

    /// SIGKILL to the daemon alone.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn kill9_daemon(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_for_end();
    }

    /// SIGKILL to the dequeuer, if there is one.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn kill9_dequeuer(&self) {
        let before = self.dequeuers();
        for pid in &before {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        deadline::wait_until("the dequeuer ends", SOON, || {
            self.dequeuers().iter().all(|pid| !before.contains(pid))
        });
    }

    /// Processes of dequeuers: one, if a resource has a spool and nothing happened to it.
    pub fn dequeuers(&self) -> Vec<Pid> {
        running(self.pins.folder()).into_iter().map(|dequeuer| Pid::from_raw(dequeuer.pid)).collect()
    }

    /// Processes that the daemon has started to look at parts.
    ///
    /// # Panics
    ///
    /// When the daemon is not running.
    pub fn workers(&self) -> Vec<Pid> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the daemon runs");
        let lists =
            tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let all: Vec<String> = lists.collect();
        let ids = all.iter().flat_map(|list| list.split_whitespace()).filter_map(|id| id.parse().ok());
        let dequeuers = self.dequeuers();
        ids.map(Pid::from_raw).filter(|pid| !dequeuers.contains(pid)).collect()
    }

    /// SIGKILL to one that looks at parts; says whether there was one.
    ///
    /// # Panics
    ///
    /// When the daemon is not running.
    pub fn kill9_worker(&self) -> bool {
        self.workers().first().is_some_and(|worker| kill(*worker, Signal::SIGKILL).is_ok())
    }

    /// Takes note that the daemon was killed.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn forget_killed(&mut self) {
        self.wait_for_end();
    }

    /// `postern stop`: detaches and cleans up.
    ///
    /// # Panics
    ///
    /// When the command fails or a running daemon does not end in time.
    #[track_caller]
    pub fn stop(&mut self) {
        self.command(&["stop"]);
        if self.daemon.is_some() {
            self.wait_for_end();
        }
    }

    #[track_caller]
    fn wait_for_end(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("the daemon is running");
        deadline::wait_for("the daemon ends", SOON, || {
            daemon.child.try_wait().expect("the daemon can be waited for")
        })
    }
}
