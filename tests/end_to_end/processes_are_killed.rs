//! Receiver and dequeuer are two processes: each may be killed, the other one goes on, and nothing is lost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use harness::chance::Chance;
use harness::deadline::{SOON, wait_until};
use harness::depth::depth;
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::{Fault, NextHop, Script, Step};
use harness::originator::Originator;
use harness::records;
use harness::requires_root;
use harness::topology::{Family, Topology};
use nix::sys::signal::{Signal, kill};

use crate::spool_is_killed::{AtTheEnd, left, note_arrived, send};

/// Sessions at a time.
const SESSIONS: u32 = 4;
/// How often the dequeuer is killed, by chance after it has delivered so many messages at most.
const KILLS: u32 = 10;
const DELIVERED: usize = 40;
/// What chance is made from.
const SEED: u64 = 0x5eed_0006;
/// Messages that may wait at a kill: the next one reads all of them before it delivers one.
const BEHIND: usize = 1000;
/// Within which it has to deliver again.
const AGAIN: Duration = Duration::from_secs(5);
/// Messages in flight at a kill: connections to one next hop, each with one on its way and four being written down.
const IN_FLIGHT: u32 = 10 * 5;
/// How long the rest of the queue may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway whose next hop is not there.
fn alone(config: &MailConfig, test: impl FnOnce(&Topology, &mut Gateway<'_>, SocketAddr)) {
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let mut gateway = Gateway::start_inspecting(&topology, config);
    test(&topology, &mut gateway, SocketAddr::new(Family::V4.server(), 25));
}

#[test]
fn mail_is_taken_while_the_dequeuer_is_killed_and_delivered_when_it_is_back() {
    requires_root!();
    for round in 0..depth(1, 50) {
        kill_dequeuers(Chance::new(SEED + u64::from(round)));
    }
}

/// Kills dequeuers while mail comes, and counts what has arrived then.
fn kill_dequeuers(mut chance: Chance) {
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let (number, done) = (AtomicU32::new(0), AtomicBool::new(false));
        let (number, done) = (&number, &done);
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let (gateway, next_hop) = (&scene.gateway, &scene.next_hop);
        let accepted: Vec<u32> = std::thread::scope(|scope| {
            let work = || {
                let mut accepted = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    // Nobody who brings mail notices anything.
                    assert_eq!(send(topology, server, number), Some(true), "{number} was not taken");
                    accepted.push(number);
                }
                accepted
            };
            let sessions: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(work)).collect();
            // Else a test that fails would wait for them.
            let end = AtTheEnd(done);
            for _ in 0..KILLS {
                wait_until("most of the mail is delivered", PATIENCE, || {
                    next_hop.count() + BEHIND >= number.load(Ordering::Relaxed) as usize
                });
                let some = next_hop.count() + chance.up_to(DELIVERED);
                wait_until("some mail is delivered", PATIENCE, || next_hop.count() >= some);
                gateway.kill9_dequeuer();
                let (killed, before) = (Instant::now(), next_hop.count());
                wait_until("mail is delivered again", PATIENCE, || next_hop.count() > before + 5);
                assert!(killed.elapsed() < AGAIN, "it took {:?}", killed.elapsed());
                println!("delivered again after {:?}", killed.elapsed());
                assert_eq!(gateway.dequeuers().len(), 1);
            }
            drop(end);
            sessions.into_iter().flat_map(|session| session.join().expect("every message is taken")).collect()
        });
        let spool = scene.config.folder().join("spool");
        wait_until("the spool is empty", PATIENCE, || left(&spool) == 0);
        let mut arrived = BTreeMap::new();
        note_arrived(next_hop, &mut arrived);
        let lost: Vec<_> = accepted.iter().filter(|number| !arrived.contains_key(*number)).collect();
        assert_eq!(lost, Vec::<&u32>::new(), "accepted, and lost");
        let copies: u32 = arrived.values().map(|count| count - 1).sum();
        println!("{} accepted, {} arrived, {copies} copies, {KILLS} kills", accepted.len(), arrived.len());
        assert!(copies <= KILLS * IN_FLIGHT, "{copies} copies");
        assert_eq!(arrived.len(), accepted.len());
        gateway.wait_for_line(|line| line.contains("the dequeuer is gone"));
        let all = records::read(&scene.config.folder().join("records"));
        let delivered =
            records::of_event(&all, "dequeued").into_iter().filter(|record| record["outcome"] == "delivered");
        assert!(delivered.count() >= accepted.len(), "some deliveries have no record");
    });
}

