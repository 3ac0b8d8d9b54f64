//! A start that cannot succeed: one clear sentence, the right exit code, and nothing left attached or pinned.

use std::process::Output;

use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Hook, SERVER_SIDE, Topology};

/// `EX_UNAVAILABLE`, `EX_CONFIG` and `EX_NOINPUT` of sysexits.
const UNAVAILABLE: i32 = 69;
const CONFIG: i32 = 78;
const NO_INPUT: i32 = 66;

#[track_caller]
fn assert_refused(topology: &Topology, gateway: &Gateway<'_>, output: &Output, code: &[i32], words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some_and(|c| code.contains(&c)),
        "{:?}, not {code:?}: {said}",
        output.status
    );
    for word in words {
        assert!(said.contains(word), "it does not say {word:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    let ours: Vec<_> = topology.attached_programs().into_iter().filter(|p| p.contains("ingress")).collect();
    assert_eq!(ours, Vec::<String>::new(), "nothing is attached");
    assert_eq!(gateway.pins().names(), Vec::<String>::new(), "nothing is pinned");
}

#[test]
fn a_missing_interface_is_named() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let mut config = Config::new(hook, ACCELERATE_ALL);
        config.interfaces = vec![CLIENT_SIDE.to_owned(), "absent0".to_owned(), SERVER_SIDE.to_owned()];
        let gateway = Gateway::prepare(&topology, &config.text());
        let output = gateway.run_in_vain();
        assert_refused(&topology, &gateway, &output, &[UNAVAILABLE, CONFIG], &["absent0"]);
    }
}

#[test]
fn a_foreign_xdp_program_is_left_in_place() {
    requires_root!();
    let hook = Hook::Xdp;
    let topology = Topology::new(hook);
    // Any XDP program will do; the gateway's own, under other pins, is at hand.
    let donor_topology = Topology::new(hook);
    let donor = Gateway::start(&donor_topology, &Config::new(hook, ACCELERATE_ALL));
    let program = donor.pins().path("prog_xdp_ingress").display().to_string();
    topology.gateway.exec("bpftool", &["net", "attach", "xdpdrv", "pinned", &program, "dev", SERVER_SIDE]);
    let before = topology.attached_programs();
    assert_eq!(before.len(), 1, "{before:?}");

    let gateway = Gateway::prepare(&topology, &Config::new(hook, ACCELERATE_ALL).text());
    let output = gateway.run_in_vain();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(UNAVAILABLE), "{said}");
    assert!(said.contains(SERVER_SIDE) && said.contains("XDP"), "{said}");
    assert_eq!(topology.attached_programs(), before, "the foreign program stays, and nothing came beside it");
    assert_eq!(gateway.pins().names(), Vec::<String>::new(), "nothing is pinned");
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let config = "[gateway]\ninterfaces = [\"pgw0\", \"pgw1\"]\nhook = \"tcp\"\n\n\
                  [[rule]]\nname = \"a\"\nto = [\"10.0.0.0/33\"]\naction = \"acelerate\"\n\n\
                  [[rule]]\nname = \"a\"\nservcie = [\"smtp\"]\naction = \"drop\"\n";
    let gateway = Gateway::prepare(&topology, config);
    let output = gateway.run_in_vain();
    let words = ["hook", "10.0.0.0/33", "accelerate", "service", "7", "8", "12"];
    assert_refused(&topology, &gateway, &output, &[CONFIG], &words);
}

#[test]
fn a_configuration_that_is_not_toml_is_refused() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let gateway = Gateway::prepare(&topology, "[gateway\ninterfaces = 1\n");
    let output = gateway.run_in_vain();
    assert_refused(&topology, &gateway, &output, &[CONFIG], &["1"]);
}

#[test]
fn a_missing_configuration_is_named() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let gateway = Gateway::prepare(&topology, "");
    let output = gateway.try_command(&["run", "--config", "/nonexistent/postern.toml"]);
    assert_refused(&topology, &gateway, &output, &[NO_INPUT, CONFIG], &["/nonexistent/postern.toml"]);
}

#[test]
fn a_wrong_policy_is_refused_whole_and_the_running_one_stays() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let before = gateway.json(&["rules", "list"]);
        let file = tempfile::NamedTempFile::new().expect("a file");
        let wrong =
            "[[rule]]\nname = \"good\"\naction = \"drop\"\n[[rule]]\nname = \"bad\"\naction = \"dorp\"\n";
        std::fs::write(file.path(), wrong).expect("the file can be written");
        let output = gateway.try_command(&["rules", "load", &file.path().display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(65 | 78)), "{hook:?}: {:?} {said}", output.status);
        assert!(said.contains("dorp") && said.contains("drop"), "{hook:?}: {said}");
        assert_eq!(gateway.json(&["rules", "list"]), before, "{hook:?}: the running policy stays");
    }
}

#[test]
fn a_second_daemon_on_the_same_pins_is_refused() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let before = topology.attached_programs();
        let output = gateway.run_in_vain();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(UNAVAILABLE | 75)),
            "{hook:?}: {:?} {said}",
            output.status
        );
        assert_eq!(topology.attached_programs(), before, "{hook:?}: the first goes on");
    }
}
