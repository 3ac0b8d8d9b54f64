//! The real `postern` in the gateway's namespace.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::deadline::{self, SOON};
use crate::mail_scene::MailConfig;
use crate::netns;
use crate::pins::Pins;
use crate::program::Program;
use crate::topology::{CLIENT_SIDE, Hook, SERVER_SIDE, Topology};

/// The line on standard error that says the data path is in place.
const READY: &str = "postern: ready";

/// Longest time for a start: the kernel checks every path through the programs, beside other tests and builds.
const LOADED: Duration = Duration::from_secs(40);

/// How a gateway is set up: the configuration file's text in pieces.
#[derive(Clone, Debug)]
pub struct Config {
    /// Gateway interfaces.
    pub interfaces: Vec<String>,
    /// Kernel hook, as the configuration spells it.
    pub hook: String,
    /// More lines of the `[gateway]` table.
    pub gateway: String,
    /// `[[rule]]` tables.
    pub rules: String,
}

impl Config {
    /// The two interfaces of the test network, small flow tables, and these rules.
    pub fn new(hook: Hook, rules: &str) -> Self {
        Self {
            interfaces: vec![CLIENT_SIDE.to_owned(), SERVER_SIDE.to_owned()],
            hook: hook.name().to_owned(),
            gateway: "flows_v4 = 2048\nflows_v6 = 2048\n".to_owned(),
            rules: rules.to_owned(),
        }
    }

    /// The configuration file's text.
    pub fn text(&self) -> String {
        format!(
            "[gateway]\ninterfaces = {:?}\nhook = {:?}\n{}\n{}\n{RESOURCE}",
            self.interfaces, self.hook, self.gateway, self.rules
        )
    }
}

/// A configuration with the folder of what is kept, unless it names one.
fn with_data_dir(config: &str, folder: &Path) -> String {
    if config.contains("\ndata_dir") {
        return config.to_owned();
    }
    config.replacen("[gateway]\n", &format!("[gateway]\ndata_dir = \"{}\"\n", folder.display()), 1)
}

/// What inspecting rules name.
const RESOURCE: &str = "[[resource]]\nname = \"inbound\"\nmode = \"proxy\"\n";

/// A rule that accelerates everything.
pub const ACCELERATE_ALL: &str = "[[rule]]\nname = \"all\"\naction = \"accelerate\"\n";

/// A running `postern` and its pins; both are gone after drop.
#[derive(Debug)]
pub struct Gateway<'a> {
    topology: &'a Topology,
    pins: Pins,
    config: NamedTempFile,
    /// What the daemon keeps, where the configuration names no folder for it: each gateway has one of its own.
    data: TempDir,
    daemon: Option<Daemon>,
    /// Whether the inspector is part of it; scenarios of the packet path do without.
    inspects: bool,
}

#[derive(Debug)]
struct Daemon {
    child: Child,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl<'a> Gateway<'a> {
    /// Writes the configuration and starts `postern run`; returns when it says that it is ready.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn start(topology: &'a Topology, config: &Config) -> Self {
        let mut gateway = Self::prepare(topology, &config.text());
        gateway.run();
        gateway
    }

