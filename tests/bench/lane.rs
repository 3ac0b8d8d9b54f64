//! A lane: client, gateway and server in three namespaces, joined by veth pairs.
//!
//! Subject and peer get a lane each, so that both stay warm and legs can follow each other at once.
//! Everything is static: MAC addresses, neighbours and routes, so that no packet waits for one.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use aya::programs::tc::SchedClassifierLink;
use aya::programs::xdp::XdpLink;

use crate::netns::{NetNs, ip};

/// Client's device.
pub(crate) const CLIENT: &str = "pbn-c0";
/// Gateway's device toward the client.
pub(crate) const GATEWAY_CLIENT: &str = "pbn-g0";
/// Gateway's device toward the server.
pub(crate) const GATEWAY_SERVER: &str = "pbn-g1";
/// Server's device.
pub(crate) const SERVER: &str = "pbn-s0";

/// MAC address of the client's device.
pub(crate) const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
/// MAC address of the gateway's device toward the client.
pub(crate) const GATEWAY_CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];
/// MAC address of the server's device.
pub(crate) const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 1];
/// MAC address of the gateway's device toward the server.
pub(crate) const GATEWAY_SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 2];

/// Server's IPv4 address.
pub(crate) const SERVER_V4: [u8; 4] = [10, 202, 0, 2];
/// The server's addresses, for commands.
pub(crate) const SERVERS: [&str; 2] = ["10.202.0.2", "fdc9:2::2"];
/// First of the addresses flows come from; they stand behind the client.
pub(crate) const FLOWS_V4: [u8; 4] = [10, 203, 0, 0];
/// Server's IPv6 address.
pub(crate) const SERVER_V6: [u8; 16] = [0xfd, 0xc9, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
/// First of the IPv6 addresses flows come from.
pub(crate) const FLOWS_V6: [u8; 16] = [0xfd, 0xc9, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What the devices may offload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offloads {
    /// Whatever veth offers: segmentation and receive offload, as between virtual machines.
    Full,
    /// Receive offload only, so that every frame is a packet of its own and goes through the far side's NAPI.
    Frames,
    /// As `Frames`, and checksums are whole: what XDP on veth needs for locally made TCP.
    WholeChecksums,
}

/// Three namespaces and what is attached in them.
#[derive(Debug)]
pub(crate) struct Lane {
    // Links go before the devices they are on.
    pub(crate) links: Vec<Link>,
    pub(crate) client: NetNs,
    pub(crate) gateway: NetNs,
    pub(crate) server: NetNs,
    pub(crate) client_if: u32,
    pub(crate) gateway_client_if: u32,
    pub(crate) gateway_server_if: u32,
    pub(crate) server_if: u32,
}

/// An attached program; detached when dropped.
#[derive(Debug)]
pub(crate) enum Link {
    /// On XDP.
    Xdp(#[expect(dead_code, reason = "held for its drop")] XdpLink),
    /// On TC ingress.
    Tc(#[expect(dead_code, reason = "held for its drop")] SchedClassifierLink),
}

impl Lane {
    /// Makes the namespaces, devices, addresses and routes.
    pub(crate) fn create(offloads: Offloads) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |role: &str| format!("pbn-{}-{number}-{role}", std::process::id());
        let client = NetNs::create(&name("client"))?;
        let gateway = NetNs::create(&name("gw"))?;
        let server = NetNs::create(&name("server"))?;
        pair((&client, CLIENT, CLIENT_MAC), (&gateway, GATEWAY_CLIENT, GATEWAY_CLIENT_MAC))?;
        pair((&server, SERVER, SERVER_MAC), (&gateway, GATEWAY_SERVER, GATEWAY_SERVER_MAC))?;
        address(&client, CLIENT, &["10.201.0.2/16", "fdc9:1::2/64"])?;
        address(&gateway, GATEWAY_CLIENT, &["10.201.0.1/16", "fdc9:1::1/64"])?;
        address(&gateway, GATEWAY_SERVER, &["10.202.0.1/16", "fdc9:2::1/64"])?;
        address(&server, SERVER, &["10.202.0.2/16", "fdc9:2::2/64"])?;
        neighbours(&client, CLIENT, GATEWAY_CLIENT_MAC, &["10.201.0.1", "fdc9:1::1"])?;
        neighbours(&gateway, GATEWAY_CLIENT, CLIENT_MAC, &["10.201.0.2", "fdc9:1::2"])?;
        neighbours(&gateway, GATEWAY_SERVER, SERVER_MAC, &SERVERS)?;
        neighbours(&server, SERVER, GATEWAY_SERVER_MAC, &["10.202.0.1", "fdc9:2::1"])?;
        for (ns, prefix, via) in [
            (&client, "default", "10.201.0.1"),
            (&client, "default", "fdc9:1::1"),
            (&gateway, "10.203.0.0/16", "10.201.0.2"),
            (&gateway, "fdc9:3::/64", "fdc9:1::2"),
            (&server, "default", "10.202.0.1"),
            (&server, "default", "fdc9:2::1"),
        ] {
            let family = if via.contains(':') { "-6" } else { "-4" };
            ip(&["-n", ns.name(), family, "route", "add", prefix, "via", via])?;
        }
        gateway.sysctl("ipv4/ip_forward", "1")?;
        gateway.sysctl("ipv6/conf/all/forwarding", "1")?;
        for device in ["all", GATEWAY_CLIENT, GATEWAY_SERVER] {
            gateway.sysctl(&format!("ipv4/conf/{device}/rp_filter"), "0")?;
        }
        offload(&client, CLIENT, offloads)?;
        offload(&gateway, GATEWAY_CLIENT, offloads)?;
        offload(&gateway, GATEWAY_SERVER, offloads)?;
        offload(&server, SERVER, offloads)?;
        Ok(Self {
            links: Vec::new(),
            client_if: client.ifindex(CLIENT)?,
            gateway_client_if: gateway.ifindex(GATEWAY_CLIENT)?,
            gateway_server_if: gateway.ifindex(GATEWAY_SERVER)?,
            server_if: server.ifindex(SERVER)?,
            client,
            gateway,
            server,
        })
    }
}

/// A veth pair with both ends where they belong, and quiet: no link-local addresses, no duplicate detection.
fn pair(a: (&NetNs, &str, [u8; 6]), b: (&NetNs, &str, [u8; 6])) -> Result<()> {
    let mac = |m: [u8; 6]| m.map(|octet| format!("{octet:02x}")).join(":");
    ip(&[
        "link",
        "add",
        a.1,
        "netns",
        a.0.name(),
        "address",
        &mac(a.2),
        "type",
        "veth", //
        "peer",
        "name",
        b.1,
        "netns",
        b.0.name(),
        "address",
        &mac(b.2),
    ])
    .context("making a veth pair")?;
    for (ns, device, _) in [a, b] {
        ip(&["-n", ns.name(), "link", "set", device, "addrgenmode", "none"])?;
        ns.sysctl(&format!("ipv6/conf/{device}/accept_dad"), "0")?;
        ns.sysctl(&format!("ipv6/conf/{device}/accept_ra"), "0")?;
        ip(&["-n", ns.name(), "link", "set", device, "up"])?;
    }
    Ok(())
}

fn address(ns: &NetNs, device: &str, addresses: &[&str]) -> Result<()> {
    for address in addresses {
        let family = if address.contains(':') { "-6" } else { "-4" };
        let mut arguments = vec!["-n", ns.name(), family, "addr", "add", address, "dev", device];
        if family == "-6" {
            arguments.push("nodad");
        }
        ip(&arguments)?;
    }
    Ok(())
}

/// Fixed neighbours on a device, all of one MAC address; they replace what was said before.
pub(crate) fn neighbours(ns: &NetNs, device: &str, mac: [u8; 6], addresses: &[&str]) -> Result<()> {
    let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
    for address in addresses {
        ip(&[
            "-n",
            ns.name(),
            "neigh",
            "replace",
            address,
            "lladdr",
            &mac,
            "dev",
            device,
            "nud",
            "permanent",
        ])?;
    }
    Ok(())
}

fn offload(ns: &NetNs, device: &str, offloads: Offloads) -> Result<()> {
    // XDP redirect into a veth wants NAPI on the far end, and veth has NAPI when receive offload is on.
    ns.command("ethtool", &["-K", device, "gro", "on"])?;
    match offloads {
        Offloads::Full => Ok(()),
        Offloads::Frames => ns.command("ethtool", &["-K", device, "tso", "off", "gso", "off"]),
        // The last one switches segmentation off too.
        Offloads::WholeChecksums => ns.command("ethtool", &["-K", device, "tx", "off"]),
    }
}
