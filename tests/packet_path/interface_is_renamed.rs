//! A gateway interface gets another name: its programs stay, and so does everything that goes by its name.

use std::net::SocketAddr;

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{exchange, tcp_flow};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, SERVER_SIDE, Topology};
use serde_json::Value;

/// The new name.
const RENAMED: &str = "mail0";

/// The interface of this name in `postern stat`; null when there is none.
fn interface(gateway: &Gateway<'_>, name: &str) -> Value {
    let report = gateway.json(&["stat"]);
    let rows = report["interfaces"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["name"] == name).unwrap_or_default()
}

fn rename(topology: &Topology, from: &str, to: &str) {
    topology.gateway.ip(&format!("link set dev {from} name {to}\n"));
}

/// Programs by hook and name, whatever their interfaces are called.
fn programs(topology: &Topology) -> Vec<String> {
    let rest = |line: String| line.split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let mut programs: Vec<String> = topology.attached_programs().into_iter().map(rest).collect();
    programs.sort();
    programs
}

#[test]
fn the_programs_stay_and_the_port_follows() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let before = programs(&topology);

        rename(&topology, SERVER_SIDE, RENAMED);
        wait_until("the port follows", SOON, || interface(&gateway, RENAMED)["attached"] == true);
        gateway.wait_for_line(|line| line.contains("renamed") && line.contains(RENAMED));
        assert_eq!(programs(&topology), before, "{hook:?}: none was taken off, none came twice");
        assert_eq!(interface(&gateway, SERVER_SIDE), Value::Null, "{hook:?}");
        let links = gateway.pins().names();
        assert!(links.iter().any(|name| *name == format!("link_{RENAMED}_tcx")), "{hook:?}: {links:?}");
        assert!(!links.iter().any(|name| name.contains(SERVER_SIDE)), "{hook:?}: {links:?}");
        exchange(&stream, 1_000);

        // Under its new name it is looked after as before.
        let pin = gateway.pins().path(&format!("link_{RENAMED}_tcx")).display().to_string();
        topology.gateway.exec("bpftool", &["link", "detach", "pinned", &pin]);
        wait_until("the program is attached again", SOON, || programs(&topology) == before);
        exchange(&stream, 1_000);

        rename(&topology, RENAMED, SERVER_SIDE);
        wait_until("the port follows back", SOON, || interface(&gateway, SERVER_SIDE)["attached"] == true);
        assert_eq!(programs(&topology), before, "{hook:?}");
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: {:?}", gateway.pins().reasons());
    }
}

#[test]
fn two_interfaces_can_change_names() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let mut gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let before = programs(&topology);
        let index = topology.gateway.ifindex(SERVER_SIDE);

        // With nobody looking, so that it is one change.
        gateway.terminate();
        rename(&topology, SERVER_SIDE, RENAMED);
        rename(&topology, CLIENT_SIDE, SERVER_SIDE);
        rename(&topology, RENAMED, CLIENT_SIDE);
        let row = interface(&gateway, SERVER_SIDE);
        assert_eq!(row["attached"], true, "{hook:?}: {row}");
        assert!(row["note"].as_str().is_some_and(|note| note.contains(CLIENT_SIDE)), "{hook:?}: {row}");
        exchange(&stream, 1_000);
        gateway.run();
        let row = interface(&gateway, CLIENT_SIDE);
        assert_eq!((&row["index"], &row["attached"]), (&index.into(), &true.into()), "{hook:?}: {row}");
        assert_eq!(programs(&topology), before, "{hook:?}");
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}");
        gateway.stop();
        assert_eq!(programs(&topology), Vec::<String>::new(), "{hook:?}: nothing is left behind");
    }
}

#[test]
fn a_start_under_the_old_name_is_refused_and_under_the_new_one_takes_over() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let mut config = Config::new(hook, ACCELERATE_ALL);
        let mut gateway = Gateway::start(&topology, &config);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let before = programs(&topology);
        gateway.terminate();
        rename(&topology, SERVER_SIDE, RENAMED);

        let output = gateway.run_in_vain();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{hook:?}: {said}");
        assert!(said.contains(SERVER_SIDE), "{hook:?}: {said}");
        assert_eq!(programs(&topology), before, "{hook:?}: what runs is left alone");

        config.interfaces = vec![CLIENT_SIDE.to_owned(), RENAMED.to_owned()];
        gateway.rewrite_config(&config.text());
        gateway.run();
        assert_eq!(programs(&topology), before, "{hook:?}: none was taken off, none came twice");
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}");
    }
}
