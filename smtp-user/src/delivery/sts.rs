//! Which policy a domain has about its mail exchangers (RFC 8461 §3.3, §5.1).
//!
//! A policy that was heard of once is not forgotten because somebody keeps DNS or the web server from answering: it holds until
//! its time is over, or until another one was heard in its place.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{debug, warn};

use crate::dns::Dns;
use crate::tls::mta_sts::{KeptPolicy, PolicyFolder};
use crate::tls::web::WebTls;
use crate::transport::https_get;
use crate::wire::mta_sts::{MtaStsMode, MtaStsPolicy, policy_id};

/// Knows the policies of domains. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Policies {
    dns: Dns,
    folder: PolicyFolder,
    tls: WebTls,
    port: u16,
    /// Domains whose web server gave none, which policy that would have been, and when.
    failed: Arc<Mutex<HashMap<String, (String, u64)>>>,
}

/// Where policies are got.
const HTTPS_PORT: u16 = 443;
const PATH: &str = "/.well-known/mta-sts.txt";
/// Octets of a policy (RFC 8461 §3.3).
const MAX_POLICY: usize = 64 << 10;
/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a web server is left alone that gave none, seconds (RFC 8461 §3.3).
const LEFT_ALONE: u64 = 300;
/// Domains that are remembered for that.
const MAX_FAILED: usize = 10_000;

impl Policies {
    /// That are kept in a folder, and got from web servers that prove their names so.
    pub fn new(dns: Dns, folder: PolicyFolder, tls: WebTls) -> Self {
        Self { dns, folder, tls, port: HTTPS_PORT, failed: Arc::default() }
    }

    /// The policy of a domain that is to be enforced, if it has one; `now` is in seconds since 1970.
    pub async fn enforced(&self, domain: &str, now: u64) -> Option<Arc<MtaStsPolicy>> {
        let (folder, name) = (self.folder.clone(), domain.to_owned());
        let kept = tokio::task::spawn_blocking(move || folder.load(&name, now)).await.ok().flatten();
        let id = match self.dns.texts(&format!("_mta-sts.{domain}")).await {
            Ok(records) => policy_id(&records),
            Err(_) => None,
        };
        let policy = match (id, kept) {
            (Some(id), Some(kept)) if kept.id == id => Some(kept.policy),
            (Some(id), kept) => self.renewed(domain, id, now).await.or(kept.map(|kept| kept.policy)),
            (None, kept) => kept.map(|kept| kept.policy),
        };
        policy.filter(|policy| policy.mode == MtaStsMode::Enforce).map(Arc::new)
    }

    async fn renewed(&self, domain: &str, id: String, now: u64) -> Option<MtaStsPolicy> {
        let is_known = |(failed, at): &(String, u64)| *failed == id && now.saturating_sub(*at) < LEFT_ALONE;
        if self.failed().get(domain).is_some_and(is_known) {
            return None;
        }
        match self.fetch(domain).await {
            Ok(policy) => {
                let until = now.saturating_add(policy.max_age);
                let kept = KeptPolicy { domain: domain.to_owned(), id, until, policy: policy.clone() };
                let folder = self.folder.clone();
                match tokio::task::spawn_blocking(move || folder.store(&kept)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => warn!(domain, %error, "the policy of a domain cannot be kept"),
                    Err(error) => warn!(domain, %error, "the policy of a domain was not kept"),
                }
                Some(policy)
            }
            Err(why) => {
                warn!(
                    domain,
                    why, "a domain says that it has a policy (MTA-STS), and there is none to be had"
                );
                let mut failed = self.failed();
                if failed.len() >= MAX_FAILED {
                    failed.clear();
                }
                failed.insert(domain.to_owned(), (id, now));
                None
            }
        }
    }

    async fn fetch(&self, domain: &str) -> Result<MtaStsPolicy, String> {
        let host = format!("mta-sts.{domain}");
        let addresses = self.dns.addresses(&host).await.map_err(|error| error.to_string())?;
        let addresses: Vec<SocketAddr> =
            addresses.into_iter().take(4).map(|address| SocketAddr::new(address, self.port)).collect();
        let got = https_get::get(&self.tls, &host, &addresses, PATH, MAX_POLICY, PATIENCE).await;
        let octets = got.map_err(|error| error.to_string())?;
        let policy = MtaStsPolicy::read(&octets).map_err(|error| error.to_string())?;
        debug!(domain, mode = ?policy.mode, max_age = policy.max_age, "a domain's policy was got");
        Ok(policy)
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, u64)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
