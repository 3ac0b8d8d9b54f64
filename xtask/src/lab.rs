//! The lab: three network namespaces joined by veth, for trying Postern by hand, for the demo and for the
//! emulated machine of the kernel tests.
//!
//! The topology is a list of plain commands ([`up_steps`]), so that the same lab can be built here and, as a
//! script, inside a machine that has no more than busybox and ip. Namespaces are entered with
//! `nsenter --net`, never `ip netns exec`, which would hide the BPF file system.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::root::Root;
use crate::setup::{self, Need};
use crate::workspace::Workspace;

/// `cargo xtask lab`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the lab.
#[derive(clap::Subcommand)]
enum Action {
    /// Make it; nothing is done when it is there.
    Up,
    /// End what runs in it and remove it.
    Down,
    /// Run a command on one of its hosts.
    Exec {
        /// Where.
        host: Host,
        /// The command and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

/// A host of the lab.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Host {
    /// Sends.
    Client,
    /// Forwards.
    #[value(alias = "gateway")]
    Gw,
    /// Is protected.
    Server,
}

impl Host {
    /// All three.
    pub(crate) const ALL: [Self; 3] = [Self::Client, Self::Gw, Self::Server];

    /// Its namespace.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Client => "postern-client",
            Self::Gw => "postern-gw",
            Self::Server => "postern-server",
        }
    }

    /// The arguments of `nsenter` that lead into it.
    pub(crate) fn entrance(self) -> String {
        format!("--net=/run/netns/{}", self.namespace())
    }

    fn exists(self) -> bool {
        Path::new("/run/netns").join(self.namespace()).exists()
    }
}

/// One side of the gateway.
struct Side {
    host: Host,
    host_interface: &'static str,
    gateway_interface: &'static str,
    prefix_v4: &'static str,
    prefix_v6: &'static str,
}

const SIDES: [Side; 2] = [
    Side {
        host: Host::Client,
        host_interface: "pcl0",
        gateway_interface: "pgw0",
        prefix_v4: "10.77.1",
        prefix_v6: "fd77:1:",
    },
    Side {
        host: Host::Server,
        host_interface: "psv0",
        gateway_interface: "pgw1",
        prefix_v4: "10.77.2",
        prefix_v6: "fd77:2:",
    },
];

/// The server, IPv4.
pub(crate) const SERVER_V4: &str = "10.77.2.2";
/// The server, IPv6.
pub(crate) const SERVER_V6: &str = "fd77:2::2";
/// The client, IPv4.
pub(crate) const CLIENT_V4: &str = "10.77.1.2";
/// The client, IPv6.
pub(crate) const CLIENT_V6: &str = "fd77:1::2";

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::Up => {
            need_root()?;
            setup::ensure(workspace, &[Need::Lab])?;
            if !up()? {
                println!("The lab is already up.");
            }
            println!("{PICTURE}");
            Ok(())
        }
        Action::Down => {
            need_root()?;
            down()
        }
        Action::Exec { host, command } => exec(*host, command),
    }
}

/// Makes the lab; says whether there was anything to do.
pub(crate) fn up() -> Result<bool> {
    if is_whole()? {
        return Ok(false);
    }
    down()?;
    let root = Root::detect();
    for step in up_steps() {
        let done =
            step.split_first().context("an empty step").and_then(|(program, rest)| root.run(program, rest));
        if let Err(error) = done {
            // Half a lab helps nobody; the first error is the one to tell.
            let _ = down();
            return Err(error.context("the lab could not be made"));
        }
    }
    Ok(true)
}

/// Ends what runs in the lab and removes it.
pub(crate) fn down() -> Result<()> {
    let root = Root::detect();
    // SIGINT first: it lets `postern run` detach and clean up.
    for (signal, grace) in [("-INT", 2000), ("-TERM", 1000), ("-KILL", 500)] {
        let processes = processes(root)?;
        if processes.is_empty() {
            break;
        }
        let mut words = vec![signal.to_owned()];
        words.extend(processes);
        // One that ended meanwhile is not an error.
        let _ = root.command("kill", &words)?.output()?;
        let deadline = Instant::now() + Duration::from_millis(grace);
        while Instant::now() < deadline && !self::processes(root)?.is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
    }
    for host in Host::ALL.into_iter().filter(|host| host.exists()) {
        root.run("ip", &["netns", "delete", host.namespace()])?;
    }
    Ok(())
}

/// A command inside a host's namespace, as root.
pub(crate) fn inside<S: AsRef<std::ffi::OsStr>>(host: Host, program: S, arguments: &[S]) -> Result<Command> {
    let mut command = Root::detect().command("nsenter", &[host.entrance()])?;
    command.arg(program).args(arguments);
    Ok(command)
}

