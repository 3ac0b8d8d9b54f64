//! Asks neighbours of accelerated flows for a sign of life.
//!
//! The stack sends nothing to them and so never asks: those that have gone stale are asked here, and one that is gone
//! or has another address is noticed. It runs beside everything else, since it waits for the kernel and for locks.

use std::net::IpAddr;

use futures_util::StreamExt as _;
use rtnetlink::packet_route::neighbour::{NeighbourFlags, NeighbourState};
use smtp_common::tick;
use tracing::debug;

use crate::app::kernel_follower::address_and_mac;
use crate::packet_path::error::Result;
use crate::packet_path::maps::Maps;
use crate::packet_path::{flows, interface, neighbours};

/// Asks every neighbour that flows use and that has gone stale.
pub(crate) async fn probe(maps: Maps) -> Result<()> {
    let used = tokio::task::spawn_blocking(move || used(&maps)).await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|error| interface::netlink("neighbours", &error))?;
    let connection = tokio::spawn(connection);
    let mut table = handle.neighbours().get().execute();
    while let Some(Ok(message)) = table.next().await {
        // The request would take the permanence off a permanent entry, and a reachable one needs none.
        if message.header.state != NeighbourState::Stale {
            continue;
        }
        let Some((address, _)) = address_and_mac(&message) else {
            continue;
        };
        if !used.contains(&(message.header.ifindex, address)) {
            continue;
        }
        let request = handle.neighbours().add(message.header.ifindex, address);
        let request = request.flags(NeighbourFlags::Use).state(NeighbourState::None).replace();
        if let Err(error) = request.execute().await {
            debug!(%error, %address, "cannot probe a neighbour");
        }
    }
    connection.abort();
    Ok(())
}

/// Neighbours that flows have used lately.
fn used(maps: &Maps) -> Result<Vec<(u32, IpAddr)>> {
    let now = flows::now(maps)?;
    Ok(neighbours::list(maps)?
        .iter()
        .filter(|(_, _, hop)| tick::since(hop.resolved, now) <= tick::from_ms(15_000))
        .map(|(key, _, _)| (key.ifindex, neighbours::address(key)))
        .collect())
}
