//! Next hops that say by TLSA records who they are: Unbound signs, validates and vouches for what the gateway asks.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::deadline::{SOON, wait_for, wait_until};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::MailConfig;
use harness::next_hop::{NextHop, Script};
use harness::originator::Originator;
use harness::postfix::Postfix;
use harness::records;
use harness::topology::{Family, Topology};
use harness::unbound::{RESOLVER, Unbound};
use harness::{requires_programs, requires_root};
use serde_json::Value;
use smtp_user::tls::certificate_facts::certificate_facts;

fn config() -> MailConfig {
    MailConfig::spooling(&format!("dns_servers = [\"{RESOLVER}\"]"))
        .with("server_tls = \"dane\"\nuse_mx = true")
}

/// A domain whose one host shows this certificate, or says so.
fn zone(certificate: &Certificate) -> String {
    let digest = certificate_facts(certificate.der()).sha256;
    format!(
        "server.test. 60 IN MX 10 mx.server.test.\nmx.server.test. 60 IN A 10.77.2.2\n\
         _25._tcp.mx.server.test. 60 IN TLSA 3 0 1 {digest}\n"
    )
}

fn server() -> SocketAddr {
    SocketAddr::new(Family::V4.server(), 25)
}

/// Gives a message to the gateway, and gives what it is called there.
fn send(topology: &Topology, subject: &str) -> String {
    let mut originator = Originator::greeted(&topology.client, server());
    let text = originator.mail(&mail::note(subject)).expect(250).text();
    originator.say("QUIT").expect(221);
    text.rsplit(' ').next().expect("an id").to_owned()
}

/// Waits until an attempt was put off. Gives what `postern queue show` says then.
fn put_off(gateway: &Gateway<'_>, config: &MailConfig, id: &str) -> String {
    wait_until("an attempt was put off", SOON, || {
        records::read(&config.folder().join("records")).iter().any(|record| record["outcome"] == "deferred")
    });
    let spool = config.folder().join("spool").display().to_string();
    gateway.command_on_files(&["queue", "--spool", &spool, "show", id])
}

/// Waits for the record of a delivery.
fn delivered(config: &MailConfig) -> Value {
    wait_for("the record of a delivery", SOON, || {
        let all = records::read(&config.folder().join("records"));
        let found = records::of_event(&all, "dequeued").into_iter().find(|it| it["outcome"] == "delivered");
        found.cloned()
    })
}

#[test]
fn postfix_with_a_certificate_of_its_own_making_is_known_by_its_record() {
    requires_root!();
    requires_programs!("postfix", "unbound", "ldns-signzone", "ldns-keygen");
    let config = config();
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let certificate = Certificate::new("another.name.test");
    let _dns = Unbound::start(&topology.gateway, &zone(&certificate), |signed| signed);
    let postfix = Postfix::server(&topology.server, Family::V4.server(), &certificate);
    let _gateway = Gateway::start_inspecting(&topology, &config);
    send(&topology, "known");
    postfix.wait_for_messages(1);
    postfix.wait_for_line(&["TLS connection established", "TLSv1.3"]);
    assert_eq!(delivered(&config)["tls_by"], "dane");
}

#[test]
fn a_host_that_no_record_is_about_gets_nothing_and_the_queue_says_why() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let config = config();
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    // The right name does not help, and neither does that the host would do without TLS.
    let _dns = Unbound::start(&topology.gateway, &zone(&Certificate::new("mx.server.test")), |signed| signed);
    let certificate = Certificate::new("mx.server.test");
    let next_hop = NextHop::with_certificate(&topology.server, server(), Script::ordinary(), certificate);
    let gateway = Gateway::start_inspecting(&topology, &config);
    let id = send(&topology, "unknown");
    let shown = put_off(&gateway, &config, &id);
    for words in ["no TLSA record matches", "mx.server.test [10.77.2.2]:25", "4.7.5", "dane"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    next_hop.follow(Script::plain());
    let calls = next_hop.connections().len();
    wait_until("it was called without TLS on offer", SOON, || next_hop.connections().len() > calls + 1);
    for heard in next_hop.connections() {
        assert_eq!((heard.count("MAIL"), heard.count("RCPT")), (0, 0), "{heard:?}");
    }
    assert!(next_hop.deliveries().is_empty());
}

