//! What the kernel's routing says about a packet, asked by netlink as `ip route get … iif …` does.

use std::net::IpAddr;

use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourState};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};
use rtnetlink::{Handle, RouteMessageBuilder};

use crate::packet_path::error::Result;
use crate::packet_path::interface::{block_on, netlink};
use crate::policy::predict::Addresses;

/// Where a packet would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteAnswer {
    /// Out by an interface.
    Forward(Hop),
    /// To the gateway itself, or to many.
    Local,
    /// Nowhere.
    None {
        /// What the kernel says.
        reason: String,
    },
}

/// The next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Egress interface.
    pub ifindex: u32,
    /// Neighbour: the router, or the destination itself.
    pub neighbour: IpAddr,
    /// The route needs an encapsulation.
    pub encapsulated: bool,
}

/// Where a packet with these addresses goes that comes in by `ingress`.
pub fn forward(addresses: &Addresses, ingress: u32) -> Result<RouteAnswer> {
    let message = question(addresses.destination(), Some((addresses.source(), ingress)));
    block_on(ask(message, addresses.destination()))
}

/// The interface behind which an address is.
pub fn towards(address: IpAddr) -> Result<RouteAnswer> {
    block_on(ask(question(address, None), address))
}

/// Whether the MAC address of a neighbour is known.
pub fn neighbour_is_known(hop: &Hop) -> Result<bool> {
    let hop = hop.clone();
    block_on(async move {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| netlink("neighbour table", &error))?;
        let task = tokio::spawn(connection);
        let found: std::result::Result<Vec<_>, _> = handle.neighbours().get().execute().try_collect().await;
        task.abort();
        let found = found.map_err(|error| netlink("neighbour table", &error))?;
        Ok(found.iter().any(|entry| {
            let mac = entry.attributes.iter().any(|a| matches!(a, NeighbourAttribute::LinkLayerAddress(_)));
            let unusable = matches!(entry.header.state, NeighbourState::Failed | NeighbourState::Incomplete);
            entry.header.ifindex == hop.ifindex
                && mac
                && !unusable
                && entry.attributes.iter().any(|a| match a {
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => {
                        hop.neighbour == *address
                    }
                    NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                        hop.neighbour == *address
                    }
                    _ => false,
                })
        }))
    })
}

fn question(destination: IpAddr, incoming: Option<(IpAddr, u32)>) -> RouteMessage {
    let mut message = match destination {
        IpAddr::V4(address) => {
            RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(address, 32).build()
        }
        IpAddr::V6(address) => {
            RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(address, 128).build()
        }
    };
    if let Some((source, ingress)) = incoming {
        message.header.source_prefix_length = if source.is_ipv4() { 32 } else { 128 };
        message.attributes.push(RouteAttribute::Source(source.into()));
        message.attributes.push(RouteAttribute::Iif(ingress));
    }
    message
}

async fn ask(message: RouteMessage, destination: IpAddr) -> Result<RouteAnswer> {
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|error| netlink("routing table", &error))?;
    let task = tokio::spawn(connection);
    let answer = first(&handle, message).await;
    task.abort();
    match answer {
        Some(Ok(message)) => Ok(read(&message, destination)),
        Some(Err(rtnetlink::Error::NetlinkError(error))) => {
            let reason = error.to_io().to_string();
            Ok(RouteAnswer::None { reason: reason.split(" (os error").next().unwrap_or_default().to_owned() })
        }
        Some(Err(error)) => Err(netlink("routing table", &error)),
        None => Ok(RouteAnswer::None { reason: "no answer".to_owned() }),
    }
}

async fn first(handle: &Handle, message: RouteMessage) -> Option<Result<RouteMessage, rtnetlink::Error>> {
    let mut answers = handle.route().get(message).execute().boxed();
    answers.next().await
}

fn read(message: &RouteMessage, destination: IpAddr) -> RouteAnswer {
    match message.header.kind {
        RouteType::Unicast => {}
        RouteType::Local | RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast => {
            return RouteAnswer::Local;
        }
        other => {
            return RouteAnswer::None { reason: format!("a route of the type {other:?}").to_lowercase() };
        }
    }
    let mut hop = Hop { ifindex: 0, neighbour: destination, encapsulated: false };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => hop.ifindex = *index,
            RouteAttribute::Gateway(RouteAddress::Inet(address))
            | RouteAttribute::Via(RouteVia::Inet(address)) => hop.neighbour = (*address).into(),
            RouteAttribute::Gateway(RouteAddress::Inet6(address))
            | RouteAttribute::Via(RouteVia::Inet6(address)) => hop.neighbour = (*address).into(),
            RouteAttribute::Encap(_) | RouteAttribute::EncapType(_) => hop.encapsulated = true,
            _ => {}
        }
    }
    RouteAnswer::Forward(hop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_is_local() {
        assert_eq!(towards("127.0.0.1".parse().unwrap()).unwrap(), RouteAnswer::Local);
    }

    #[test]
    fn a_route_names_its_neighbour() {
        let destination: IpAddr = "192.0.2.9".parse().unwrap();
        let mut message = RouteMessage::default();
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Oif(3));
        let direct = Hop { ifindex: 3, neighbour: destination, encapsulated: false };
        assert_eq!(read(&message, destination), RouteAnswer::Forward(direct.clone()));
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet("10.0.0.1".parse().unwrap())));
        let routed = Hop { neighbour: "10.0.0.1".parse().unwrap(), ..direct };
        assert_eq!(read(&message, destination), RouteAnswer::Forward(routed));
        message.header.kind = RouteType::Unreachable;
        assert!(matches!(read(&message, destination), RouteAnswer::None { .. }));
    }
}
