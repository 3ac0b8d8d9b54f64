//! Somebody detaches a program: where the kernel lets them, the daemon notices, says so, and attaches it again within
//! a second.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use aya::programs::ProgramInfo;
use harness::command;
use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{exchange, tcp_flow};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use nix::fcntl::{Flock, FlockArg};

/// What the daemon promises.
const LIMIT: Duration = Duration::from_secs(1);

fn wait_until_attached(topology: &Topology, before: &[String], since: Instant) {
    wait_until("the programs are attached again", SOON, || topology.attached_programs() == before);
    assert!(since.elapsed() < LIMIT, "it took {:?}", since.elapsed());
}

#[test]
fn a_detached_link_is_made_again() {
    requires_root!();
    for (hook, kinds) in [(Hook::Tc, &["_tcx"][..]), (Hook::Xdp, &["_xdp", "_tcx"])] {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let before = topology.attached_programs();
        for kind in kinds {
            let links: Vec<_> =
                gateway.pins().names().into_iter().filter(|name| name.ends_with(kind)).collect();
            assert_eq!(links.len(), 2, "{hook:?} {kind}: {links:?}");
            // One after the other: what is measured is the daemon, and not how long bpftool takes to begin.
            for link in &links {
                let pin = gateway.pins().path(link).display().to_string();
                topology.gateway.exec("bpftool", &["link", "detach", "pinned", &pin]);
                wait_until_attached(&topology, &before, Instant::now());
            }
        }
        gateway.wait_for_line(|line| line.contains("pgw0") && line.contains("attached"));
        topology.close_stack();
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: the flow is accelerated again");
    }
}

#[test]
fn an_interface_that_went_and_came_back_is_attached_again() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let before = topology.attached_programs();
        topology.gateway.ip("link del pgw1\n");
        topology.add_server_side();
        topology.fix_neighbours();
        let begin = Instant::now();
        wait_until_attached(&topology, &before, begin);
        topology.close_stack();
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, _stream) = tcp_flow(&topology, server);
        let reasons = gateway.pins().reasons();
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: {reasons:?}");
    }
}

#[test]
fn a_walk_that_takes_long_does_not_delay_it() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let gateway = Gateway::start(&topology, &Config::new(Hook::Tc, ACCELERATE_ALL));
    let before = topology.attached_programs();
    // As a `postern conns` on a large table holds it; the daemon waits for it to clear ended flows away.
    let folder = File::open(gateway.pins().path("walk_lock")).expect("the lock is there");
    let _lock = Flock::lock(folder, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("it is free");
    let daemon = gateway.pid().to_string();
    wait_until("the daemon waits for the walk", SOON, || {
        let locks = std::fs::read_to_string("/proc/locks").expect("the kernel lists locks");
        locks.lines().any(|line| line.contains("-> FLOCK") && line.split(' ').any(|word| word == daemon))
    });
    let pin = gateway.pins().path(&format!("link_{CLIENT_SIDE}_tcx")).display().to_string();
    topology.gateway.exec("bpftool", &["link", "detach", "pinned", &pin]);
    wait_until_attached(&topology, &before, Instant::now());
}

#[test]
fn other_ways_to_take_a_program_off_are_refused_or_do_nothing() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let before = topology.attached_programs();
        let try_in_gateway = |words: &[&str]| {
            let enter = topology.gateway.nsenter_argument();
            let output = command::try_run("nsenter", &[&[enter.as_str()], words].concat(), "");
            assert_eq!(topology.attached_programs(), before, "{hook:?}: after {words:?}");
            exchange(&stream, 1_000);
            output.status.success()
        };
        let ip = |mode| try_in_gateway(&["ip", "link", "set", "dev", CLIENT_SIDE, mode, "off"]);
        if hook == Hook::Xdp {
            // The program is held by a link, which nobody else's command replaces (EBUSY).
            for mode in ["xdp", "xdpdrv"] {
                assert!(!ip(mode), "ip link set {mode} off");
            }
            let bpftool = ["bpftool", "net", "detach", "xdpdrv", "dev", CLIENT_SIDE];
            assert!(!try_in_gateway(&bpftool));
        }
        // Nothing is there to be taken off.
        ip("xdpgeneric");
        // The program is at TCX, and no filter of this qdisc.
        assert!(try_in_gateway(&["tc", "qdisc", "add", "dev", CLIENT_SIDE, "clsact"]));
        assert!(try_in_gateway(&["tc", "qdisc", "del", "dev", CLIENT_SIDE, "clsact"]));
        assert_eq!(detach_from_tcx(&topology, &gateway), Some(libc::EBUSY), "{hook:?}");
        assert_eq!(topology.attached_programs(), before, "{hook:?}");
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: the flow was accelerated all the time");
        assert!(!gateway.log().contains("not attached"), "{hook:?}: {}", gateway.log());
    }
}

/// Asks the kernel to take the program off the TCX hook, as for one that no link holds; the kernel's error.
fn detach_from_tcx(topology: &Topology, gateway: &Gateway<'_>) -> Option<i32> {
    /// `BPF_PROG_DETACH` and `BPF_TCX_INGRESS` of `linux/bpf.h`.
    const PROG_DETACH: i64 = 9;
    const TCX_INGRESS: u32 = 46;
    let program = ProgramInfo::from_pin(gateway.pins().path("prog_tc_ingress")).expect("it is pinned");
    let fd = program.fd().expect("it can be opened");
    let fd = u32::try_from(fd.as_fd().as_raw_fd()).expect("descriptors are positive");
    // target_ifindex, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd, relative_fd, expected_revision.
    let attributes: [u32; 8] = [topology.gateway.ifindex(CLIENT_SIDE), fd, TCX_INGRESS, 0, 0, 0, 0, 0];
    topology.gateway.enter(|| {
        // SAFETY: the kernel reads as many octets as it is told there are.
        let code = unsafe {
            libc::syscall(libc::SYS_bpf, PROG_DETACH, attributes.as_ptr(), size_of_val(&attributes))
        };
        (code < 0).then(|| std::io::Error::last_os_error().raw_os_error()).flatten()
    })
}
