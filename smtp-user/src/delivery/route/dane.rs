//! What a host's TLSA records ask of the connection to it (RFC 7672 §2.2).
//!
//! Each name on the way must be vouched for, or there is nothing to be asked. What cannot be looked up is not "nothing":
//! whoever keeps answers away could have mail sent to them, so such a host is not called.

use std::net::IpAddr;
use std::sync::Arc;

use super::unresolved;
use crate::delivery::failure::Failure;
use crate::dns::DnsError;
use crate::dns::validated::ValidatedDns;
use crate::model::queued_recipient::RemoteStage;
use crate::model::tls_demand::TlsDemand;
use crate::model::tlsa::DaneDemand;

/// The addresses of a host that was found by names which are vouched for, and what its records ask.
pub(super) async fn demand(
    dns: &ValidatedDns,
    host: &str,
    port: u16,
    found_by: &[String],
) -> Result<(Vec<IpAddr>, TlsDemand), Failure> {
    let found = dns.addresses(host).await.map_err(|error| unresolved(host, &error, false))?;
    let host = host.to_ascii_lowercase();
    let bases = if found.is_secure {
        // What it is an alias of goes first (§2.1.3).
        found.alias.into_iter().chain([host.clone()]).collect()
    } else if found.alias.is_some() {
        // The alias itself may be vouched for where what it leads to is not (§2.1.3).
        let is_secure = dns.is_secure_alias(&host).await;
        let is_secure = is_secure.map_err(|error| unknown(&host, &error))?;
        if is_secure { vec![host.clone()] } else { Vec::new() }
    } else {
        Vec::new()
    };
    for base in bases {
        let records = dns.tlsa(&base, port).await;
        let records = records.map_err(|error| unknown(&format!("_{port}._tcp.{base}"), &error))?;
        if !records.is_empty() {
            let mut names: Vec<String> = Vec::new();
            for name in [&base, &host].into_iter().chain(found_by) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            return Ok((found.value, TlsDemand::Dane(Arc::new(DaneDemand { records, base, names }))));
        }
    }
    Ok((found.value, TlsDemand::None))
}

fn unknown(name: &str, error: &DnsError) -> Failure {
    let text = format!("whether {name} has TLSA records is not known, so nothing is sent there: {error}");
    Failure::transient(RemoteStage::Dns, "4.7.5", text)
}

#[cfg(test)]
mod tests;
