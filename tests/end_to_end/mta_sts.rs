//! Domains with a policy about their mail exchangers (MTA-STS), on a web server of their own.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::deadline::{SOON, wait_for};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::MailConfig;
use harness::next_hop::{NextHop, Script};
use harness::originator::Originator;
use harness::records;
use harness::topology::{Family, Topology};
use harness::unbound::{RESOLVER, Unbound};
use harness::web_server::WebServer;
use harness::{requires_programs, requires_root};
use serde_json::Value;

const ZONE: &str = "server.test. 60 IN MX 10 mx.server.test.\nmx.server.test. 60 IN A 10.77.2.2\n\
    mta-sts.server.test. 60 IN A 10.77.2.2\n_mta-sts.server.test. 60 IN TXT \"v=STSv1; id=1;\"\n";
const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.server.test\r\nmax_age: 86400\r\n";

/// Sends a message to a domain whose policy and next hop are these. Gives the first record of an attempt with this outcome,
/// and what the next hop heard of.
fn play(believed: &Certificate, shown: Certificate, policy: &str, outcome: &str) -> (Value, usize, bool) {
    let web = Certificate::new("mta-sts.server.test");
    let config = MailConfig::spooling(&format!("dns_servers = [\"{RESOLVER}\"]"));
    let cas = config.folder().join("cas.pem");
    std::fs::write(&cas, format!("{}{}", web.pem, believed.pem)).expect("the CAs can be written");
    let keys = format!("use_mx = true\nmta_sts = true\nserver_ca = \"{}\"", cas.display());
    let config = config.with(&keys);
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let _dns = Unbound::start(&topology.gateway, ZONE, |signed| signed);
    let server = |port| SocketAddr::new(Family::V4.server(), port);
    let web = WebServer::start(&topology.server, server(443), web, policy);
    let next_hop = NextHop::with_certificate(&topology.server, server(25), Script::ordinary(), shown);
    let _gateway = Gateway::start_inspecting(&topology, &config);
    let mut originator = Originator::greeted(&topology.client, server(25));
    originator.mail(&mail::note("by-policy")).expect(250);
    originator.say("QUIT").expect(221);
    let record = wait_for("the record of an attempt", SOON, || {
        let all = records::read(&config.folder().join("records"));
        records::of_event(&all, "dequeued").into_iter().find(|it| it["outcome"] == outcome).cloned()
    });
    assert_eq!(web.asked(), 1);
    assert!(config.folder().join("mta-sts/server.test.json").exists());
    let heard = next_hop.connections();
    (record, heard.iter().map(|heard| heard.count("MAIL")).sum(), heard.iter().all(|heard| heard.tls))
}

#[test]
fn a_host_that_the_policy_names_and_that_proves_its_name_gets_mail() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let certificate = Certificate::new("mx.server.test");
    let (record, mails, tls) = play(&certificate, certificate.clone(), POLICY, "delivered");
    assert_eq!((record["tls_by"].as_str(), mails, tls), (Some("mta_sts"), 1, true));
}

#[test]
fn a_host_that_does_not_prove_its_name_gets_none() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let (believed, shown) = (Certificate::new("mx.server.test"), Certificate::new("mx.server.test"));
    let (record, mails, _) = play(&believed, shown, POLICY, "deferred");
    assert_eq!((record["tls_by"].as_str(), mails), (Some("mta_sts"), 0));
    assert!(record["why"].as_str().is_some_and(|why| why.contains("cannot be believed")), "{record}");
}

#[test]
fn a_host_that_the_policy_does_not_name_is_not_called() {
    requires_root!();
    requires_programs!("unbound", "ldns-signzone", "ldns-keygen");
    let certificate = Certificate::new("mx.server.test");
    let policy = POLICY.replace("mx.server.test", "*.mx.server.test");
    let (record, mails, _) = play(&certificate, certificate.clone(), &policy, "deferred");
    assert_eq!(mails, 0);
    assert!(record["why"].as_str().is_some_and(|why| why.contains("(MTA-STS)")), "{record}");
}
