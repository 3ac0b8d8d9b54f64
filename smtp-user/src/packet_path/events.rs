//! The kernel programs' events, read from the ring buffer.

use std::net::{IpAddr, Ipv6Addr};

use aya::maps::{MapData, RingBuf};
use smtp_common::abi::map;
use smtp_common::packet_event::PacketEvent;
use tokio::io::unix::AsyncFd;

use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::maps::{Maps, failed};

/// The event ring, for one reader.
pub struct Events {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl Events {
    /// Opens it; inside a runtime.
    pub fn open(maps: &Maps) -> Result<Self> {
        let ring = RingBuf::try_from(maps.map(map::EVENTS)?).map_err(|error| failed(map::EVENTS, error))?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for descriptors that may close; the ring owns its own"
        )]
        let ring = AsyncFd::new(ring).map_err(|error| PacketPathError::map(map::EVENTS, error))?;
        Ok(Self { ring })
    }

    /// Waits for events and hands over all that are there.
    pub async fn next(&mut self, mut each: impl FnMut(&PacketEvent)) -> Result<()> {
        let mut ready =
            self.ring.readable_mut().await.map_err(|error| PacketPathError::map(map::EVENTS, error))?;
        let ring = ready.get_inner_mut();
        while let Some(item) = ring.next() {
            if item.len() == size_of::<PacketEvent>() {
                each(&bytemuck::pod_read_unaligned(&item));
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

/// An event's address.
pub fn address(octets: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
}
