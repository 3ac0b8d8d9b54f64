//! Resources with `mode = "spool"`: mail is taken over whether the next hop is there or not, and delivered when it is.

use std::net::SocketAddr;
use std::time::Duration;

use harness::deadline::{SOON, never, wait_for, wait_until};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play, trace_fields};
use harness::next_hop::{NextHop, Script};
use harness::originator::Originator;
use harness::records;
use harness::requires_root;
use harness::topology::{Family, Topology};
use smtp_user::spool::folder::claim;
use smtp_user::spool::place::Side;

use crate::spool_is_killed::left;

/// A gateway whose next hop is not there.
fn alone(config: &MailConfig, test: impl FnOnce(&Topology, &mut Gateway<'_>, SocketAddr)) {
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let mut gateway = Gateway::start_inspecting(&topology, config);
    test(&topology, &mut gateway, SocketAddr::new(Family::V4.server(), 25));
}

#[test]
fn mail_is_taken_while_the_next_hop_is_down_and_delivered_when_it_is_up() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        let messages = [mail::note("first"), mail::with_attachment("second", "a.bin", &vec![b'x'; 200_000])];
        for message in &messages {
            let reply = originator.mail(message);
            assert!(reply.expect(250).text().starts_with("2.0.0 queued as "), "{reply:?}");
        }
        originator.say("QUIT").expect(221);
        let folder = config.folder().join("records");
        wait_until("an attempt has failed, and both are in the records", SOON, || {
            let all = records::read(&folder);
            let is_deferred = all.iter().any(|record| record["outcome"] == "deferred");
            is_deferred && records::of_event(&all, "queued").len() == 2
        });
        // What it knows is in the spool, and in nothing else.
        gateway.kill9();
        gateway.run();
        let next_hop = NextHop::start(&topology.server, server, Script::ordinary());
        let mut deliveries = next_hop.wait_for_deliveries(2);
        deliveries.sort_by_key(|delivery| delivery.octets.len());
        for (delivery, message) in deliveries.iter().zip(&messages) {
            trace_fields(delivery, message);
            assert!(delivery.from.starts_with("<a@client.test>") && delivery.to.len() == 1, "{delivery:?}");
        }
        let spool = config.folder().join("spool");
        wait_until("the spool is empty", SOON, || left(&spool) == 0);
        assert_eq!(next_hop.deliveries().len(), 2);
        let all = records::read(&folder);
        assert_eq!(records::of_event(&all, "queued").len(), 2);
        let delivered =
            records::of_event(&all, "dequeued").into_iter().filter(|record| record["outcome"] == "delivered");
        assert_eq!(delivered.count(), 2);
    });
}

#[test]
fn eicar_is_refused_in_the_dialogue_and_nothing_of_it_is_kept() {
    requires_root!();
    play(&MailConfig::spooling(""), Script::ordinary(), |scene| {
        let mut originator = scene.greeted();
        originator.mail(&mail::infected("bad")).expect(554);
        let clean = mail::note("good");
        originator.mail(&clean).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&clean]);
        scene.expect_clean_wire();
    });
}

#[test]
fn one_message_more_than_the_limit_is_put_off() {
    requires_root!();
    let config = MailConfig::spooling("spool_limit = 5");
    alone(&config, |topology, _, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail_numbers(0..5);
        let reply = originator.say("MAIL FROM:<a@client.test>");
        assert!(reply.expect(452).text().starts_with("4.3.1 "), "{reply:?}");
        let next_hop = NextHop::start(&topology.server, server, Script::ordinary());
        next_hop.wait_for_deliveries(5);
        wait_until("there is room again", SOON, || originator.say("MAIL FROM:<a@client.test>").code == 250);
    });
}

#[test]
fn the_queue_is_shown_and_changed_with_and_without_the_daemon() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        let ids = originator.mail_numbers(0..3);
        let spool = config.folder().join("spool").display().to_string();
        let queue = |gateway: &Gateway<'_>, arguments: &[&str]| {
            let mut all = vec!["queue", "--spool", &spool];
            all.extend(arguments);
            gateway.command_on_files(&all)
        };
        let list = queue(gateway, &["list", "--json"]);
        assert_eq!(list.lines().count(), 3, "{list}");
        queue(gateway, &["hold", &ids[0], &ids[1]]);
        let shown = queue(gateway, &["show", &ids[0]]);
        assert!(shown.contains("held") && shown.contains("<b@server.test>"), "{shown}");
        queue(gateway, &["delete", &ids[2]]);
        // Nobody named a message on standard input, so none is meant.
        assert_eq!(queue(gateway, &["delete", "-"]), "removed: 0 messages.\n");
        gateway.kill9();
        assert_eq!(queue(gateway, &["delete", "-"]), "removed: 0 messages.\n");
        assert_eq!(queue(gateway, &["list", "--json"]).lines().count(), 2);
        queue(gateway, &["release", &ids[1]]);
        // Who did it is in the records, although there was no daemon to write them.
        let all = records::read(&config.folder().join("records"));
        let released: Vec<_> = records::of_event(&all, "dequeued")
            .into_iter()
            .filter(|record| record["outcome"] == "released")
            .collect();
        assert!(released.len() == 1 && released[0]["why"] == "by root", "{released:?}");
        gateway.run();
        let next_hop = NextHop::start(&topology.server, server, Script::ordinary());
        next_hop.wait_for_deliveries(1);
        queue(gateway, &["release", &ids[0]]);
        next_hop.wait_for_deliveries(2);
        wait_until("the queue is empty", SOON, || queue(gateway, &["list"]) == "The queue is empty.\n");
        assert_eq!(next_hop.deliveries().len(), 2);
    });
}