#[test]
fn a_dequeuer_that_hangs_is_replaced_within_five_seconds() {
    requires_root!();
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let gateway = &scene.gateway;
        let mut originator = scene.greeted();
        originator.mail(&mail::note("before")).expect(250);
        scene.next_hop.wait_for_deliveries(1);
        // What it has not written down yet would come a second time.
        let spool = scene.config.folder().join("spool");
        wait_until("the first one is removed", PATIENCE, || left(&spool) == 0);
        let hanging = gateway.dequeuers();
        assert_eq!(hanging.len(), 1);
        kill(hanging[0], Signal::SIGSTOP).expect("the dequeuer can be stopped");
        let stopped = Instant::now();
        // Nobody who brings mail notices anything.
        originator.mail_numbers(0..3);
        wait_until("another one delivers", PATIENCE, || scene.next_hop.deliveries().len() == 4);
        assert!(stopped.elapsed() < AGAIN, "it took {:?}", stopped.elapsed());
        println!("delivered again after {:?}", stopped.elapsed());
        assert_eq!(gateway.dequeuers().len(), 1);
        assert_ne!(gateway.dequeuers(), hanging);
        gateway.wait_for_line(|line| line.contains("the dequeuer says nothing, and is killed"));
    });
}

#[test]
fn a_signal_to_both_processes_starts_no_dequeuer() {
    requires_root!();
    alone(&MailConfig::spooling(""), |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        originator.envelope("a@client.test", "b@server.test");
        originator.say("DATA").expect(354);
        // As a service manager does at the end; the daemon waits for the session then.
        for dequeuer in gateway.dequeuers() {
            kill(dequeuer, Signal::SIGTERM).expect("the dequeuer can be signalled");
        }
        gateway.signal(Signal::SIGTERM);
        wait_until("the dequeuer ends", SOON, || gateway.dequeuers().is_empty());
        let until = Instant::now() + Duration::from_secs(1);
        wait_until("there would be another one", SOON, || {
            assert_eq!(gateway.dequeuers(), [], "there is another one");
            Instant::now() >= until
        });
        originator.send(&mail::stuffed(&mail::note("last")));
        originator.reply().expect(250);
        gateway.forget_killed();
        assert_eq!(gateway.dequeuers(), []);
    });
}

#[test]
fn stopping_waits_as_long_as_deliveries_may_take() {
    requires_root!();
    let silent = Script::plain().at_step(Step::EndOfData, Fault::Hang);
    play(&MailConfig::spooling(""), silent, |scene| {
        scene.greeted().mail(&mail::note("in flight")).expect(250);
        wait_until("the message is on its way", SOON, || {
            scene.next_hop.connections().iter().any(|heard| heard.count("DATA") > 0)
        });
        let begun = Instant::now();
        scene.gateway.stop();
        // Ten seconds are given; then it is tried again another time.
        assert!(begun.elapsed() > Duration::from_secs(8), "it took {:?} only", begun.elapsed());
        assert_eq!(scene.gateway.dequeuers(), []);
        assert_eq!(left(&scene.config.folder().join("spool")), 1);
    });
}

#[test]
fn without_a_dequeuer_the_limit_of_the_spool_holds() {
    requires_root!();
    alone(&MailConfig::spooling("spool_limit = 5"), |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail_numbers(0..3);
        gateway.kill9_dequeuer();
        originator.mail_numbers(3..5);
        let reply = originator.say("MAIL FROM:<a@client.test>");
        assert!(reply.expect(452).text().starts_with("4.3.1 "), "{reply:?}");
        let next_hop = NextHop::start(&topology.server, server, Script::ordinary());
        wait_until("there is a dequeuer again", AGAIN, || gateway.dequeuers().len() == 1);
        next_hop.wait_for_deliveries(5);
        wait_until("there is room again", SOON, || originator.say("MAIL FROM:<a@client.test>").code == 250);
    });
}

