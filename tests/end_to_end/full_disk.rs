//! F5: the disk of the spool, or of the quarantine, has no room left, for octets or for names. Mail is put off, nothing of it stays, what is there
//! already goes out, and everything is as before when there is room again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::deadline::{SOON, wait_until};
use harness::depth::depth;
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play, trace_fields};
use harness::next_hop::{Fault, NextHop, Script};
use harness::originator::{Originator, Reply};
use harness::process::has_removed_file_open;
use harness::small_disk::{Shortage, SmallDisk};
use harness::topology::{Family, Topology};
use harness::{records, requires_root};
use nix::unistd::Pid;

use crate::spool_is_killed::left;

/// Within which mail is taken again.
const AGAIN: Duration = Duration::from_secs(5);

const SHORTAGES: [Shortage; 2] = [Shortage::Octets, Shortage::Files];

#[track_caller]
fn put_off(reply: &Reply, what: &str) {
    assert!(reply.expect(452).text().starts_with("4.3.1 "), "{what}: {reply:?}");
}

#[test]
fn a_disk_that_fills_while_mail_comes_puts_it_off_and_keeps_nothing_of_it() {
    requires_root!();
    let fills = depth(80, 1000);
    let config = MailConfig::spooling("");
    let spool = config.folder().join("spool");
    let disk = SmallDisk::new(&spool);
    let messages = [mail::note("small"), mail::with_attachment("large", "a.bin", &vec![b'x'; 200_000])];
    play(&config, Script::plain(), |scene| {
        let mut originator = scene.greeted();
        let mut longest = Duration::ZERO;
        for fill in 0..fills {
            // A session may bring so many messages, and no more.
            if fill > 0 && fill % 100 == 0 {
                originator.say("QUIT").expect(221);
                originator = scene.greeted();
            }
            let message = &messages[(fill / 2) as usize % 2];
            let shortage = SHORTAGES[fill as usize % 2];
            let what = format!("fill {fill}, {} octets, no {shortage:?}", message.len());
            // What is removed would be room, and what was removed and somebody still has open.
            wait_until("the spool is empty", SOON, || {
                let mut processes = scene.gateway.dequeuers();
                processes.push(scene.gateway.pid());
                let is_open = |process: &Pid| has_removed_file_open(*process, &spool);
                left(&spool) == 0 && !processes.iter().any(is_open)
            });
            if fill % 5 == 4 {
                disk.fill(shortage);
                put_off(&originator.say("MAIL FROM:<a@client.test>"), &what);
            } else {
                originator.envelope("a@client.test", "b@server.test");
                originator.say("DATA").expect(354);
                let octets = mail::stuffed(message);
                let (first, rest) = octets.split_at(octets.len() / 2);
                originator.send(first);
                disk.fill(shortage);
                originator.send(rest);
                put_off(&originator.reply(), &what);
            }
            wait_until(&format!("{what}: nothing of it is left"), SOON, || {
                let incoming = std::fs::read_dir(spool.join("incoming")).expect("the spool's folder");
                incoming.count() == 0 && left(&spool) == 0
            });
            disk.give_room();
            let since = Instant::now();
            wait_until(&format!("{what}: mail is taken again"), AGAIN, || {
                originator.mail(message).code == 250
            });
            longest = longest.max(since.elapsed());
        }
        let deliveries = scene.next_hop.wait_for_deliveries(fills as usize);
        for (fill, delivery) in deliveries.iter().enumerate() {
            trace_fields(delivery, &messages[(fill / 2) % 2]);
        }
        wait_until("the spool is empty", SOON, || left(&spool) == 0);
        assert_eq!(scene.next_hop.deliveries().len(), fills as usize);
        println!("{fills} fills; mail was taken again after {longest:?} at most");
    });
}