#[test]
fn an_order_waits_for_whoever_still_reads_the_spool() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let id = Originator::greeted(&topology.client, server).mail_numbers(0..1).swap_remove(0);
        gateway.kill9();
        let spool = config.folder().join("spool");
        // As a dequeuer does before it takes orders. One that was killed has its files for a moment still.
        let lock = wait_for("nobody works on it", SOON, || claim(&spool, Side::Dequeuer).ok());
        let (gateway, name) = (&*gateway, spool.display().to_string());
        std::thread::scope(|scope| {
            let held = scope.spawn(|| gateway.command_on_files(&["queue", "--spool", &name, "hold", &id]));
            assert!(never(Duration::from_millis(300), || held.is_finished()), "it did not wait");
            drop(lock);
            assert_eq!(held.join().expect("it is held"), "held: 1 message.\n");
        });
        gateway.command_on_files(&["queue", "--spool", &name, "release", &id]);
    });
}

#[test]
fn a_damaged_message_that_a_command_comes_across_is_named() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        let ids = originator.mail_numbers(0..2);
        let spool = config.folder().join("spool");
        let file = spool.join("deferred").join(&ids[0]);
        wait_until("an attempt has failed", SOON, || file.exists());
        gateway.kill9();
        let octets = std::fs::read(&file).expect("the message can be read");
        std::fs::write(&file, &octets[..octets.len() - 10]).expect("the message can be cut");
        let spool = spool.display().to_string();
        let list = gateway.said_on_files(&["queue", "--spool", &spool, "hold", &ids[1]]);
        assert!(list.contains(&format!("the damaged message {} was put into `corrupt`", ids[0])), "{list}");
        gateway.run();
    });
}

#[test]
fn messages_are_sent_elsewhere_flushed_by_destination_and_returned() {
    requires_root!();
    let config = MailConfig::spooling("detailed_smtp_err_mail = true");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        let ids = originator.mail_numbers(0..3);
        let spool = config.folder().join("spool").display().to_string();
        let queue = |arguments: &[&str]| {
            let mut all = vec!["queue", "--spool", &spool];
            all.extend(arguments);
            gateway.command_on_files(&all)
        };
        let attempts = |id: &str| queue(&["show", id]).contains("last attempt:");
        wait_until("an attempt has failed", SOON, || attempts(&ids[0]));
        let shown = queue(&["show", &ids[0]]);
        assert!(shown.contains(&server.to_string()) && shown.contains("refused"), "{shown}");
        let header = queue(&["show", "--diff", &ids[0]]);
        assert!(header.contains("\n+ Received: ") && header.contains("\n  Subject: number 0"), "{header}");
        let elsewhere = SocketAddr::new(server.ip(), 2525);
        let other = NextHop::start(&topology.server, elsewhere, Script::ordinary());
        queue(&["reroute", "--to", &elsewhere.to_string(), &ids[0]]);
        assert!(String::from_utf8_lossy(&other.wait_for_deliveries(1)[0].octets).contains("number 0"));
        queue(&["flush", "--dest", &server.ip().to_string()]);
        // The report waits, too: nobody takes mail at the originator.
        queue(&["bounce", &ids[1]]);
        wait_until("it is returned", SOON, || {
            let list = queue(&["list", "--json"]);
            list.contains("\"sender\":\"\"") && !list.contains(&ids[1])
        });
        queue(&["reroute", "--to", &elsewhere.to_string(), &ids[2]]);
        other.wait_for_deliveries(2);
        let all = records::read(&config.folder().join("records"));
        for outcome in ["rerouted", "bounced", "reported"] {
            let found = all.iter().any(|record| record["outcome"] == outcome);
            assert!(found, "no record says `{outcome}`");
        }
    });
}
