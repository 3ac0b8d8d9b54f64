//! What DNS says, and whether a validating resolver vouches for it (RFC 4035 §3.2.3).
//!
//! The servers asked are ones whose AD bit is to be believed: on this host, or reached by a way that somebody has called safe.
//! Nothing is kept here: answers are kept, and checked, by the resolver.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::StreamExt as _;
use hickory_resolver::config::{ResolverOpts, ServerOrderingStrategy};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::DnsHandle as _;
use hickory_resolver::proto::op::{DnsRequestOptions, Query};
use hickory_resolver::proto::rr::rdata::tlsa::TLSA;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use super::{DnsError, MailExchanger, absolute, exchanger, name_server, of};
use crate::model::tlsa::TlsaRecord;

/// Asks a validating resolver. Cheap to clone.
#[derive(Clone)]
pub struct ValidatedDns {
    pool: NameServerPool<TokioRuntimeProvider>,
}

impl std::fmt::Debug for ValidatedDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedDns").finish_non_exhaustive()
    }
}

/// An answer, and what is known of its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched<T> {
    /// The answer.
    pub value: T,
    /// Whether the resolver vouches for all of it, aliases included.
    pub is_secure: bool,
    /// What the name is an alias of in the end, if it is one.
    pub alias: Option<String>,
}

impl<T> Vouched<T> {
    /// An answer that nobody vouches for.
    pub const fn by_nobody(value: T) -> Self {
        Self { value, is_secure: false, alias: None }
    }
}

/// Aliases of aliases that are followed.
const MAX_ALIASES: usize = 16;

impl ValidatedDns {
    /// By these servers, each of which is believed.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, super::DnsSetupError> {
        let mut options = ResolverOpts::default();
        // What the second one says would be no better.
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let context = PoolContext::new(options, TlsConfig::new()?);
        let servers = servers.iter().map(name_server);
        let pool = NameServerPool::from_config(servers, Arc::new(context), TokioRuntimeProvider::default());
        Ok(Self { pool })
    }

    /// The mail exchangers of a domain, in no order.
    pub async fn mail_exchangers(&self, domain: &str) -> Result<Vouched<Vec<MailExchanger>>, DnsError> {
        let answer = self.ask(domain, RecordType::MX).await?;
        let value: Vec<MailExchanger> = answer.value.iter().filter_map(exchanger).collect();
        if value.is_empty() { Err(DnsError::NoRecord) } else { Ok(Vouched { value, ..answer.without() }) }
    }

    /// The addresses of a host, of both families. If one of them cannot be looked up, neither can the host.
    pub async fn addresses(&self, host: &str) -> Result<Vouched<Vec<IpAddr>>, DnsError> {
        let (v4, v6) = tokio::join!(self.ask(host, RecordType::A), self.ask(host, RecordType::AAAA));
        let is_none = |error: &DnsError| matches!(error, DnsError::NoRecord | DnsError::NoSuchName);
        let (mut found, mut nothing) = (Vec::new(), DnsError::NoRecord);
        for answer in [v4, v6] {
            match answer {
                Ok(answer) => found.push(answer),
                Err(error) if is_none(&error) => nothing = error,
                Err(error) => return Err(error),
            }
        }
        let address = |record: &Record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let value: Vec<IpAddr> = found.iter().flat_map(|answer| &answer.value).filter_map(address).collect();
        // An alias without addresses of one family is an answer too, and one whose other half must agree.
        let alias = found.first().and_then(|answer| answer.alias.clone());
        let is_secure = found.iter().all(|answer| answer.is_secure && answer.alias == alias);
        if value.is_empty() { Err(nothing) } else { Ok(Vouched { value, is_secure, alias }) }
    }

    /// Whether a name is an alias, and the resolver vouches for that much, wherever it leads.
    pub async fn is_secure_alias(&self, name: &str) -> Result<bool, DnsError> {
        match self.ask(name, RecordType::CNAME).await {
            Ok(answer) => Ok(answer.is_secure && answer.alias.is_some()),
            Err(DnsError::NoRecord | DnsError::NoSuchName) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The TLSA records of a port, if the resolver vouches for them; none if there are none, or nobody does.
    pub async fn tlsa(&self, base: &str, port: u16) -> Result<Vec<TlsaRecord>, DnsError> {
        match self.ask(&format!("_{port}._tcp.{base}"), RecordType::TLSA).await {
            Ok(answer) if answer.is_secure => Ok(answer.value.iter().filter_map(tlsa).collect()),
            // A name too long for these labels has none.
            Ok(_) | Err(DnsError::NoRecord | DnsError::NoSuchName | DnsError::NotAName) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vouched<Vec<Record>>, DnsError> {
        let name = Name::from_ascii(absolute(name)?).map_err(|_| DnsError::NotAName)?;
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        // Whoever does not ask is not told.
        options.edns_set_dnssec_ok = true;
        let mut answers = self.pool.lookup(Query::query(name.clone(), kind), options);
        let unanswered = || DnsError::Unanswered("nobody was asked".to_owned());
        let answer = answers.next().await.ok_or_else(unanswered)?.map_err(|error| of(&error))?;
        let is_secure = answer.metadata.authentic_data;
        let mut alias = None;
        let mut at = name;
        for _ in 0..MAX_ALIASES {
            let next = answer.answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == at => Some(target.0.clone()),
                _ => None,
            });
            let Some(next) = next else { break };
            alias = Some(plain(&next));
            at = next;
        }
        // Signatures come along, and whatever somebody put in: only what is about the name counts.
        let value = answer.answers.iter().filter(|record| record.record_type() == kind && record.name == at);
        Ok(Vouched { value: value.cloned().collect(), is_secure, alias })
    }
}

impl<T> Vouched<T> {
    /// What is known of it, without it.
    fn without<U: Default>(self) -> Vouched<U> {
        Vouched { value: U::default(), is_secure: self.is_secure, alias: self.alias }
    }
}

fn tlsa(record: &Record) -> Option<TlsaRecord> {
    let RData::TLSA(TLSA { cert_usage, selector, matching, cert_data, .. }) = &record.data else {
        return None;
    };
    Some(TlsaRecord {
        usage: (*cert_usage).into(),
        selector: (*selector).into(),
        matching: (*matching).into(),
        data: cert_data.clone(),
    })
}

/// A name as it is written in mail: lower case, without the last full stop.
pub(super) fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