#[test]
fn records_that_were_meddled_with_put_mail_off_before_anybody_is_called() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let config = config();
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let certificate = Certificate::new("mx.server.test");
    // Somebody puts a record for this very host in place of the one that was signed.
    let signed_for = Certificate::new("mx.server.test");
    let (from, to) =
        (certificate_facts(signed_for.der()).sha256, certificate_facts(certificate.der()).sha256);
    let _dns = Unbound::start(&topology.gateway, &zone(&signed_for), |signed| {
        assert!(signed.contains(&from), "{signed}");
        signed.replace(&from, &to)
    });
    let next_hop = NextHop::with_certificate(&topology.server, server(), Script::ordinary(), certificate);
    let gateway = Gateway::start_inspecting(&topology, &config);
    let id = send(&topology, "meddled");
    let shown = put_off(&gateway, &config, &id);
    for words in ["_25._tcp.mx.server.test", "4.7.5", "nothing is sent there"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(next_hop.connections().is_empty(), "{:?}", next_hop.connections());
}

#[test]
fn a_host_without_records_is_spoken_to_as_ever() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let config = config();
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let records = "server.test. 60 IN MX 10 mx.server.test.\nmx.server.test. 60 IN A 10.77.2.2\n";
    let _dns = Unbound::start(&topology.gateway, records, |signed| signed);
    let next_hop = NextHop::start(&topology.server, server(), Script::plain());
    let _gateway = Gateway::start_inspecting(&topology, &config);
    send(&topology, "plain");
    let deliveries = next_hop.wait_for_deliveries(1);
    assert!(!deliveries[0].tls);
    assert_eq!(delivered(&config)["tls_by"], Value::Null);
}

/// Mail gets to a host that shows this certificate, and not to one that shows the other.
fn is_for_one_of_them(records: &str, one: Certificate, other: Certificate) {
    let config = config();
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let _dns = Unbound::start(&topology.gateway, records, |signed| signed);
    let next_hop = NextHop::with_certificate(&topology.server, server(), Script::ordinary(), one);
    let gateway = Gateway::start_inspecting(&topology, &config);
    send(&topology, "known");
    assert!(next_hop.wait_for_deliveries(1)[0].tls);
    assert_eq!(delivered(&config)["tls_by"], "dane");
    drop(next_hop);
    let next_hop = NextHop::with_certificate(&topology.server, server(), Script::ordinary(), other);
    let id = send(&topology, "unknown");
    let shown = put_off(&gateway, &config, &id);
    assert!(shown.contains("no TLSA record matches"), "{shown}");
    assert!(next_hop.deliveries().is_empty());
}

#[test]
fn a_host_whose_record_names_an_authority_proves_its_name_by_a_certificate_of_that() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let certificate = Certificate::issued("mx.server.test");
    let digest = certificate_facts(certificate.authority()).sha256;
    let records = format!(
        "server.test. 60 IN MX 10 mx.server.test.\nmx.server.test. 60 IN A 10.77.2.2\n\
         _25._tcp.mx.server.test. 60 IN TLSA 2 0 1 {digest}\n"
    );
    is_for_one_of_them(&records, certificate, Certificate::issued("mx.server.test"));
}

#[test]
fn an_alias_is_known_by_the_record_of_what_it_leads_to() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let certificate = Certificate::new("another.name.test");
    let digest = certificate_facts(certificate.der()).sha256;
    let records = format!(
        "server.test. 60 IN MX 10 mx.server.test.\nmx.server.test. 60 IN CNAME real.server.test.\n\
         real.server.test. 60 IN A 10.77.2.2\n_25._tcp.real.server.test. 60 IN TLSA 3 0 1 {digest}\n"
    );
    is_for_one_of_them(&records, certificate, Certificate::new("mx.server.test"));
}
