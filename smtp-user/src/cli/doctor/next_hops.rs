//! Checks of the servers behind `inspect` rules: whether they answer, and what their clients will see.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use crate::app::config::resource::{ClientTls, Resource};
use crate::app::config::{Config, DEFAULT_CONFIG_PATH};
use crate::cli::doctor::Check;
use crate::cli::probe::dialogue::{Report, probe};
use crate::cli::probe::line::Target;
use crate::event::sentence::printable;
use crate::model::server_tls::ServerTls;
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;
use crate::policy::service::Service;

/// How long each step of a probe may take.
const STEP: Duration = Duration::from_secs(5);
/// Servers asked at most; somebody may protect a whole network.
const SERVERS: usize = 16;
const NAME: &str = "next hop";

/// Asks every server that an `inspect` rule names by its address.
pub(super) fn checks(config: Option<&Path>) -> Vec<Check> {
    let path = config.unwrap_or(DEFAULT_CONFIG_PATH.as_ref());
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            let first = error.to_string();
            let first = first.lines().next().unwrap_or_default();
            return vec![Check::fail(NAME, format!("The configuration does not load: {first}"))];
        }
    };
    let servers = servers(&config);
    if servers.is_empty() {
        let detail = "No `inspect` rule names a server by its address, so there is none to ask.";
        return vec![Check::warn(NAME, detail)];
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Check::fail(NAME, format!("Nothing can be asked: {error}."))],
    };
    let check = |(address, resource): &(SocketAddr, &Resource)| {
        let server = address.to_string();
        let name = resource.server_name.as_deref();
        let implicit_tls = address.port() == IMPLICIT_TLS;
        let target = Target { server: &server, implicit_tls, name, step: STEP };
        judge(&runtime.block_on(probe(&target)), resource, implicit_tls)
    };
    servers.iter().take(SERVERS).map(check).collect()
}

/// Port on which TLS begins with the first octet (RFC 8314).
const IMPLICIT_TLS: u16 = 465;

/// Servers that `inspect` rules name, each with its resource, once.
pub(super) fn servers(config: &Config) -> Vec<(SocketAddr, &Resource)> {
    let mut servers: Vec<(SocketAddr, &Resource)> = Vec::new();
    for rule in config.rules.iter().filter(|rule| rule.action == Action::Inspect) {
        let named = |resource: &&Resource| rule.resource.as_ref() == Some(&resource.name);
        let Some(resource) = config.resources.iter().find(named) else { continue };
        let hosts = rule.to.iter().filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        let called = hosts
            .map(IpNet::addr)
            .flat_map(|host| ports(rule).into_iter().map(move |port| SocketAddr::new(host, port)));
        for address in called.chain(resource.next_hop) {
            if !servers.iter().any(|(known, _)| *known == address) {
                servers.push((address, resource));
            }
        }
    }
    servers
}

/// Mail ports of a rule; the first of them, if it is for all.
fn ports(rule: &PacketRule) -> Vec<u16> {
    let mail = [25, IMPLICIT_TLS, 587];
    let has = |port: &u16| {
        rule.service.iter().any(|service| matches!(service, Service::Tcp(range) if range.contains(*port)))
    };
    if rule.service.is_empty() { vec![25] } else { mail.into_iter().filter(has).collect() }
}

/// What a server's answer means for its clients.
pub(super) fn judge(report: &Report, resource: &Resource, implicit_tls: bool) -> Check {
    let who = format!("{} (resource \"{}\")", report.server, resource.name);
    if !report.speaks_smtp() {
        let why = report.error.as_deref().unwrap_or("it says nothing");
        return Check::fail(NAME, printable(&format!("{who} cannot be reached: {why}.")));
    }
    let offers_tls = implicit_tls || report.starttls == Some(true);
    let needs_tls = matches!(resource.server_tls, ServerTls::Required | ServerTls::Verified);
    if needs_tls && report.tls.is_none() {
        let why = report.error.as_deref().unwrap_or("it does not offer STARTTLS");
        let detail = format!("{who} has no TLS, which `server_tls` demands, so mail will be put off: {why}.");
        return Check::fail(NAME, printable(&detail));
    }
    let verified = report.tls.as_ref().and_then(|tls| tls.verified.as_deref()).unwrap_or("not verified");
    if resource.server_tls == ServerTls::Verified && verified != "verified" {
        let detail = format!(
            "The certificate of {who} does not prove its name ({verified}), so mail will be put off: see \
             `server_name` and `server_ca`."
        );
        return Check::fail(NAME, printable(&detail));
    }
    let certificate = report.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    let subject = certificate.map_or("it has none", |certificate| certificate.subject.as_str());
    match (&resource.client_tls, offers_tls) {
        (ClientTls::Off, true) => Check::warn(
            NAME,
            printable(&format!(
                "{who} offers TLS, but its clients will not be offered any: set `client_tls` to \"mint\", or to the \
                 server's own certificate."
            )),
        ),
        (ClientTls::Off, false) => {
            Check::ok(NAME, printable(&format!("{who} answers, without TLS; nothing has to change.")))
        }
        (ClientTls::Mint, _) => Check::ok(
            NAME,
            printable(&format!(
                "{who} answers; clients will see a certificate for {subject} by the inspection CA. Those that verify \
                 must believe it (`postern ca export`); nothing else has to change, MX and DNS stay."
            )),
        ),
        (ClientTls::Imported { certificate, .. }, _) => Check::ok(
            NAME,
            printable(&format!(
                "{who} answers; clients will see the certificate in {}. Nothing has to change, MX and DNS stay.",
                certificate.display()
            )),
        ),
    }
}
