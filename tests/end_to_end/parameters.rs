//! The parameters of store-and-forward (D3 to D21): another value is what counts from the moment that the configuration is
//! read again, and another folder from the next start on.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use harness::deadline::{SOON, never, wait_until};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::MailConfig;
use harness::next_hop::{Fault, NextHop, Script, Step};
use harness::originator::Originator;
use harness::records;
use harness::topology::{Family, Topology};
use harness::unbound::{RESOLVER, Unbound};
use harness::{requires_programs, requires_root};
use nix::sys::signal::Signal;

use crate::spool_is_killed::left;

/// How long it is looked that something does not happen.
const A_WHILE: Duration = Duration::from_millis(500);

/// A gateway with a spool, whose parameters are other ones now and then.
struct Bench<'a> {
    topology: &'a Topology,
    gateway: Gateway<'a>,
    config: &'a MailConfig,
    /// The configuration before its `[spool]`, and behind it.
    around: (String, String),
    reloads: usize,
}

fn server() -> SocketAddr {
    SocketAddr::new(Family::V4.server(), 25)
}

/// Starts one, whose next hop is not there.
fn with(config: &MailConfig, test: impl FnOnce(&mut Bench<'_>)) {
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let gateway = Gateway::start_inspecting(&topology, config);
    let text = config.text();
    let (before, rest) = text.split_once("[spool]\n").expect("the table");
    let behind = &rest[rest.find("\n[").expect("another table")..];
    let around = (before.to_owned(), behind.to_owned());
    test(&mut Bench { topology: &topology, gateway, config, around, reloads: 0 });
}

impl Bench<'_> {
    /// Writes other parameters down.
    fn write(&mut self, spool: &str) {
        let (before, behind) = &self.around;
        self.gateway.rewrite_config(&format!("{before}[spool]\n{spool}\n{behind}"));
    }

    /// And has them read.
    fn reload(&mut self, spool: &str) {
        self.write(spool);
        self.gateway.signal(Signal::SIGHUP);
        self.reloads += 1;
        for words in ["configuration read again", "the dequeuer goes by another configuration"] {
            let mut missing = self.reloads;
            self.gateway.wait_for_line(|line| {
                missing -= usize::from(line.contains(words));
                missing == 0
            });
        }
    }

    fn originator(&self) -> Originator {
        Originator::greeted(&self.topology.client, server())
    }

    fn next_hop(&self, script: Script) -> NextHop {
        NextHop::start(&self.topology.server, server(), script)
    }

    fn queue(&self, arguments: &[&str]) -> String {
        let spool = self.config.folder().join("spool").display().to_string();
        self.gateway.command_on_files(&[&["queue", "--spool", &spool], arguments].concat())
    }

    /// Attempts so far that ended so.
    fn outcomes(&self, outcome: &str) -> usize {
        let all = records::read(&self.config.folder().join("records"));
        records::of_event(&all, "dequeued").iter().filter(|record| record["outcome"] == outcome).count()
    }
}

/// Connections that are open.
fn open(next_hop: &NextHop) -> usize {
    next_hop.connections().iter().filter(|heard| !heard.closed).count()
}

