//! What the inspector works by: rules, resources, bounds. Replaced as a whole on reload; a session ends under the one
//! that it began with.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::action::envelope::EnvelopeRule;
use crate::action::header::HeaderRule;
use crate::gateway::admission::Bounds;
use crate::gateway::remedy::Remedy;
use crate::gateway::taker::Reception;
use crate::gateway::timeouts::Timeouts;
use crate::inspect::inspector::Inspector;
use crate::model::server_tls::ServerTls;
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;
use crate::policy::predict::{Addresses, Tuple, walk};
use crate::session::relay::RelayLimits;
use crate::tls::context::TlsContext;
use crate::transport::held_message::HoldLimits;
use crate::wire::smtp::data::LineEnds;

/// What the inspector works by.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the gateway calls itself in its own replies and trace fields.
    pub hostname: String,
    /// Sessions in all and per source.
    pub bounds: Bounds,
    /// How long what is waited for.
    pub timeouts: Timeouts,
    /// How long sessions in flight may go on when the daemon stops.
    pub drain: Duration,
    /// Bounds of a session.
    pub limits: RelayLimits,
    /// Where and how messages are held.
    pub hold: HoldLimits,
    /// What is done about bare CR and LF in messages.
    pub line_ends: LineEnds,
    /// The rules that flows were diverted by.
    pub rules: PacketRules,
    /// Revision of the policy that they are.
    pub revision: u16,
    /// Names and indices of interfaces, for the rules that name one.
    pub interfaces: Vec<(String, u32)>,
    /// The resources, by name.
    pub resources: HashMap<String, Arc<Resource>>,
    /// What is done with messages that may not pass as they are.
    pub remedy: Option<Arc<Remedy>>,
}

/// What flows are taken for.
#[derive(Debug)]
pub struct Resource {
    /// Unique among resources.
    pub name: String,
    /// Whether the next hop sees the originator's own address and port.
    pub from_originator: bool,
    /// Where connections go, in place of where the originator meant to.
    pub next_hop: Option<SocketAddr>,
    /// What is asked of TLS on the server leg.
    pub server_tls: ServerTls,
    /// TLS on both legs.
    pub tls: TlsContext,
    /// What looks at messages.
    pub inspector: Inspector,
    /// What is done about header fields.
    pub header: Vec<HeaderRule>,
    /// What is done about paths of the envelope.
    pub envelope: Vec<EnvelopeRule>,
    /// What the gateway takes messages over with; without it, the next hop does.
    pub reception: Option<Reception>,
}

/// What becomes of a connection.
#[must_use]
#[derive(Debug)]
pub(crate) enum Assignment<'s> {
    /// A session.
    Inspect(&'s PacketRule, &'s Arc<Resource>),
    /// Nothing: no rule that inspects matches. The policy has changed since the flow was diverted, or nobody
    /// diverted it.
    NoRule,
    /// Nothing: the listener itself was called, and the resource does not say where that should go.
    Direct(&'s PacketRule),
}

impl Setup {
    /// Which rule and resource a connection belongs to. Without a known ingress interface, rules match whatever
    /// interface they name: the kernel's decision, which knew it, stands.
    pub(crate) fn assign(
        &self,
        originator: SocketAddr,
        destination: SocketAddr,
        ingress: Option<u32>,
        is_direct: bool,
    ) -> Assignment<'_> {
        let Ok(addresses) = Addresses::new(originator.ip().to_canonical(), destination.ip().to_canonical())
        else {
            return Assignment::NoRule;
        };
        let tuple = Tuple {
            addresses,
            protocol: PROTOCOL_TCP,
            source_port: originator.port(),
            destination_port: destination.port(),
            ingress: ingress.unwrap_or(0),
        };
        let ifindex = |name: &str| match ingress {
            Some(_) => self.interfaces.iter().find(|(known, _)| known == name).map(|(_, index)| *index),
            None => Some(0),
        };
        let rule =
            walk(&self.rules, &tuple, &ifindex).and_then(|position| self.rules.as_slice().get(position));
        let Some(rule) = rule.filter(|rule| rule.action == Action::Inspect) else {
            return Assignment::NoRule;
        };
        let resource = rule.resource.as_ref().and_then(|name| self.resources.get(name));
        match resource {
            Some(resource) if is_direct && resource.next_hop.is_none() && resource.reception.is_none() => {
                Assignment::Direct(rule)
            }
            Some(resource) => Assignment::Inspect(rule, resource),
            None => Assignment::NoRule,
        }
    }

    /// Name of an interface.
    pub(crate) fn interface_name(&self, ifindex: u32) -> Option<String> {
        self.interfaces.iter().find(|(_, index)| *index == ifindex).map(|(name, _)| name.clone())
    }
}

impl Resource {
    /// Where a connection goes.
    pub(crate) fn next_hop(&self, destination: SocketAddr) -> SocketAddr {
        self.next_hop.unwrap_or(destination)
    }
}

/// Whether a port has TLS from the first octet on (RFC 8314 §3.3).
pub(crate) const fn is_implicit_tls(port: u16) -> bool {
    port == SMTPS_PORT
}

/// Whether an address can be called from another: they are of one family.
pub(crate) const fn is_same_family(a: IpAddr, b: IpAddr) -> bool {
    matches!((a, b), (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)))
}

const PROTOCOL_TCP: u8 = 6;
const SMTPS_PORT: u16 = 465;