#[test]
fn what_is_queued_is_delivered_without_a_daemon_and_the_next_one_goes_on_with_the_dequeuer() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail_numbers(0..3);
        let dequeuers = gateway.dequeuers();
        assert_eq!(dequeuers.len(), 1);
        let spool = config.folder().join("spool");
        let name = spool.display().to_string();
        wait_until("an attempt has failed", SOON, || {
            gateway.command_on_files(&["queue", "--spool", &name]).matches("deferred").count() == 3
        });
        gateway.kill9_daemon();
        let next_hop = NextHop::start(&topology.server, server, Script::ordinary());
        // Orders are the dequeuer's business, daemon or not.
        gateway.command_on_files(&["queue", "--spool", &name, "flush"]);
        next_hop.wait_for_deliveries(3);
        wait_until("the spool is empty", SOON, || left(&spool) == 0);
        assert_eq!(gateway.dequeuers(), dequeuers);
        gateway.run();
        assert_eq!(gateway.dequeuers(), dequeuers, "there is no need for another one");
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail(&mail::note("after")).expect(250);
        next_hop.wait_for_deliveries(4);
        wait_until("the spool is empty", SOON, || left(&spool) == 0);
        let all = records::read(&config.folder().join("records"));
        let delivered =
            records::of_event(&all, "dequeued").into_iter().filter(|record| record["outcome"] == "delivered");
        assert_eq!(delivered.count(), 4);
        let stat = gateway.json(&["stat"]);
        assert_eq!(stat["dequeuer"]["pid"], dequeuers[0].as_raw());
        // Both end, in order.
        gateway.stop();
        assert_eq!(gateway.dequeuers(), []);
        assert!(!spool.join("link").exists() && !spool.join("socket").exists());
    });
}

#[test]
fn a_dequeuer_without_a_daemon_ends_with_the_gateway() {
    requires_root!();
    alone(&MailConfig::spooling(""), |_, gateway, _| {
        gateway.kill9_daemon();
        assert_eq!(gateway.dequeuers().len(), 1);
        gateway.stop();
        assert_eq!(gateway.dequeuers(), []);
    });
}

#[test]
fn another_configuration_reaches_the_dequeuer() {
    requires_root!();
    let config = MailConfig::spooling("");
    alone(&config, |topology, gateway, server| {
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail(&mail::note("elsewhere")).expect(250);
        let elsewhere = SocketAddr::new(server.ip(), 2525);
        let next_hop = NextHop::start(&topology.server, elsewhere, Script::ordinary());
        let text = config.text();
        assert!(text.contains("mode = \"spool\"\n"));
        let line = format!("mode = \"spool\"\ndelivery_servers = [\"{elsewhere}\"]\n");
        gateway.rewrite_config(&text.replace("mode = \"spool\"\n", &line));
        gateway.signal(Signal::SIGHUP);
        gateway.wait_for_line(|line| line.contains("configuration read again"));
        let spool = config.folder().join("spool").display().to_string();
        wait_until("it is delivered elsewhere", SOON, || {
            gateway.command_on_files(&["queue", "--spool", &spool, "flush"]);
            !next_hop.deliveries().is_empty()
        });
    });
}

#[test]
fn rules_that_are_loaded_hold_for_the_gateways_own_deliveries_if_they_are_to() {
    requires_root!();
    let elsewhere = SocketAddr::new(Family::V4.server(), 2525);
    let config = MailConfig::spooling("")
        .with(&format!("delivery_servers = [\"{elsewhere}\"]\ncheck_rule_base = true"));
    alone(&config, |topology, gateway, server| {
        let next_hop = NextHop::start(&topology.server, elsewhere, Script::ordinary());
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail(&mail::note("allowed")).expect(250);
        next_hop.wait_for_deliveries(1);
        let text = config.text();
        let rules =
            &text[text.find("[[rule]]").expect("rules")..text.find("[[resource]]").expect("resources")];
        // Of the originators' side, so that the kernel program does not cut what is being delivered meanwhile.
        gateway.load_rules(&format!(
            "[[rule]]\nname = \"nothing there\"\nservice = [\"tcp/2525\"]\ninterface = \"pgw0\"\n\
             action = \"drop\"\n\n{rules}"
        ));
        let folder = config.folder().join("records");
        // The daemon looks a few times a second whether somebody has changed the rules.
        wait_until("mail is not allowed there", SOON, || {
            originator.mail(&mail::note("perhaps")).expect(250);
            records::read(&folder).iter().any(|record| {
                record["outcome"] == "failed"
                    && record["track"] == "log"
                    && record["why"].as_str().is_some_and(|why| why.contains("\"nothing there\""))
            })
        });
    });
}