#[test]
fn what_is_taken_is_bounded_by_the_values_that_were_read_last() {
    requires_root!();
    let config = MailConfig::spooling("spool_limit = 1\nspool_limit_scan_period = \"1h\"");
    with(&config, |bench| {
        let mut originator = bench.originator();
        originator.mail_numbers(0..1);
        originator.say("MAIL FROM:<a@client.test>").expect(452);
        let is_said = |line: &str| line.contains("`spool_limit` is reached");
        assert!(!bench.gateway.log().lines().any(is_said), "it is looked for once an hour");
        bench.reload("spool_limit = 1\nspool_limit_scan_period = \"1s\"");
        bench.gateway.wait_for_line(is_said);
        bench.reload("spool_limit = 100\nmax_mail_size = \"64KiB\"\nmaxrecipients = 2");
        // Sessions end under the values that they began with, but for what is everybody's.
        originator.say("MAIL FROM:<a@client.test> SIZE=70000").expect(250);
        let mut originator = Originator::connect(&bench.topology.client, server());
        originator.reply().expect(220);
        let hello = originator.say("EHLO client.test");
        assert!(hello.lines.iter().any(|line| line == "SIZE 65536"), "{hello:?}");
        originator.say("MAIL FROM:<a@client.test> SIZE=70000").expect(552);
        let large = [mail::note("large"), b"This is a line.\r\n".repeat(5000)].concat();
        originator.mail(&large).expect(552);
        originator.envelope("a@client.test", "b@server.test");
        originator.say("RCPT TO:<c@server.test>").expect(250);
        let third = originator.say("RCPT TO:<d@server.test>");
        assert!(third.expect(452).text().starts_with("4.5.3 "), "{third:?}");
        bench.reload("maxrecipients = 2\nmaxrecipients_mode = \"compat\"");
        let mut originator = bench.originator();
        originator.envelope("a@client.test", "b@server.test");
        for name in ["c", "d"] {
            originator.say(&format!("RCPT TO:<{name}@server.test>"));
        }
        originator.say("DATA").expect(554);
        assert_eq!(left(&bench.config.folder().join("spool")), 1);
    });
}

#[test]
fn attempts_are_made_as_often_and_last_as_long_as_was_read_last() {
    requires_root!();
    with(&MailConfig::spooling(""), |bench| {
        bench.reload("resend_period = \"1h\"");
        bench.originator().mail_numbers(0..1);
        wait_until("an attempt has failed", SOON, || bench.outcomes("deferred") == 1);
        assert!(never(4 * A_WHILE, || bench.outcomes("deferred") > 1), "it is tried again after an hour");
        bench.reload("resend_period = \"1s\"");
        bench.queue(&["flush"]);
        // One by the order, and others after a second each.
        wait_until("it is tried again and again", SOON, || bench.outcomes("deferred") >= 4);
        let next_hop = bench.next_hop(Script::plain().at_step(Step::Connect, Fault::Hang));
        wait_until("it is called", SOON, || open(&next_hop) == 1);
        assert!(never(4 * A_WHILE, || open(&next_hop) == 0), "it is given thirty seconds");
        bench.reload("resend_period = \"1s\"\ndelivery_timeout = \"1s\"");
        // That attempt ends under the value that it began with, and those that begin now do not.
        let elsewhere = SocketAddr::new(server().ip(), 587);
        let silent = NextHop::start(
            &bench.topology.server,
            elsewhere,
            Script::plain().at_step(Step::Connect, Fault::Hang),
        );
        Originator::greeted(&bench.topology.client, elsewhere).mail_numbers(1..2);
        wait_until("an attempt is given up", SOON, || {
            silent.connections().len() > 1
                && bench.queue(&["list", "--json"]).contains("took too long before its greeting")
        });
        bench.reload("resend_period = \"1s\"\ndelivery_timeout = \"1s\"\nabandon_time = \"1s\"");
        wait_until("it is given up for good", SOON, || bench.outcomes("expired") >= 1);
    });
}

#[test]
fn no_more_connections_are_made_than_was_read_last() {
    requires_root!();
    with(&MailConfig::spooling("max_conns_per_site = 1\nmax_mails_per_conn = 1"), |bench| {
        let next_hop = bench.next_hop(Script::plain().at("DATA", Fault::Hang));
        bench.originator().mail_numbers(0..8);
        // Each of three bounds, one after the other, is what holds the rest back.
        for (lines, connections) in [
            ("max_conns_per_site = 1", 1),
            ("max_conns_per_site = 2", 2),
            ("max_conns = 3", 3),
            ("max_load = 4", 4),
            ("max_conns = 5\nmax_load = 100", 5),
        ] {
            bench.reload(&format!("max_mails_per_conn = 1\n{lines}"));
            wait_until(lines, SOON, || open(&next_hop) == connections);
            assert!(never(A_WHILE, || open(&next_hop) > connections), "{lines}: {}", open(&next_hop));
        }
    });
}

