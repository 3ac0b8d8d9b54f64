//! Test frames: whole, with valid checksums, from flow 0 of a workload.

use anyhow::{Result, bail};
use etherparse::PacketBuilder;

use crate::lane::{
    CLIENT_MAC, FLOWS_V4, FLOWS_V6, GATEWAY_CLIENT_MAC, GATEWAY_SERVER_MAC, SERVER_MAC, SERVER_V4, SERVER_V6,
};

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Upper layer of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// UDP.
    Udp,
    /// TCP with these flags.
    Tcp(TcpFlags),
}

/// Flags of a TCP frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpFlags {
    /// Opens a connection.
    Syn,
    /// Answers.
    SynAck,
    /// Anything in the middle.
    Ack,
}

/// Way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Client to server.
    Forward,
    /// Server to client.
    Reverse,
}

/// Destination port of every flow; no rule of a case names it.
pub(crate) const SERVICE_PORT: u16 = 2600;

/// Shortest frames the source's templates fit in.
pub(crate) const fn shortest(family: Family) -> usize {
    match family {
        Family::V4 => 60,
        Family::V6 => 80,
    }
}

/// A frame of `size` octets whose flow's own port and low address bits are zero, or `port`.
pub(crate) fn build(
    family: Family,
    protocol: Protocol,
    direction: Direction,
    size: usize,
    ttl: u8,
    port: u16,
) -> Result<Vec<u8>> {
    let (macs, forward) = match direction {
        Direction::Forward => ((CLIENT_MAC, GATEWAY_CLIENT_MAC), true),
        Direction::Reverse => ((SERVER_MAC, GATEWAY_SERVER_MAC), false),
    };
    let ports = if forward { (port, SERVICE_PORT) } else { (SERVICE_PORT, port) };
    let ethernet = PacketBuilder::ethernet2(macs.0, macs.1);
    let ip = match family {
        Family::V4 if forward => ethernet.ipv4(FLOWS_V4, SERVER_V4, ttl),
        Family::V4 => ethernet.ipv4(SERVER_V4, FLOWS_V4, ttl),
        Family::V6 if forward => ethernet.ipv6(FLOWS_V6, SERVER_V6, ttl),
        Family::V6 => ethernet.ipv6(SERVER_V6, FLOWS_V6, ttl),
    };
    let headers = match (family, protocol) {
        (Family::V4, Protocol::Udp) => 42,
        (Family::V4, Protocol::Tcp(_)) => 54,
        (Family::V6, Protocol::Udp) => 62,
        (Family::V6, Protocol::Tcp(_)) => 74,
    };
    if size < shortest(family) {
        bail!("a frame of {size} octets is too short");
    }
    let payload = vec![0; size - headers];
    let mut frame = Vec::with_capacity(size);
    match protocol {
        Protocol::Udp => ip.udp(ports.0, ports.1).write(&mut frame, &payload)?,
        Protocol::Tcp(flags) => {
            // A handshake's numbers, so that what looks at windows takes it for one.
            let sequence = if flags == TcpFlags::Ack { 2 } else { 1 };
            let tcp = ip.tcp(ports.0, ports.1, sequence, 0xffff);
            let tcp = match flags {
                TcpFlags::Syn => tcp.syn(),
                TcpFlags::SynAck => tcp.syn().ack(2),
                TcpFlags::Ack => tcp.ack(2),
            };
            tcp.write(&mut frame, &payload)?;
        }
    }
    Ok(frame)
}
