//! Whom to call for a destination, in which order.

mod dane;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::session::Peer;
use crate::delivery::settings::{HostName, NextHopName, SMTP_PORT, Settings};
use crate::delivery::sts::Policies;
use crate::dns::validated::{ValidatedDns, Vouched};
use crate::dns::{Dns, DnsError, MailExchanger};
use crate::model::queued_recipient::RemoteStage;
use crate::model::server_tls::ServerTls;
use crate::model::tls_demand::TlsDemand;
use crate::wire::mta_sts::MtaStsPolicy;

/// Where names are looked up, and what the answer is bound by.
#[derive(Clone, Debug)]
pub struct Router {
    /// DNS.
    pub dns: Dns,
    /// A validating resolver that is believed, for resources with `server_tls = "dane"`.
    pub validated: Option<ValidatedDns>,
    /// The gateway's own name: mail that would come back to it goes in circles.
    pub hostname: String,
}

/// A host to be tried for a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub name: NextHopName,
    /// Names by which it was found, if nobody can have put another host in its place: the domain's, and that which the domain
    /// is an alias of. `None` if somebody can.
    pub found_by: Option<Vec<String>>,
    /// What its domain says about its mail exchangers, if that is to be enforced.
    pub policy: Option<Arc<MtaStsPolicy>>,
}

/// What is asked of the way to a destination's hosts.
#[derive(Clone, Copy, Debug)]
pub struct Care<'a> {
    /// What the resource asks of TLS.
    pub level: ServerTls,
    /// Where to learn what domains say about their mail exchangers, if the resource wants to know.
    pub policies: Option<&'a Policies>,
    /// Microseconds since 1970.
    pub now: u64,
}

impl Candidate {
    /// One that nobody can have put in another's place, and of which no policy says anything.
    pub const fn certain(name: NextHopName) -> Self {
        Self { name, found_by: Some(Vec::new()), policy: None }
    }
}

impl Router {
    /// The hosts of a destination, in the order they are to be tried. `chance` shuffles those that are equal.
    pub async fn hosts(
        &self,
        destination: &Destination,
        settings: &Settings,
        care: Care<'_>,
        chance: u64,
    ) -> Result<Vec<Candidate>, Failure> {
        match destination {
            // The configuration says so, and not DNS.
            Destination::Servers(_, servers) => {
                Ok(servers.iter().map(|name| Candidate::certain(name.clone())).collect())
            }
            Destination::Domain(_, domain) => {
                let hosts = self.of_domain(domain, settings, self.validating(care.level), chance);
                let Some(policies) = care.policies else { return hosts.await };
                let (hosts, policy) = tokio::join!(hosts, policies.enforced(domain, care.now / 1_000_000));
                Ok(hosts?.into_iter().map(|host| Candidate { policy: policy.clone(), ..host }).collect())
            }
        }
    }

    /// The addresses of a host, as many as are to be tried, and what its side asks of TLS.
    pub async fn peers(
        &self,
        candidate: &Candidate,
        settings: &Settings,
        level: ServerTls,
    ) -> Result<Vec<Peer>, Failure> {
        let port = candidate.name.port;
        let name = match &candidate.name.host {
            HostName::Address(address) => {
                return Ok(vec![Peer::new(address.to_string(), SocketAddr::new(*address, port))]);
            }
            HostName::Name(name) => name,
        };
        let validating = self.validating(level).zip(candidate.found_by.as_ref());
        let (addresses, demand) = if let Some((dns, found_by)) = validating {
            dane::demand(dns, name, port, found_by).await?
        } else {
            let found = self.dns.addresses(name).await;
            (found.map_err(|error| unresolved(name, &error, false))?, TlsDemand::None)
        };
        let demand = match &candidate.policy {
            // What TLSA records say nobody takes back (RFC 8461 §2).
            Some(policy) if demand == TlsDemand::None => sts_demand(policy, name)?,
            _ => demand,
        };
        let peer = |address: IpAddr| Peer {
            host: name.clone(),
            address: SocketAddr::new(address, port),
            demand: demand.clone(),
        };
        Ok(addresses.into_iter().take(settings.max_ips_per_mx_node as usize).map(peer).collect())
    }

    fn validating(&self, level: ServerTls) -> Option<&ValidatedDns> {
        self.validated.as_ref().filter(|_| level == ServerTls::Dane)
    }

    async fn of_domain(
        &self,
        domain: &str,
        settings: &Settings,
        validating: Option<&ValidatedDns>,
        chance: u64,
    ) -> Result<Vec<Candidate>, Failure> {
        if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = literal.strip_prefix("ipv6:").unwrap_or(literal).parse().ok();
            let address: IpAddr = address.ok_or_else(|| {
                Failure::permanent(RemoteStage::Dns, "5.1.2", format!("[{literal}] is no address"))
            })?;
            let name = SocketAddr::new(address, SMTP_PORT).into();
            return Ok(vec![Candidate { found_by: None, ..Candidate::certain(name) }]);
        }
        let found = match validating {
            Some(dns) => dns.mail_exchangers(domain).await,
            None => self.dns.mail_exchangers(domain).await.map(Vouched::by_nobody),
        };
        match found {
            Ok(Vouched { value, is_secure, alias }) => {
                let found_by =
                    is_secure.then(|| std::iter::once(domain.to_owned()).chain(alias).collect::<Vec<_>>());
                let hosts = self.in_order(domain, value, settings, chance)?;
                let candidate = |name| Candidate { found_by: found_by.clone(), ..Candidate::certain(name) };
                Ok(hosts.into_iter().map(candidate).collect())
            }
            // A domain without mail exchangers is its own (RFC 5321 §5.1), and its addresses say whether that can be believed.
            Err(DnsError::NoRecord) => match self.dns.addresses(domain).await {
                Ok(_) => Ok(vec![Candidate::certain(by_name(domain.to_owned()))]),
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

/// What a domain's policy asks of one of its mail exchangers; of one that the policy does not know, that it gets nothing.
fn sts_demand(policy: &MtaStsPolicy, host: &str) -> Result<TlsDemand, Failure> {
    if policy.knows(host) {
        return Ok(TlsDemand::MtaSts);
    }
    let text = format!("{host} is none of the mail exchangers that the policy of its domain (MTA-STS) names");
    Err(Failure::transient(RemoteStage::Dns, "4.7.5", text))
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