#[test]
fn connections_bring_as_many_messages_as_was_read_last() {
    requires_root!();
    with(&MailConfig::spooling(""), |bench| {
        let mut tried = 0;
        for (mails, connections) in [(2, 3), (3, 2)] {
            bench.reload(&format!(
                "resend_period = \"1h\"\nmax_conns_per_site = 1\nmax_mails_per_conn = {mails}"
            ));
            // They wait for the next hop together.
            tried += bench.originator().mail_numbers(0..6).len();
            wait_until("all were tried", SOON, || bench.outcomes("deferred") == tried);
            let next_hop = bench.next_hop(Script::plain());
            bench.queue(&["flush"]);
            next_hop.wait_for_deliveries(6);
            wait_until("the spool is empty", SOON, || left(&bench.config.folder().join("spool")) == 0);
            let used = next_hop.connections().iter().filter(|heard| heard.count("DATA") > 0).count();
            assert_eq!(used, connections, "{mails} messages each");
        }
    });
}

#[test]
fn as_many_hosts_and_addresses_of_them_are_tried_as_was_read_last() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    with(&MailConfig::spooling("").with("use_mx = true"), |bench| {
        let exchanger = |host: u8| {
            let name = format!("m{host}.server.test.");
            let address = |last: u8| format!("{name} 60 IN A 10.77.2.{last}\n");
            let addresses = address(2 * host) + &address(2 * host + 1);
            format!("server.test. 60 IN MX {host} {name}\n{addresses}")
        };
        let zone: String = (1..=3).map(exchanger).collect();
        let another = |last| format!("address add 10.77.2.{last}/24 dev eth0\n");
        let others = (3..=7).map(another).collect::<Vec<_>>().concat();
        bench.topology.server.ip(&others);
        let _dns = Unbound::start(&bench.topology.gateway, &zone, |signed| signed);
        let any = SocketAddr::from(([0, 0, 0, 0], 25));
        let busy = Script { greeting: "421 4.3.2 too busy\r\n".to_owned(), ..Script::plain() };
        let next_hop = NextHop::start(&bench.topology.server, any, busy);
        let mut called = 0;
        for (attempt, (hosts, addresses)) in (1..).zip([(1, 1), (2, 1), (3, 2)]) {
            bench.reload(&format!(
                "resend_period = \"1h\"\ndns_servers = [\"{RESOLVER}\"]\nmax_mx_node_per_mail = {hosts}\n\
                 max_ips_per_mx_node = {addresses}"
            ));
            // A new message is tried at once.
            if attempt == 1 {
                bench.originator().mail_numbers(0..1);
            } else {
                bench.queue(&["flush"]);
            }
            wait_until("an attempt has failed", SOON, || bench.outcomes("deferred") == attempt);
            let calls = next_hop.connections().len();
            assert_eq!(calls - called, hosts * addresses, "{hosts} hosts, {addresses} addresses");
            called = calls;
        }
    });
}

#[test]
fn reports_say_what_was_read_last_and_go_to_the_postmaster_then() {
    requires_root!();
    let errors = SocketAddr::new(server().ip(), 2525);
    let forbidden = SocketAddr::new(server().ip(), 2526);
    let rule = "[[rule]]\nname = \"nothing there\"\nservice = [\"tcp/2526\"]\ninterface = \"pgw0\"\naction = \"drop\"\n";
    let config = MailConfig::spooling("").with(&format!("error_servers = [\"{errors}\"]")).with_tables(rule);
    with(&config, |bench| {
        let errors = NextHop::start(&bench.topology.server, errors, Script::plain());
        let refusing = Script::plain().at("RCPT", Fault::Say("550 5.1.1 nobody here\r\n"));
        let _next_hop = bench.next_hop(refusing);
        let report = |bench: &Bench<'_>| {
            errors.forget_deliveries();
            bench.originator().mail_numbers(0..1);
            let delivery = errors.wait_for_deliveries(1).swap_remove(0);
            (delivery.to, String::from_utf8_lossy(&delivery.octets).into_owned())
        };
        let (to, brief) = report(bench);
        assert_eq!(to, ["<a@client.test>"]);
        assert!(brief.contains("Status: 5.1.1") && !brief.contains("nobody here"), "{brief}");
        bench.reload("detailed_smtp_err_mail = true\npostmaster = \"postmaster@client.test\"");
        let (to, detailed) = report(bench);
        assert_eq!(to, ["<a@client.test>", "<postmaster@client.test>"]);
        assert!(detailed.contains("nobody here"), "{detailed}");
        // Of what the rules forbid it is said by another one that they do.
        let (before, behind) = bench.around.clone();
        let mode = "mode = \"spool\"\n";
        let routed = format!("{mode}delivery_servers = [\"{forbidden}\"]\ncheck_rule_base = true\n");
        bench.around = (before, behind.replace(mode, &routed));
        for (lines, says) in [
            ("detailed_smtp_err_mail = true", false),
            ("detailed_rb_err_mail = true\ndetailed_smtp_err_mail = true", true),
        ] {
            bench.reload(lines);
            let (_, report) = report(bench);
            assert!(report.contains("Status: 5.7.1"), "{report}");
            assert_eq!(report.contains("not allowed by the rules"), says, "{report}");
        }
    });
}