/// The commands that make the lab, in order, without one that enters a mount namespace.
pub(crate) fn up_steps() -> Vec<Vec<String>> {
    let mut steps: Vec<Vec<String>> = Vec::new();
    let mut step = |line: String| steps.push(line.split(' ').map(str::to_owned).collect());
    let gateway = Host::Gw.namespace();
    for host in Host::ALL {
        step(format!("ip netns add {}", host.namespace()));
    }
    for side in &SIDES {
        let Side { host, host_interface, gateway_interface, .. } = side;
        let namespace = host.namespace();
        step(format!(
            "ip -n {gateway} link add {gateway_interface} type veth peer name {host_interface} netns {namespace}"
        ));
    }
    let mut settings: Vec<Vec<String>> = Vec::new();
    for host in Host::ALL {
        let script = SETTINGS
            .iter()
            .filter(|setting| host == Host::Gw || !setting.gateway_only)
            .map(|setting| {
                format!("for f in /proc/sys/net/{}; do echo {} > $f; done", setting.files, setting.value)
            })
            .collect::<Vec<_>>()
            .join("; ");
        settings.push(vec!["nsenter".into(), host.entrance(), "sh".into(), "-ec".into(), script]);
    }
    steps.extend(settings);
    let mut step = |line: String| steps.push(line.split(' ').map(str::to_owned).collect());
    for host in Host::ALL {
        step(format!("ip -n {} link set lo up", host.namespace()));
    }
    for side in &SIDES {
        let Side { host, host_interface, gateway_interface, prefix_v4, prefix_v6 } = side;
        let namespace = host.namespace();
        for (namespace, interface, number) in
            [(gateway, gateway_interface, 1), (namespace, host_interface, 2)]
        {
            step(format!("ip -n {namespace} address add {prefix_v4}.{number}/24 dev {interface}"));
            step(format!("ip -n {namespace} address add {prefix_v6}:{number}/64 dev {interface} nodad"));
            step(format!("ip -n {namespace} link set {interface} up"));
        }
        step(format!("ip -n {namespace} route add default via {prefix_v4}.1"));
        step(format!("ip -n {namespace} -6 route add default via {prefix_v6}:1"));
        // A veth device takes redirected XDP frames only when its owner polls, which GRO switches on.
        step(format!("nsenter {} ethtool -K {host_interface} gro on", host.entrance()));
    }
    steps
}

/// A kernel setting of the lab's namespaces.
struct Setting {
    /// Below `/proc/sys/net`, as a shell pattern.
    files: &'static str,
    value: u8,
    gateway_only: bool,
}

const SETTINGS: &[Setting] = &[
    // No waiting for duplicate address detection.
    Setting { files: "ipv6/conf/*/accept_dad", value: 0, gateway_only: false },
    Setting { files: "ipv6/conf/*/accept_ra", value: 0, gateway_only: false },
    Setting { files: "ipv4/conf/*/rp_filter", value: 0, gateway_only: false },
    // `bpf_fib_lookup` answers only where forwarding is on.
    Setting { files: "ipv4/ip_forward", value: 1, gateway_only: true },
    Setting { files: "ipv6/conf/all/forwarding", value: 1, gateway_only: true },
];

fn need_root() -> Result<()> {
    if Root::detect() == Root::None {
        bail!("the lab needs root, and there is no sudo; run this as root");
    }
    Ok(())
}

fn is_whole() -> Result<bool> {
    if !Host::ALL.into_iter().all(Host::exists) {
        return Ok(false);
    }
    let root = Root::detect();
    for side in &SIDES {
        for (host, interface) in [(Host::Gw, side.gateway_interface), (side.host, side.host_interface)] {
            let words = ["-n", host.namespace(), "link", "show", interface];
            if !root.command("ip", &words)?.output()?.status.success() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn processes(root: Root) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for host in Host::ALL.into_iter().filter(|host| host.exists()) {
        let output = root.command("ip", &["netns", "pids", host.namespace()])?.output()?;
        all.extend(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned));
    }
    Ok(all)
}

fn exec(host: Host, command: &[OsString]) -> Result<()> {
    if !host.exists() {
        bail!("the lab is not up; `cargo xtask lab up` makes it");
    }
    let Some((program, rest)) = command.split_first() else {
        bail!("no command was given");
    };
    let mut command = inside(host, program, &rest.iter().collect::<Vec<_>>())?;
    Err(command.exec()).context("cannot start nsenter")
}

const PICTURE: &str = "\n  postern-client             postern-gw              postern-server
  10.77.1.2  pcl0 ────── pgw0  .1      .1  pgw1 ────── psv0  10.77.2.2
  fd77:1::2                                               fd77:2::2

Try next:
  cargo xtask build --release
  cargo xtask lab exec gw -- target/release/postern run --interface pgw0 --interface pgw1
and in another terminal:
  cargo xtask lab exec server -- iperf3 -s
  cargo xtask lab exec client -- iperf3 -c 10.77.2.2
  cargo xtask lab exec gw -- target/release/postern stat
Remove it with: cargo xtask lab down";

#[cfg(test)]
mod tests {
    use super::{Host, up_steps};

    #[test]
    fn no_step_hides_the_bpf_file_system() {
        assert!(up_steps().iter().all(|step| !step.join(" ").contains("netns exec")));
    }

    #[test]
    fn forwarding_is_switched_on_in_the_gateway_only() {
        for step in up_steps().iter().filter(|step| step.join(" ").contains("ip_forward")) {
            assert!(step.contains(&Host::Gw.entrance()));
        }
    }
}
