//! C13: `postern selftest` says ok where the gateway does its work, and what is wrong where it does not.

use std::process::Output;

use harness::certificate::Certificate;
use harness::gateway::{Config, Gateway, binary};
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::netns::NetNs;
use harness::next_hop::{NextHop, Script};
use harness::topology::{Family, Hook, Topology};
use harness::{command, requires_root};
use serde_json::Value;

/// Runs it inside a namespace; gives its steps as name, ok and finding, and its exit code.
fn selftest(namespace: &NetNs, arguments: &[&str]) -> (Vec<(String, bool, String)>, i32) {
    let enter = namespace.nsenter_argument();
    let program = binary().display().to_string();
    let words = [&[enter.as_str(), program.as_str(), "selftest", "--json"], arguments].concat();
    let Output { status, stdout, stderr } = command::try_run("nsenter", &words, "");
    let report: Value = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    let steps = report["steps"].as_array().expect("steps").iter().map(|step| {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(step["ok"] == true, step["advice"].is_null(), "{step}");
        (text("name"), step["ok"] == true, text("finding"))
    });
    let steps: Vec<_> = steps.collect();
    assert_eq!(report["ok"] == true, steps.iter().all(|(_, ok, _)| *ok), "{report}");
    (steps, status.code().unwrap_or(-1))
}

fn all_ok(steps: &[(String, bool, String)]) -> Vec<&str> {
    assert!(steps.iter().all(|(_, ok, _)| *ok), "{steps:#?}");
    steps.iter().map(|(step, ..)| step.as_str()).collect()
}

#[test]
fn every_step_is_ok_where_the_gateway_mints() {
    requires_root!();
    play(&MailConfig::minting(), Script::ordinary(), |scene| {
        let server = scene.next_hop.address().to_string();
        let config = scene.gateway.config_path().display().to_string();
        let (steps, code) = selftest(&scene.topology.client, &[&server, "--config", &config]);
        assert_eq!(all_ok(&steps), ["connection", "certificate", "eicar", "record"]);
        assert!(steps[1].2.contains("by CN=Postern inspection CA: signed by the CA in "), "{steps:#?}");
        assert!(steps[2].2.starts_with("554 5.7.1 "), "{steps:#?}");
        assert!(steps[3].2.contains("infected, refused"), "{steps:#?}");
        assert_eq!(code, 0);
        assert_eq!(scene.next_hop.deliveries(), []);
        scene.expect_clean_wire();
        // Without the gateway's files it goes as far as it can.
        let authority = scene.config.folder().join("ca/ca.pem").display().to_string();
        let arguments = [server.as_str(), "--certificate", &authority, "--no-record"];
        let (steps, code) = selftest(&scene.topology.client, &arguments);
        assert_eq!((all_ok(&steps), code), (vec!["connection", "certificate", "eicar"], 0));
    });
}

#[test]
fn an_imported_certificate_is_recognised() {
    requires_root!();
    let certificate = Certificate::new("server.test");
    play(&MailConfig::imported(&certificate), Script::ordinary(), |scene| {
        let server = scene.next_hop.address().to_string();
        let config = scene.gateway.config_path().display().to_string();
        let (steps, code) = selftest(&scene.topology.client, &[&server, "--config", &config]);
        assert_eq!((all_ok(&steps).len(), code), (4, 0));
        assert!(steps[1].2.contains(": the certificate in "), "{steps:#?}");
    });
}

#[test]
fn a_gateway_that_lets_mail_pass_is_found_out() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    topology.fix_neighbours();
    let rule = "[[rule]]\nname = \"all\"\naction = \"accelerate\"\n";
    let _gateway = Gateway::start(&topology, &Config::new(Hook::Tc, rule));
    let address = std::net::SocketAddr::new(Family::V4.server(), 25);
    let next_hop = NextHop::start(&topology.server, address, Script::ordinary());
    // A CA that signs nothing here.
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("ca.pem").display().to_string();
    std::fs::write(&other, Certificate::new("other.test").pem).expect("the certificate can be written");
    let server = address.to_string();
    let (steps, code) = selftest(&topology.client, &[&server, "--certificate", &other]);
    let not_ok: Vec<_> = steps.iter().filter(|(_, ok, _)| !ok).map(|(step, ..)| step.as_str()).collect();
    assert_eq!((not_ok, code), (vec!["certificate", "eicar"], 65), "{steps:#?}");
    assert!(steps[2].2.starts_with("TAKEN by the server: 250 "), "{steps:#?}");
    // It is EICAR that arrived, to the postmaster, and nothing else.
    let deliveries = next_hop.wait_for_deliveries(1);
    assert_eq!(deliveries.len(), 1);
    let arrived = &deliveries[0].octets;
    let (_, body) = arrived.split_at(mail::find(arrived, b"\r\n\r\n").expect("a body") + 4);
    assert_eq!(body.strip_suffix(b"\r\n"), Some(&mail::eicar()[..]));
}

#[test]
fn what_rules_do_instead_of_refusing_is_ok_too() {
    requires_root!();
    for (action, words, arrive) in [
        ("strip", "taken out, and the rest sent on: 250 ", 1),
        ("lock", "taken out, and the rest sent on: 250 ", 1),
        ("quarantine", "put into quarantine: 250 ", 0),
        ("drop", "dropped: 554 ", 0),
    ] {
        let rule =
            format!("[[inspection.rule]]\nname = \"it\"\nverdict = [\"infected\"]\naction = \"{action}\"\n");
        play(&MailConfig::plain().with_tables(&rule), Script::plain(), |scene| {
            let server = scene.next_hop.address().to_string();
            let config = scene.gateway.config_path().display().to_string();
            let (steps, code) = selftest(&scene.topology.client, &[&server, "--plain", "--config", &config]);
            assert_eq!((all_ok(&steps), code), (vec!["connection", "eicar", "record"], 0), "{action}");
            assert!(steps[1].2.starts_with(words), "{action}: {steps:#?}");
            let arrived = scene.next_hop.wait_for_deliveries(arrive);
            assert!(arrived.iter().all(|it| mail::find(&it.octets, &mail::eicar()).is_none()), "{action}");
            assert_eq!(arrived.len(), arrive, "{action}");
        });
    }
}

#[test]
fn a_server_behind_no_inspector_is_unavailable() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let server = scene.next_hop.address().to_string();
        let (steps, code) = selftest(&scene.topology.client, &[&server, "--plain", "--no-record"]);
        assert_eq!((all_ok(&steps), code), (vec!["connection", "eicar"], 0));
        scene.gateway.kill9();
        let (steps, code) = selftest(&scene.topology.client, &[&server, "--plain", "--timeout", "3s"]);
        assert_eq!((steps.len(), steps[0].1, code), (1, false, 69), "{steps:#?}");
    });
}
