//! What mail waits for in common: where it goes, before anybody has looked for addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::delivery::settings::{HostName, NextHopName, Routing, Settings};
use crate::model::queued_message::QueuedMessage;

/// Where mail goes. Mail of one destination waits in one queue, with limits and back-off of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// These, in this order, under one resource.
    Servers(String, Vec<NextHopName>),
    /// The mail exchangers of this domain (lower case, or an address literal), under one resource.
    Domain(String, String),
}

impl Destination {
    /// Name of the resource whose mail it is.
    pub fn resource(&self) -> &str {
        match self {
            Self::Servers(resource, _) | Self::Domain(resource, _) => resource,
        }
    }

    /// Where mail of a message to one of its recipients goes; `is_own` tells the gateway's addresses from others.
    pub fn of(
        message: &QueuedMessage,
        path: &str,
        routing: &Routing,
        settings: &Settings,
        is_own: impl Fn(IpAddr) -> bool,
    ) -> Self {
        let resource = message.resource.clone();
        if let Some(address) = message.reroute {
            return Self::Servers(resource, vec![address.into()]);
        }
        let is_report = message.about.is_some();
        let (servers, use_mx) = if is_report {
            (&routing.error_servers, routing.error_mx)
        } else {
            (&routing.servers, routing.use_mx)
        };
        if !servers.is_empty() {
            return Self::Servers(resource, servers.clone());
        }
        match path.rsplit_once('@') {
            Some((_, domain)) if use_mx => return Self::Domain(resource, domain.to_ascii_lowercase()),
            _ => {}
        }
        let destination = message.destination;
        let server = match &settings.default_server {
            Some(server)
                if destination.ip().is_unspecified()
                    || destination.port() == 0
                    || is_own(destination.ip()) =>
            {
                server.clone()
            }
            // Without a default server nobody may listen there; the attempt says so.
            _ => destination.into(),
        };
        Self::Servers(resource, vec![server])
    }

    /// Whether people call it so: by its domain, or by one of its servers, with or without the port.
    pub fn is_named(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match self {
            Self::Domain(_, domain) => *domain == name,
            Self::Servers(_, servers) => servers.iter().any(|server| {
                let host = match &server.host {
                    HostName::Address(address) => address.to_string(),
                    HostName::Name(host) => host.clone(),
                };
                server.to_string() == name || host == name
            }),
        }
    }

    /// That of a report about a message: what `error_servers` and `error_mx` do not say, the host that brought it does.
    pub fn of_report(originator: SocketAddr) -> SocketAddr {
        SocketAddr::new(originator.ip(), crate::delivery::settings::SMTP_PORT)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(_, domain) => f.write_str(domain),
            Self::Servers(_, servers) => {
                for (number, server) in servers.iter().enumerate() {
                    if number > 0 {
                        f.write_str(", ")?;
                    }
                    server.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}