    /// Writes the configuration, but starts nothing yet.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn prepare(topology: &'a Topology, config: &str) -> Self {
        let mut file =
            tempfile::Builder::new().prefix("postern-").suffix(".toml").tempfile().expect("a file");
        let data = tempfile::Builder::new().prefix("postern-").tempdir().expect("a folder");
        let config = with_data_dir(config, data.path());
        file.write_all(config.as_bytes()).expect("the configuration can be written");
        let pins = Pins::new(Path::new("/sys/fs/bpf").join(netns::unique_name("pins")));
        Self { topology, pins, config: file, data, daemon: None, inspects: false }
    }

    /// Starts `postern run` (again) and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn run(&mut self) {
        assert!(self.daemon.is_none(), "the daemon is running");
        let mut child = self
            .postern(&self.run_arguments())
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

    /// Starts it as a mail configuration says, with an inspection CA where one is needed.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn start_inspecting(topology: &'a Topology, config: &MailConfig) -> Self {
        let mut gateway = Self::prepare(topology, &config.text());
        gateway.inspects = true;
        if config.is_minting() {
            gateway.make_authority();
        }
        gateway.run();
        gateway
    }

    /// Makes the inspection CA.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[track_caller]
    pub fn make_authority(&self) {
        let config = self.config.path().display().to_string();
        let program = binary().display().to_string();
        crate::command::run(&program, &["ca", "init", "--config", &config]);
    }

    /// Its configuration file.
    pub fn config_path(&self) -> &Path {
        self.config.path()
    }

    fn run_arguments(&self) -> Vec<String> {
        let mut arguments =
            vec!["run".to_owned(), "--config".to_owned(), self.config.path().display().to_string()];
        if !self.inspects {
            arguments.push("--no-inspector".to_owned());
        }
        arguments
    }

    /// A `postern` command inside the gateway's namespace, on its pins.
    fn postern<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.topology.gateway.nsenter_argument()).arg(binary());
        command.args(arguments.iter().map(AsRef::as_ref)).arg("--pin-dir").arg(self.pins.folder());
        command
    }

    /// Runs a `postern` command and returns its output, whatever its exit code is.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn try_command(&self, arguments: &[&str]) -> Output {
        self.postern(arguments).stdin(Stdio::null()).output().expect("nsenter can be started")
    }

    /// Runs a `postern` command and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = self.try_command(arguments);
        assert!(
            output.status.success(),
            "postern {} failed ({}): {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a `postern` command with `--json` and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails, or prints something else than JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let text = self.command(&all);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("postern {} is not JSON: {error}\n{text}", all.join(" ")))
    }

    /// Loads other rules into the running gateway.
    ///
    /// # Panics
    ///
    /// When they are refused.
    #[track_caller]
    pub fn load_rules(&self, rules: &str) {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        file.write_all(rules.as_bytes()).expect("the rules can be written");
        self.command(&["rules", "load", &file.path().display().to_string()]);
    }

    /// Replaces the configuration file; the daemon does not read it again by itself.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn rewrite_config(&mut self, config: &str) {
        let config = with_data_dir(config, self.data.path());
        std::fs::write(self.config.path(), config).expect("the configuration can be written");
    }

    /// Its pinned maps and programs.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The network it stands in.
    pub fn topology(&self) -> &'a Topology {
        self.topology
    }

    /// One of its kernel programs, to be run on frames.
    pub fn program(&self, hook: Hook) -> Program<'_> {
        Program::new(&self.topology.gateway, &self.pins, hook)
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

    /// SIGKILL.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_for_end();
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

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        // A drop must not panic: the test's own panic may be on its way.
        if std::thread::panicking() && self.daemon.is_some() {
            eprintln!("the gateway said:\n{}", self.log());
        }
        let _ = self.try_command(&["stop"]);
        if let Some(mut daemon) = self.daemon.take() {
            // A stopped process does not die by itself; SIGKILL reaches it all the same.
            let _ = daemon.child.kill();
            let _ = daemon.child.wait();
        }
        let _ = std::fs::remove_dir_all(self.pins.folder());
    }
}

impl Log {
    fn fill(&self, stderr: impl std::io::Read) {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { break };
            self.lines.lock().expect("no reader panics").0.push(line);
            self.changed.notify_all();
        }
        self.lines.lock().expect("no reader panics").1 = true;
        self.changed.notify_all();
    }

    fn text(&self) -> String {
        self.lines.lock().map(|lines| lines.0.join("\n")).unwrap_or_default()
    }

    fn wait_for_line(&self, mut wanted: impl FnMut(&str) -> bool, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        let mut seen = 0;
        let mut lines = self.lines.lock().expect("no reader panics");
        loop {
            while seen < lines.0.len() {
                if wanted(&lines.0[seen]) {
                    return Some(lines.0[seen].clone());
                }
                seen += 1;
            }
            let left = end.saturating_duration_since(Instant::now());
            if lines.1 || left.is_zero() {
                return None;
            }
            lines = self.changed.wait_timeout(lines, left).expect("no reader panics").0;
        }
    }
}

/// The `postern` that was built with these tests; `POSTERN_BIN` names another.
///
/// # Panics
///
/// When it has not been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("POSTERN_BIN") {
        return PathBuf::from(path);
    }
    // target/<profile>/deps/packet_path-… stands one folder below target/<profile>/postern.
    let test = std::env::current_exe().expect("the test knows its own file");
    let profile = test.ancestors().nth(2).expect("the test stands in target/<profile>/deps");
    let binary = profile.join("postern");
    assert!(
        binary.is_file(),
        "{} is missing; build it first: cargo build --package smtp-user --bin postern",
        binary.display()
    );
    binary
}

/// Why kernel programs cannot be loaded, where `postern` was built without them.
pub fn missing_object() -> Option<String> {
    smtp_user::packet_path::object::object().err().map(|error| error.to_string())
}
