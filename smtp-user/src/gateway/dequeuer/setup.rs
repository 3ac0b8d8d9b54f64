//! What the dequeuer works by. Replaced as a whole on reload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::destination::Destination;
use crate::delivery::retry::Retry;
use crate::delivery::route::Router;
use crate::delivery::session::Manners;
use crate::delivery::settings::{Routing, Settings};
use crate::inspect::inspector::Inspector;
use crate::model::queued_message::QueuedMessage;

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
}

/// How mail of one resource is judged and delivered.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// Where to.
    pub routing: Routing,
    /// How next hops are spoken with.
    pub manners: Manners,
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

    /// Where mail of a message to one of its recipients goes.
    pub(crate) fn destination(&self, message: &QueuedMessage, path: &str) -> Destination {
        let nothing = Routing::default();
        let routing = self.outlet(message).map_or(&nothing, |outlet| &outlet.routing);
        Destination::of(message, path, routing, &self.settings)
    }
}
