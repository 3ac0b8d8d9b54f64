//! Whom to call for a destination, in which order.

use std::net::{IpAddr, SocketAddr};

use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::session::Peer;
use crate::delivery::settings::{HostName, NextHopName, SMTP_PORT, Settings};
use crate::dns::{Dns, DnsError, MailExchanger};
use crate::model::queued_recipient::RemoteStage;

/// Where names are looked up, and what the answer is bound by.
#[derive(Clone, Debug)]
pub struct Router {
    /// DNS.
    pub dns: Dns,
    /// The gateway's own name: mail that would come back to it goes in circles.
    pub hostname: String,
}

impl Router {
    /// The hosts of a destination, in the order they are to be tried. `chance` shuffles those that are equal.
    pub async fn hosts(
        &self,
        destination: &Destination,
        settings: &Settings,
        chance: u64,
    ) -> Result<Vec<NextHopName>, Failure> {
        match destination {
            Destination::Servers(_, servers) => Ok(servers.clone()),
            Destination::Domain(_, domain) => self.of_domain(domain, settings, chance).await,
        }
    }

    /// The addresses of a host, as many as are to be tried.
    pub async fn peers(&self, host: &NextHopName, settings: &Settings) -> Result<Vec<Peer>, Failure> {
        let most = settings.max_ips_per_mx_node as usize;
        match &host.host {
            HostName::Address(address) => {
                Ok(vec![Peer { host: address.to_string(), address: SocketAddr::new(*address, host.port) }])
            }
            HostName::Name(name) => {
                let addresses =
                    self.dns.addresses(name).await.map_err(|error| unresolved(name, &error, false))?;
                let peer = |address: IpAddr| Peer {
                    host: name.clone(),
                    address: SocketAddr::new(address, host.port),
                };
                Ok(addresses.into_iter().take(most).map(peer).collect())
            }
        }
    }

    async fn of_domain(
        &self,
        domain: &str,
        settings: &Settings,
        chance: u64,
    ) -> Result<Vec<NextHopName>, Failure> {
        if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = literal.strip_prefix("ipv6:").unwrap_or(literal).parse().ok();
            let address: IpAddr = address.ok_or_else(|| {
                Failure::permanent(RemoteStage::Dns, "5.1.2", format!("[{literal}] is no address"))
            })?;
            return Ok(vec![SocketAddr::new(address, SMTP_PORT).into()]);
        }
        match self.dns.mail_exchangers(domain).await {
            Ok(exchangers) => self.in_order(domain, exchangers, settings, chance),
            // A domain without mail exchangers is its own (RFC 5321 §5.1).
            Err(DnsError::NoRecord) => match self.dns.addresses(domain).await {
                Ok(_) => Ok(vec![by_name(domain.to_owned())]),
                Err(error) => Err(unresolved(domain, &error, true)),
            },
            Err(error) => Err(unresolved(domain, &error, true)),
        }
    }

    fn in_order(
        &self,
        domain: &str,
        mut exchangers: Vec<MailExchanger>,
        settings: &Settings,
        mut chance: u64,
    ) -> Result<Vec<NextHopName>, Failure> {
        if exchangers.iter().all(|exchanger| exchanger.host.is_empty()) {
            return Err(Failure::permanent(
                RemoteStage::Dns,
                "5.1.10",
                format!("{domain} takes no mail (null MX)"),
            ));
        }
        exchangers.retain(|exchanger| !exchanger.host.is_empty());
        // Shuffled first; the sort that follows leaves equal ones as they are.
        for end in (1..exchangers.len()).rev() {
            chance = step(chance);
            exchangers.swap(end, (chance >> 33) as usize % (end + 1));
        }
        exchangers.sort_by_key(|exchanger| exchanger.preference);
        // Whoever is a mail exchanger itself only gives mail to better ones (RFC 5321 §5.1).
        let ourselves =
            exchangers.iter().find(|exchanger| exchanger.host.eq_ignore_ascii_case(&self.hostname));
        if let Some(bound) = ourselves.map(|exchanger| exchanger.preference) {
            exchangers.retain(|exchanger| exchanger.preference < bound);
        }
        if exchangers.is_empty() {
            let text = format!("the best mail exchanger of {domain} is this gateway itself");
            return Err(Failure::permanent(RemoteStage::Dns, "5.4.6", text));
        }
        exchangers.truncate(settings.max_mx_node_per_mail as usize);
        Ok(exchangers.into_iter().map(|exchanger| by_name(exchanger.host)).collect())
    }
}

fn by_name(name: String) -> NextHopName {
    NextHopName { host: HostName::Name(name), port: SMTP_PORT }
}

/// A name without an answer. Only where the domain itself does not exist is that final; a mail exchanger or a configured
/// server without an address may get one.
fn unresolved(name: &str, error: &DnsError, is_domain: bool) -> Failure {
    let text = format!("{name}: {error}");
    match error {
        DnsError::NoSuchName | DnsError::NotAName if is_domain => {
            Failure::permanent(RemoteStage::Dns, "5.1.2", text)
        }
        DnsError::NoRecord if is_domain => Failure::permanent(RemoteStage::Dns, "5.4.4", text),
        DnsError::NoSuchName | DnsError::NotAName | DnsError::NoRecord => {
            Failure::transient(RemoteStage::Dns, "4.4.4", text)
        }
        DnsError::Unanswered(_) => Failure::transient(RemoteStage::Dns, "4.4.3", text),
    }
}

/// A pseudo-random sequence; good enough to spread load.
const fn step(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

#[cfg(test)]
mod tests;
