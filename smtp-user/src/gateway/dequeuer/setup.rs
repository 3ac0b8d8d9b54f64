//! What the dequeuer works by. Replaced as a whole on reload.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::retry::Retry;
use crate::delivery::route::Router;
use crate::delivery::session::Manners;
use crate::delivery::settings::{Routing, Settings};
use crate::delivery::sts::Policies;
use crate::inspect::inspector::Inspector;
use crate::model::queued_message::QueuedMessage;
use crate::model::tracking::Tracking;
use crate::policy::action::Action;
use crate::policy::packet_rules::PacketRules;
use crate::policy::predict::{Addresses, Tuple, walk};
use crate::transport::own_addresses::is_own;

/// What the dequeuer works by.
#[derive(Clone, Debug)]
pub struct DequeuerSetup {
    /// Parameters of delivery.
    pub settings: Settings,
    /// Looks for next hops, and knows the gateway's own name.
    pub router: Router,
    /// For the verdict on a message.
    pub scan_timeout: Duration,
    /// By name of the resource.
    pub outlets: HashMap<String, Arc<Outlet>>,
    /// The packet rules, for resources that have `check_rule_base`.
    pub rules: PacketRules,
}

/// How mail of one resource is judged and delivered.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// Where to.
    pub routing: Routing,
    /// How next hops are spoken with.
    pub manners: Manners,
    /// What domains say about their mail exchangers, if that is asked.
    pub policies: Option<Policies>,
    /// What looks at messages that were not judged in the dialogue.
    pub inspector: Inspector,
}

impl DequeuerSetup {
    pub(crate) fn retry(&self) -> Retry {
        Retry::of(&self.settings)
    }

    /// How mail of a message is delivered; none if its resource is gone from the configuration.
    pub(crate) fn outlet(&self, message: &QueuedMessage) -> Option<&Arc<Outlet>> {
        self.outlets.get(&message.resource)
    }

    /// What is made of the outcome of an attempt.
    pub(crate) fn tracking(&self, message: &QueuedMessage, outcome: &str) -> Tracking {
        let is_exception = matches!(outcome, "deferred" | "failed" | "expired");
        let configured = || self.outlet(message).map(|outlet| outlet.routing.exception_tracking);
        if is_exception { configured().unwrap_or_default() } else { Tracking::None }
    }

    /// Why the packet rules keep mail of a message from an address, if they are asked and do. The originator's is the source,
    /// as if it called there itself; which interface it came by is not known any more, so rules match whatever they name.
    pub(crate) fn forbidden(&self, message: &QueuedMessage, to: SocketAddr) -> Option<Failure> {
        self.outlet(message).filter(|outlet| outlet.routing.check_rule_base)?;
        let (from, to) =
            (message.originator.ip().to_canonical(), SocketAddr::new(to.ip().to_canonical(), to.port()));
        let unspecified = match to.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        // Of another family it matches only rules that take anybody.
        let addresses =
            Addresses::new(from, to.ip()).or_else(|_| Addresses::new(unspecified, to.ip())).ok()?;
        let tuple = Tuple {
            addresses,
            protocol: PROTOCOL_TCP,
            source_port: message.originator.port(),
            destination_port: to.port(),
            ingress: 0,
        };
        let position = walk(&self.rules, &tuple, &|_| Some(0))?;
        let rule = self.rules.as_slice().get(position).filter(|rule| rule.action == Action::Drop)?;
        Some(Failure::forbidden(format!("rule \"{}\" does not let it go to {to}", rule.name)))
    }

    /// Where mail of a message to one of its recipients goes.
    pub(crate) fn destination(&self, message: &QueuedMessage, path: &str) -> Destination {
        let nothing = Routing::default();
        let routing = self.outlet(message).map_or(&nothing, |outlet| &outlet.routing);
        Destination::of(message, path, routing, &self.settings, is_own)
    }
}

const PROTOCOL_TCP: u8 = 6;
