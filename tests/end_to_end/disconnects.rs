//! S25: a client that leaves around the final dot has its message delivered once, or not at all, and the record says
//! which.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::deadline::{SOON, wait_until};
use harness::fake_clamd::{Answer, FakeClamd};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::records;
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};

#[test]
fn a_client_that_leaves_around_the_final_dot_is_accounted_for() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let data = mail::stuffed(&mail::note("last words"));
        let mut sessions = 0;
        for missing in 0..=5 {
            for reset in [false, true] {
                scene.next_hop.forget_deliveries();
                let mut originator = scene.greeted();
                originator.envelope("a@client.test", "b@server.test");
                originator.say("DATA").expect(354);
                originator.send(&data[..data.len() - missing]);
                if reset {
                    originator.reset();
                } else {
                    originator.shut_down();
                    originator.expect_close();
                }
                sessions += 1;
                let all = scene.accounts(sessions);
                let account = *records::of_event(&all, "account").last().expect("an account");
                scene.next_hop.wait_until_idle();
                let arrived = scene.next_hop.deliveries().len() as u64;
                assert!(arrived <= u64::from(missing == 0), "{missing} missing, reset {reset}: {arrived}");
                assert_eq!(account["delivered"], arrived, "{missing} missing, reset {reset}: {account}");
            }
        }
    });
}

#[test]
fn a_connection_that_breaks_while_an_engine_thinks_is_noticed() {
    requires_root!();
    let clamd = FakeClamd::start(Answer::Hang);
    let config = MailConfig::plain().with_clamd(&clamd.socket());
    play(&config, Script::plain(), |scene| {
        let mut originator = scene.greeted();
        originator.envelope("a@client.test", "b@server.test");
        originator.say("DATA").expect(354);
        originator.send(&mail::stuffed(&mail::note("unheard")));
        wait_until("the engine has the message", SOON, || clamd.scans() == 1);
        originator.reset();
        // Long before the engine's time is over.
        let all = scene.accounts(1);
        let account = records::of_event(&all, "account")[0];
        assert_eq!(
            (&account["disposition"], &account["reason"]),
            (&"failed".into(), &"originator_closed".into())
        );
        let notes = records::of_event(&all, "note");
        assert!(
            notes.iter().any(|note| note["what"] == "originator_closed" && note["message"] == 1),
            "{notes:?}"
        );
        scene.next_hop.wait_until_idle();
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn on_port_465_the_lack_of_a_next_hop_is_said_where_that_is_possible() {
    requires_root!();
    let address = SocketAddr::new(Family::V4.server(), 465);
    for (config, says) in
        [(MailConfig::imported(&Certificate::new("server.test")), true), (MailConfig::minting(), false)]
    {
        let topology = Topology::new(Hook::Tc);
        topology.fix_neighbours();
        let _gateway = Gateway::start_inspecting(&topology, &config);
        let mut originator = Originator::connect(&topology.client, address);
        if says {
            originator.start_tls().expect("the handshake succeeds");
            originator.reply().expect(421);
        }
        originator.expect_close();
        let all = records::wait_for_accounts(&config.folder().join("records"), 1);
        let account = records::of_event(&all, "account")[0];
        assert_eq!(account["disposition"], "failed");
        let outcome = &records::of_event(&all, "next_hop")[0]["outcome"];
        assert_eq!(outcome, "connection_refused", "{all:#?}");
    }
}