/// A gateway whose next hop is not there, with a spool on such a disk.
fn alone(config: &MailConfig, test: impl FnOnce(&Topology, &mut Gateway<'_>, SocketAddr, &SmallDisk)) {
    let disk = SmallDisk::new(&config.folder().join("spool"));
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let mut gateway = Gateway::start_inspecting(&topology, config);
    test(&topology, &mut gateway, SocketAddr::new(Family::V4.server(), 25), &disk);
}

#[test]
fn what_is_in_the_spool_goes_out_while_the_disk_is_full() {
    requires_root!();
    for shortage in SHORTAGES {
        let config = MailConfig::spooling("");
        let spool = config.folder().join("spool");
        alone(&config, |topology, gateway, server, disk| {
            let mut originator = Originator::greeted(&topology.client, server);
            originator.mail_numbers(0..20);
            originator.mail(&mail::with_attachment("large", "a.bin", &vec![b'x'; 200_000])).expect(250);
            let name = spool.display().to_string();
            let queue = |order| gateway.command_on_files(&["queue", "--spool", &name, order]);
            wait_until("an attempt has failed", SOON, || queue("list").contains("deferred"));
            disk.fill(shortage);
            put_off(&originator.say("MAIL FROM:<a@client.test>"), "while it is full");
            let next_hop = NextHop::start(&topology.server, server, Script::plain());
            queue("flush");
            gateway.wait_for_line(|line| {
                line.contains("all that waits is tried at once") && line.contains("by=root")
            });
            next_hop.wait_for_deliveries(21);
            wait_until("the spool is empty", SOON, || left(&spool) == 0);
            assert_eq!(next_hop.deliveries().len(), 21);
            disk.give_room();
            originator.mail(&mail::note("after")).expect(250);
            next_hop.wait_for_deliveries(22);
        });
    }
}

/// How many files there are in a folder and those within it.
fn files_in(folder: &Path) -> usize {
    let entries =
        std::fs::read_dir(folder).expect("the quarantine's folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_quarantine_that_fills_puts_off_what_belongs_in_it_and_no_other_mail() {
    requires_root!();
    let rule = "[[inspection.rule]]\nname = \"kept\"\nfile_name = [\"keep-*\"]\naction = \"quarantine\"\n";
    let config = MailConfig::plain().with_tables(rule);
    let quarantine = config.folder().join("quarantine");
    let disk = SmallDisk::new(&quarantine);
    let fills = depth(10, 200);
    play(&config, Script::plain(), |scene| {
        let (kept, other) = (mail::with_attachment("kept", "keep-me.txt", b"text\r\n"), mail::note("other"));
        let mut originator = scene.greeted();
        let mut longest = Duration::ZERO;
        for fill in 0..fills {
            // A session may bring so many messages, and no more.
            if fill > 0 && fill % 25 == 0 {
                originator.say("QUIT").expect(221);
                originator = scene.greeted();
            }
            let shortage = SHORTAGES[fill as usize % 2];
            let what = format!("fill {fill}, no {shortage:?}");
            let before = files_in(&quarantine);
            disk.fill(shortage);
            put_off(&originator.mail(&kept), &what);
            assert_eq!(files_in(&quarantine), before, "{what}: something of it is left");
            originator.mail(&other).expect(250);
            disk.give_room();
            let since = Instant::now();
            wait_until(&format!("{what}: it is kept again"), AGAIN, || {
                let reply = originator.mail(&kept);
                reply.code == 250 && reply.text().contains("quarantined as")
            });
            longest = longest.max(since.elapsed());
        }
        originator.say("QUIT").expect(221);
        let fills = fills as usize;
        let deliveries = scene.next_hop.wait_for_deliveries(fills);
        for delivery in &deliveries {
            trace_fields(delivery, &other);
        }
        assert_eq!(scene.next_hop.deliveries().len(), fills);
        let file = scene.gateway.config_path().display().to_string();
        let list = scene.gateway.command_on_files(&["quarantine", "list", "--json", "--config", &file]);
        assert_eq!(list.lines().count(), fills, "{list}");
        let all = records::read(&scene.config.folder().join("records"));
        let judged = records::of_event(&all, "judged");
        let no_room =
            judged.iter().filter(|judged| judged["verdict"] == "no_room" && judged["action"] == "defer");
        assert_eq!(no_room.count(), fills);
        println!("{fills} fills; mail was kept again after {longest:?} at most");
    });
}

#[test]
fn a_report_that_there_was_no_room_for_is_sent_once_when_there_is() {
    requires_root!();
    let server = SocketAddr::new(Family::V4.server(), 25);
    let elsewhere = SocketAddr::new(server.ip(), 2525);
    for shortage in SHORTAGES {
        let config = MailConfig::spooling("").with(&format!("error_servers = [\"{elsewhere}\"]"));
        let spool = config.folder().join("spool");
        alone(&config, |topology, gateway, server, disk| {
            let errors = NextHop::start(&topology.server, elsewhere, Script::plain());
            let mut originator = Originator::greeted(&topology.client, server);
            originator.mail_numbers(0..1);
            let name = spool.display().to_string();
            wait_until("an attempt has failed", SOON, || {
                gateway.command_on_files(&["queue", "--spool", &name]).contains("deferred")
            });
            disk.fill(shortage);
            let refusing = Script::plain().at("RCPT", Fault::Say("550 5.1.1 nobody here\r\n"));
            let next_hop = NextHop::start(&topology.server, server, refusing);
            gateway.wait_for_line(|line| line.contains("cannot be written down"));
            assert_eq!(errors.deliveries().len(), 0);
            disk.give_room();
            let report = errors.wait_for_deliveries(1).swap_remove(0);
            let report = String::from_utf8_lossy(&report.octets);
            assert!(report.contains("Action: failed\r\nStatus: 5.1.1\r\n"), "{report}");
            wait_until("the spool is empty", SOON, || left(&spool) == 0);
            assert_eq!(errors.deliveries().len(), 1);
            // It was not called again for what could not be written down.
            let asked: usize = next_hop.connections().iter().map(|heard| heard.count("RCPT")).sum();
            assert_eq!(asked, 1, "{shortage:?}");
        });
    }
}
