//! `track = "starttls"`: the flow is accelerated, and its entry says how far the dialogue has come.

use std::net::SocketAddr;

use harness::deadline::{SOON, wait_until};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::smtp_dialogue::{CLIENT_HELLO, SmtpClient, SmtpServer};
use harness::topology::{Family, Hook, Topology};
use smtp_common::flow::FlowMarks;
use smtp_common::stage::SmtpStage;
use smtp_common::stats::Counter;

fn rules() -> String {
    format!(
        "[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"accelerate\"\ntrack = \"starttls\"\n\
         {ACCELERATE_ALL}"
    )
}

fn wait_for_stage(gateway: &Gateway<'_>, endpoint: SocketAddr, stage: SmtpStage) -> FlowMarks {
    wait_until(&format!("stage {}", stage.name()), SOON, || {
        gateway.pins().flow_of(endpoint).is_some_and(|flow| flow.state.stage == stage.0)
    });
    gateway.pins().flow_of(endpoint).expect("an entry").state.marks
}

#[test]
fn the_entry_follows_the_dialogue_up_to_tls() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, &rules()));
        for (encrypted, family) in (1..).zip(Family::BOTH) {
            let address = SocketAddr::new(family.server(), 25);
            let server = SmtpServer::new(&topology.server, address);
            let mut client = SmtpClient::new(&topology.client, address);
            let local = client.local();

            let marks = wait_for_stage(&gateway, local, SmtpStage::GREETING);
            assert!(marks.any(FlowMarks::TRACKED) && !marks.any(FlowMarks::STARTTLS_OFFERED));
            client.say("EHLO client.test", "250");
            let marks = wait_for_stage(&gateway, local, SmtpStage::STARTTLS_OFFERED);
            assert!(marks.any(FlowMarks::STARTTLS_OFFERED) && !marks.any(FlowMarks::STARTTLS_REQUESTED));
            client.say("STARTTLS", "220");
            let marks = wait_for_stage(&gateway, local, SmtpStage::STARTTLS_ACCEPTED);
            assert!(marks.any(FlowMarks::STARTTLS_REQUESTED) && marks.any(FlowMarks::STARTTLS_ACCEPTED));
            assert!(!marks.any(FlowMarks::TLS));
            client.send(&CLIENT_HELLO);
            let marks = wait_for_stage(&gateway, local, SmtpStage::TLS);
            assert!(marks.any(FlowMarks::TLS));

            assert_eq!(gateway.pins().counter(Counter::BYPASSED_ENCRYPTED), encrypted, "{hook:?} {family:?}");
            // One object a line, and this is the only flow from here.
            let flow = gateway.json(&["conns", "--source", &family.client().to_string()]);
            assert_eq!((&flow["stage"], &flow["rule"]), (&"tls".into(), &"mail".into()), "{flow}");
            for mark in ["tracked", "offered", "requested", "accepted", "tls"] {
                assert_eq!(flow["starttls"][mark], true, "{hook:?} {family:?}: {mark}: {flow}");
            }
            assert_eq!(topology.frames_in_stack(), 0, "{hook:?} {family:?}");
            drop(client);
            server.join();
        }
    }
}

#[test]
fn a_plaintext_transaction_is_told_apart() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, &rules()));
        let address = SocketAddr::new(Family::V4.server(), 25);
        let server = SmtpServer::new(&topology.server, address);
        let mut client = SmtpClient::new(&topology.client, address);
        client.say("ehlo client.test", "250");
        client.say("mail from:<>", "250");
        wait_for_stage(&gateway, client.local(), SmtpStage::MAIL);
        assert_eq!(gateway.pins().counter(Counter::BYPASSED_ENCRYPTED), 0, "{hook:?}");
        drop(client);
        server.join();
    }
}
