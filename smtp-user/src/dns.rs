//! What DNS says about mail: mail exchangers of a domain and addresses of a host.
//!
//! What nobody answers is never taken for "there is none": only an answer that says so is.

pub mod validated;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::{Resolver, ResolverBuilder, TokioResolver};

use crate::dns::validated::plain;

/// Asks DNS. Cheap to clone; keeps answers for as long as they say.
#[derive(Clone, Debug)]
pub struct Dns {
    resolver: Arc<TokioResolver>,
}

/// One mail exchanger as DNS names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailExchanger {
    /// Lowest first.
    pub preference: u16,
    /// Its name, lower case, without the last full stop; empty is the root, which says that there is no mail (RFC 7505).
    pub host: String,
}

/// Why there is no answer, or none that helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist.
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists, and has nothing of the kind.
    #[error("the name has no such record")]
    NoRecord,
    /// It is no name.
    #[error("not a name that DNS could know")]
    NotAName,
    /// Nobody answered, or nobody could: another time it may do.
    #[error("no answer from DNS: {0}")]
    Unanswered(String),
}

/// No resolver can be made.
#[derive(Debug, thiserror::Error)]
#[error("no resolver can be made: {0}")]
pub struct DnsSetupError(#[from] NetError);

impl Dns {
    /// By these servers; with none, by those of `/etc/resolv.conf`.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsSetupError> {
        let mut builder = if servers.is_empty() {
            // Without a configuration, the system asks the host itself.
            Resolver::builder_tokio().unwrap_or_else(|_| by(&[(Ipv4Addr::LOCALHOST, 53).into()]))
        } else {
            by(servers)
        };
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Ok(Self { resolver: Arc::new(builder.build()?) })
    }

    /// The mail exchangers of a domain, in no order.
    pub async fn mail_exchangers(&self, domain: &str) -> Result<Vec<MailExchanger>, DnsError> {
        let lookup =
            self.resolver.lookup(absolute(domain)?, RecordType::MX).await.map_err(|error| of(&error))?;
        let exchangers: Vec<MailExchanger> = lookup.answers().iter().filter_map(exchanger).collect();
        if exchangers.is_empty() { Err(DnsError::NoRecord) } else { Ok(exchangers) }
    }

    /// The texts of a name, each in one piece.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let lookup =
            self.resolver.lookup(absolute(name)?, RecordType::TXT).await.map_err(|error| of(&error))?;
        let text = |record: &Record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        Ok(lookup.answers().iter().filter_map(text).collect())
    }

    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let lookup = self.resolver.lookup_ip(absolute(host)?).await.map_err(|error| of(&error))?;
        let addresses: Vec<IpAddr> = lookup.iter().collect();
        if addresses.is_empty() { Err(DnsError::NoRecord) } else { Ok(addresses) }
    }
}

/// By these servers, with none of what the system says.
fn by(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_name_servers(servers.iter().map(name_server).collect());
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = ResolverOpts::default();
    builder
}

fn name_server(server: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = server.port();
    }
    NameServerConfig::new(server.ip(), true, connections)
}

fn exchanger(record: &Record) -> Option<MailExchanger> {
    match &record.data {
        RData::MX(mx) => Some(MailExchanger { preference: mx.preference, host: plain(&mx.exchange) }),
        _ => None,
    }
}

/// Search lists are for people, not for mail.
fn absolute(name: &str) -> Result<String, DnsError> {
    let name = name.trim_end_matches('.');
    let label = |label: &str| (1..=63).contains(&label.len());
    let is_name = name.len() <= 253 && name.split('.').all(label) && !name.contains(char::is_whitespace);
    if is_name { Ok(format!("{name}.")) } else { Err(DnsError::NotAName) }
}

fn of(error: &NetError) -> DnsError {
    if error.is_nx_domain() {
        DnsError::NoSuchName
    } else if error.is_no_records_found() {
        DnsError::NoRecord
    } else {
        DnsError::Unanswered(error.to_string().chars().take(200).collect())
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
