//! Follows the kernel's neighbours, routes and addresses, so that next hops stay true. It tells when flows must be
//! decided again, and never does that itself.

use std::net::IpAddr;
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use smtp_common::port::Port;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::packet_path::error::Result;
use crate::packet_path::interface;
use crate::packet_path::maps::Maps;
use crate::packet_path::neighbours::NextHops;

/// What news mean for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing, or what had to be done is done.
    Nothing,
    /// Flows must be decided again.
    Routes,
    /// An interface came, went or changed: it must be seen whether the programs are still there.
    Interfaces,
}

/// The kernel's tables and what is made of them.
pub(crate) struct KernelFollower {
    kernel: Kernel,
    next_hops: NextHops,
}

/// The kernel's own tables, as they change.
struct Kernel {
    news: Pin<Box<dyn Stream<Item = RouteNetlinkMessage> + Send>>,
    connection: JoinHandle<()>,
}

impl KernelFollower {
    /// Listens to the kernel; inside a runtime.
    pub(crate) fn open(maps: &Maps) -> Result<Self> {
        Ok(Self { kernel: Kernel::open()?, next_hops: NextHops::open(maps)? })
    }

    /// Listens anew after the news have ended. Whatever happened meanwhile was missed.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        self.kernel = Kernel::open()?;
        Ok(())
    }

    /// Waits for news; `None` when there will be no more.
    pub(crate) async fn news(&mut self) -> Option<RouteNetlinkMessage> {
        self.kernel.news.next().await
    }

    /// Takes note of news.
    pub(crate) fn hear(&mut self, message: &RouteNetlinkMessage) -> Meaning {
        use RouteNetlinkMessage as M;
        match message {
            M::NewNeighbour(neighbour) => self.neighbour(neighbour, false),
            M::DelNeighbour(neighbour) => self.neighbour(neighbour, true),
            M::NewRoute(_)
            | M::DelRoute(_)
            | M::NewRule(_)
            | M::DelRule(_)
            | M::NewAddress(_)
            | M::DelAddress(_) => return Meaning::Routes,
            M::NewLink(_) | M::DelLink(_) => return Meaning::Interfaces,
            _ => {}
        }
        Meaning::Nothing
    }

    /// Writes a neighbour to the next hop table; that is enough, and no flow need be decided again.
    fn neighbour(&mut self, message: &NeighbourMessage, gone: bool) {
        let Some((address, mac)) = address_and_mac(message) else {
            return;
        };
        let useless =
            gone || matches!(message.header.state, NeighbourState::Failed | NeighbourState::Incomplete);
        let mac = mac.filter(|_| !useless);
        match self.next_hops.update(message.header.ifindex, address, mac) {
            Ok(true) => debug!(%address, known = mac.is_some(), "a neighbour changed"),
            Ok(false) => {}
            Err(error) => warn!(%error, "cannot change the next hop table"),
        }
    }

    /// A port has another MAC address, MTU or way to send.
    pub(crate) fn update_port(&mut self, port: &Port) -> Result<()> {
        self.next_hops.update_port(port)
    }

    /// Listens no more.
    pub(crate) fn end(&self) {
        self.kernel.connection.abort();
    }
}

impl Kernel {
    fn open() -> Result<Self> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (connection, _, news) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|error| interface::netlink("tables", &error))?;
        let news = news.filter_map(|(message, _)| async move {
            match message.payload {
                NetlinkPayload::InnerMessage(message) => Some(message),
                _ => None,
            }
        });
        Ok(Self { news: Box::pin(news), connection: tokio::spawn(connection) })
    }
}

/// A neighbour's address, and its MAC address if it has one.
pub(crate) fn address_and_mac(message: &NeighbourMessage) -> Option<(IpAddr, Option<[u8; 6]>)> {
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::V4(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::V6(*v6)),
            NeighbourAttribute::LinkLayerAddress(octets) => mac = <[u8; 6]>::try_from(octets.as_slice()).ok(),
            _ => {}
        }
    }
    address.map(|address| (address, mac))
}
