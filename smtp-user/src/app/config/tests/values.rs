//! What a file says is what is read.

use std::path::Path;

use super::SAMPLE;
use crate::app::config::Config;
use crate::app::config::extent::Extent;
use crate::app::config::gateway::{GatewayConfig, Hook};
use crate::app::config::inspector::InspectorConfig;
use crate::app::config::quarantine::QuarantineConfig;
use crate::app::config::records::Records;
use crate::app::config::resource::{ClientTls, Resource, ResourceMode, ServerTls, SourceAddress};
use crate::app::config::spool::SpoolConfig;
use crate::delivery::settings::Routing;
use crate::policy::action::Action;
use crate::tls::config::MinVersion;

#[test]
fn the_sample_is_clean_and_says_the_defaults() {
    let config = Config::parse(SAMPLE, "postern.toml").unwrap();
    assert_eq!(config.warnings, []);
    let interfaces = vec!["eth0".to_owned(), "eth1".to_owned()];
    assert_eq!(config.records, Records::default());
    assert_eq!(config.inspection, crate::inspect::Config::default());
    assert_eq!(config.inspector, InspectorConfig::default());
    assert_eq!(config.spool, SpoolConfig::default());
    assert_eq!(config.quarantine, QuarantineConfig::default());
    assert_eq!(config.gateway, GatewayConfig { interfaces, ..GatewayConfig::default() });
    for key in [
        "hook",
        "pin_dir",
        "data_dir",
        "flows_v4",
        "flows_v6",
        "tcp_established",
        "udp_stream",
        "max_file",
        "keep",
        "executables",
        "max_depth",
        "max_header",
        "unsupported",
        "max_connections",
        "max_message",
        "minimum_rate",
        "data_end",
        "session",
        "timeout",
        "scan_period",
        "resend_period",
        "abandon_time",
        "spool_limit",
        "spool_limit_scan_period",
        "detailed_smtp_err_mail",
        "detailed_av_err_mail",
        "detailed_rb_err_mail",
        "max_conns",
        "max_conns_per_site",
        "max_mail_size",
        "max_mails_per_conn",
        "max_mx_node_per_mail",
        "max_ips_per_mx_node",
        "maxrecipients",
        "max_load",
    ] {
        assert!(SAMPLE.contains(&format!("\n{key} = ")), "{key} is not written out");
    }
}

#[test]
fn the_samples_examples_are_clean_too() {
    let uncommented: Vec<&str> = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
            _ => line,
        })
        .collect();
    let config = Config::parse(&uncommented.join("\n"), "postern.toml").unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.rules.len(), 3);
    let clamd = crate::engine::config::Address::Unix("/run/clamav/clamd.ctl".into());
    assert_eq!(config.inspection.engines, [crate::engine::config::Config::clamd("clamd", clamd)]);
    assert_eq!(config.inspection.hash_lists, [Path::new("listed.txt")]);
    assert_eq!(
        config.resources,
        [Resource {
            name: "inbound".to_owned(),
            mode: ResourceMode::default(),
            client_tls: ClientTls::default(),
            server_tls: ServerTls::default(),
            server_ca: None,
            server_name: None,
            tls_min: MinVersion::default(),
            source: SourceAddress::default(),
            next_hop: None,
            inspection: Extent::Full,
            delivery: Routing { notify_sender: true, ..Routing::default() },
            hold: None,
            header: Vec::new(),
            envelope: Vec::new(),
        }]
    );
}

#[test]
fn every_value_is_read() {
    let config = Config::parse(
        r#"
[gateway]
interfaces = ["pgw0", "pgw1.100"]
hook = "tc"
pin_dir = "/sys/fs/bpf/other"
data_dir = "/srv/postern"
flows_v4 = 65_536
flows_v6 = 0x400
idle = { tcp_established = "1h", udp = "5s" }

[[rule]]
name = "inbound"
from = ["10.0.0.0/8", "2001:db8::1"]
service = ["smtp"]
interface = "pgw0"
action = "watch"
resource = "in"
when_down = "accelerate"

[[rule]]
name = "rest"
action = "stack"

[[resource]]
name = "in"
mode = "spool"
client_tls = { certificate = "mx.pem", key = "mx.key" }
server_tls = "verified"
server_ca = "/etc/ssl/ours.pem"
server_name = "mx.example.com"
tls_min = "1.3"
source = "gateway"
next_hop = "[2001:db8::25]:25"
"#,
        "test.toml",
    )
    .unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.gateway.hook, Hook::Tc);
    assert_eq!(config.gateway.interfaces, ["pgw0", "pgw1.100"]);
    assert_eq!(config.gateway.flow_slots_v4(), 131_072);
    assert_eq!(config.gateway.flow_slots_v6(), 2048);
    assert_eq!(config.gateway.idle.tcp_established.as_secs(), 3600);
    assert_eq!(config.gateway.idle.udp.as_secs(), 5);
    assert_eq!(config.gateway.idle.udp_stream.as_secs(), 180);
    assert_eq!(config.rules.len(), 2);
    assert_eq!(config.rules.as_slice()[0].action, Action::Watch);
    assert_eq!(config.resources[0].mode, ResourceMode::Spool);
    let files =
        ClientTls::Imported { certificate: "mx.pem".into(), key: Some("mx.key".into()), password_file: None };
    assert_eq!(config.resources[0].client_tls, files);
    assert_eq!(config.resources[0].server_tls, ServerTls::Verified);
    assert_eq!(config.resources[0].server_ca, Some("/etc/ssl/ours.pem".into()));
    assert_eq!(config.resources[0].server_name.as_deref(), Some("mx.example.com"));
    assert_eq!(config.resources[0].tls_min, MinVersion::Tls13);
    assert_eq!(config.resources[0].source, SourceAddress::Gateway);
    assert_eq!(config.resources[0].next_hop, Some("[2001:db8::25]:25".parse().unwrap()));
}