#[test]
fn mail_to_the_gateway_itself_goes_to_the_default_server_that_was_read_last() {
    requires_root!();
    with(&MailConfig::spooling(""), |bench| {
        let next_hop = bench.next_hop(Script::plain());
        let itself = SocketAddr::from(([10, 77, 1, 1], 25));
        Originator::greeted(&bench.topology.client, itself).mail_numbers(0..1);
        wait_until("an attempt has failed", SOON, || bench.outcomes("deferred") >= 1);
        bench.reload(&format!("resend_period = \"1s\"\ndefault_server = \"{}\"", server()));
        Originator::greeted(&bench.topology.client, itself).mail_numbers(1..2);
        bench.queue(&["flush"]);
        next_hop.wait_for_deliveries(2);
    });
}

#[test]
fn another_folder_is_the_spools_from_the_next_start_on_and_nothing_is_lost() {
    requires_root!();
    with(&MailConfig::spooling(""), |bench| {
        let (old, new) = (bench.config.folder().join("spool"), bench.config.folder().join("elsewhere"));
        let ids = bench.originator().mail_numbers(0..4);
        bench.queue(&["hold", &ids[0]]);
        wait_until("the others were tried", SOON, || bench.outcomes("deferred") >= 3);
        let rundir = format!("resend_period = \"1s\"\nrundir = \"{}\"", new.display());
        // It might be on a disk that is not mounted yet.
        bench.write(&rundir);
        bench.gateway.signal(Signal::SIGHUP);
        bench.gateway.wait_for_line(|line| {
            line.contains("the running policy stays") && line.contains("there is no spool folder")
        });
        std::fs::DirBuilder::new().mode(0o700).create(&new).expect("the folder");
        bench.reload(&rundir);
        bench.gateway.wait_for_line(|line| line.contains("another `rundir` takes effect at the next start"));
        bench.originator().mail_numbers(4..5);
        assert_eq!(left(&old), 5);
        // The dequeuer of the old folder is still at work there.
        bench.gateway.kill9_daemon();
        bench.gateway.run();
        bench.gateway.wait_for_line(|line| line.contains("what was left in the former spool is in this one"));
        assert_eq!((left(&old), count(&new)), (0, 5));
        assert_eq!(bench.gateway.dequeuers().len(), 1);
        bench.originator().mail_numbers(5..6);
        let next_hop = bench.next_hop(Script::plain());
        next_hop.wait_for_deliveries(5);
        let name = new.display().to_string();
        wait_until("what is held is all that is left", SOON, || count(&new) == 1);
        let list = bench.gateway.command_on_files(&["queue", "--spool", &name, "list", "--json"]);
        assert!(list.contains(&ids[0]) && list.contains("held"), "{list}");
        // Once is enough.
        bench.gateway.stop();
        bench.gateway.run();
        assert_eq!((count(&new), next_hop.count()), (1, 5));
        assert!(!bench.gateway.log().contains("former spool"), "{}", bench.gateway.log());
    });
}

/// Messages in a spool.
fn count(spool: &Path) -> usize {
    let files = |place: &str| std::fs::read_dir(spool.join(place)).map_or(0, Iterator::count);
    ["active", "deferred", "bundle"].into_iter().map(files).sum()
}
