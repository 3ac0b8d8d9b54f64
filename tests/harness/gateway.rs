//! The real `postern` in the gateway's namespace.

mod config;
mod daemon;
mod log;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use self::config::with_data_dir;
pub use self::config::{ACCELERATE_ALL, Config};
use self::daemon::Daemon;
use crate::control_group::ControlGroup;
use crate::mail_scene::MailConfig;
use crate::netns;
use crate::pins::Pins;
use crate::program::Program;
use crate::topology::{Hook, Topology};

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
    /// Control groups that the daemon begins in.
    doors: Vec<PathBuf>,
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
        Self { topology, pins, config: file, data, daemon: None, inspects: false, doors: Vec::new() }
    }

    /// Starts it as a mail configuration says, with an inspection CA where one is needed.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn start_inspecting(topology: &'a Topology, config: &MailConfig) -> Self {
        Self::start_inspecting_within(topology, config, &[])
    }

    /// The same within control groups.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready in time.
    #[track_caller]
    pub fn start_inspecting_within(
        topology: &'a Topology,
        config: &MailConfig,
        groups: &[&ControlGroup],
    ) -> Self {
        let mut gateway = Self::prepare(topology, &config.text());
        gateway.inspects = true;
        gateway.doors = groups.iter().map(|group| group.door()).collect();
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

    /// A `postern` command inside the gateway's namespace, on its pins.
    fn postern<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.topology.gateway.nsenter_argument()).arg(binary());
        command.args(arguments.iter().map(AsRef::as_ref)).arg("--pin-dir").arg(self.pins.folder());
        command
    }

    /// `postern run`, within the control groups.
    fn postern_run(&self) -> Command {
        let run = self.postern(&self.run_arguments());
        if self.doors.is_empty() {
            return run;
        }
        // The shell goes in, and becomes the daemon.
        let enter = self.doors.iter().map(|door| format!("echo $$ > {} && ", door.display()));
        let mut command = Command::new("sh");
        command.arg("-c").arg(enter.collect::<String>() + "exec \"$0\" \"$@\"");
        command.arg(run.get_program()).args(run.get_args());
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

    /// Runs a `postern` command that looks at no pins, and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn command_on_files(&self, arguments: &[&str]) -> String {
        let output = Command::new(binary()).args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("postern can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "postern {} failed: {said}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a `postern` command that looks at no pins says on standard error, whatever becomes of it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn said_on_files(&self, arguments: &[&str]) -> String {
        let output = Command::new(binary()).args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("postern can be started");
        String::from_utf8_lossy(&output.stderr).into_owned()
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
        for pid in self.dequeuers() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = std::fs::remove_dir_all(self.pins.folder());
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
