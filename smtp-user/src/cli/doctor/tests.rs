//! What is read of the machine is read rightly, and the outcome is one line a check.

use super::host::{effective_capabilities, kernel_version};
use super::*;
use crate::app::config::Config;
use crate::cli::probe::dialogue::Report as Answer;
use crate::model::tls_facts::{CertificateFacts, TlsFacts};

#[test]
fn kernel_versions_are_read() {
    for (release, version) in [
        ("6.1.0-18-amd64", Some((6, 1))),
        ("6.12", Some((6, 12))),
        ("5.15.153.1-microsoft-standard-WSL2", Some((5, 15))),
        ("linux", None),
    ] {
        assert_eq!(kernel_version(release), version, "{release}");
    }
}

#[test]
fn capabilities_are_read() {
    let status = "Name:\tpostern\nCapInh:\t0000000000000000\nCapEff:\t000000c000001000\n";
    assert_eq!(effective_capabilities(status), 1 << 39 | 1 << 38 | 1 << 12);
    assert_eq!(effective_capabilities(""), 0);
}

#[test]
fn each_check_is_one_line() {
    let checks = [Check::ok("rights", "There."), Check::fail("bpffs", "Not there.")];
    assert_eq!(text(&checks), "ok    rights        There.\nFAIL  bpffs         Not there.\n");
    assert_eq!(serde_json::to_value(&checks[1]).unwrap()["status"], "fail");
}

#[test]
fn an_error_becomes_a_sentence() {
    let error = PacketPathError::NotLoaded { dir: "/x".into() };
    assert_eq!(sentence(&error), "Nothing is loaded under /x; start with `postern run`.");
}

/// A configuration whose one resource has these keys.
fn config(resource: &str) -> Config {
    let text = format!(
        r#"
[gateway]
interfaces = ["a", "b"]
[[rule]]
name = "mail"
to = ["192.0.2.25", "2001:db8::25/128", "198.51.100.0/24"]
service = ["smtp", "smtps"]
action = "inspect"
resource = "inbound"
[[resource]]
name = "inbound"
{resource}
"#
    );
    Config::parse(&text, "f").unwrap()
}

#[test]
fn servers_that_rules_name_by_address_are_asked() {
    let config = config("next_hop = \"10.0.0.1:25\"");
    let servers: Vec<String> =
        next_hops::servers(&config).iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(
        servers,
        ["192.0.2.25:25", "192.0.2.25:465", "[2001:db8::25]:25", "[2001:db8::25]:465", "10.0.0.1:25"]
    );
}

#[test]
fn what_a_server_answers_is_judged_by_what_its_resource_says() {
    let facts = |verified: &str| {
        let certificate =
            CertificateFacts { subject: "CN=mx.example.org".to_owned(), ..CertificateFacts::default() };
        Some(TlsFacts {
            certificate: Some(certificate),
            verified: Some(verified.to_owned()),
            ..TlsFacts::default()
        })
    };
    let plain = Answer { server: "192.0.2.25:25".to_owned(), starttls: Some(false), ..Answer::default() };
    let with = |verified| Answer { starttls: Some(true), tls: facts(verified), ..plain.clone() };
    let away = Answer { starttls: None, error: Some("connection refused".to_owned()), ..plain.clone() };
    for (resource, report, status, words) in [
        ("", &away, Status::Fail, "cannot be reached: connection refused."),
        ("", &plain, Status::Ok, "without TLS; nothing has to change."),
        ("", &with("verified"), Status::Warn, "will not be offered any"),
        (
            "client_tls = \"mint\"",
            &with("unknown_issuer"),
            Status::Ok,
            "CN=mx.example.org by the inspection CA",
        ),
        ("server_tls = \"required\"", &plain, Status::Fail, "it does not offer STARTTLS"),
        ("server_tls = \"verified\"", &with("unknown_issuer"), Status::Fail, "(unknown_issuer)"),
        (
            "server_tls = \"verified\"\nclient_tls = \"mint\"",
            &with("verified"),
            Status::Ok,
            "MX and DNS stay.",
        ),
    ] {
        let check = next_hops::judge(report, &config(resource).resources[0], false);
        assert_eq!(check.status, status, "{resource}: {check:?}");
        assert!(check.detail.contains(words), "{resource}: {check:?}");
    }
}
