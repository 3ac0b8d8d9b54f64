//! The test network: client, gateway and server in namespaces of their own.
//!
//! ```text
//! client eth0 .2 ── 10.77.1.0/24, fd77:1::/64 ── .1 pgw0 gateway pgw1 .1 ── 10.77.2.0/24, fd77:2::/64 ── .2 eth0 server
//!                                                        pgw2 .1 ── 10.77.3.0/24, fd77:3::/64 ── .2 eth1 server
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType};

use crate::netns::NetNs;
use crate::packets::Mac;

/// Which kernel hook the gateway is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Native XDP.
    Xdp,
    /// TC ingress.
    Tc,
}

impl Hook {
    /// Both hooks.
    pub const BOTH: [Self; 2] = [Self::Xdp, Self::Tc];

    /// The word used in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Tc => "tc",
        }
    }
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The client's address.
    pub fn client(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(CLIENT_V4),
            Self::V6 => IpAddr::V6(CLIENT_V6),
        }
    }

    /// The server's address.
    pub fn server(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(SERVER_V4),
            Self::V6 => IpAddr::V6(SERVER_V6),
        }
    }
}

/// Client's IPv4 address.
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);
/// Client's IPv6 address.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 2);
/// Server's IPv4 address.
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 2);
/// Server's IPv6 address.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 2, 0, 0, 0, 0, 0, 2);
/// The client's MAC address.
pub const CLIENT_MAC: Mac = [2, 0, 0, 0, 1, 2];
/// The gateway's MAC address toward the client.
pub const GATEWAY_CLIENT_MAC: Mac = [2, 0, 0, 0, 1, 1];
/// The gateway's MAC address toward the server.
pub const GATEWAY_SERVER_MAC: Mac = [2, 0, 0, 0, 2, 1];
/// The server's MAC address.
pub const SERVER_MAC: Mac = [2, 0, 0, 0, 2, 2];
/// The gateway's interface toward the client.
pub const CLIENT_SIDE: &str = "pgw0";
/// The gateway's interface toward the server.
pub const SERVER_SIDE: &str = "pgw1";
/// The gateway's second interface toward the server, where there is one.
pub const SECOND_SERVER_SIDE: &str = "pgw2";

/// Three namespaces joined by veth pairs.
#[derive(Debug)]
pub struct Topology {
    /// Where connections come from.
    pub client: NetNs,
    /// Where Postern runs.
    pub gateway: NetNs,
    /// Where connections go to.
    pub server: NetNs,
    /// Which hook it is made ready for.
    pub hook: Hook,
}

impl Topology {
    /// Client, gateway and server, ready for traffic through the given hook.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn new(hook: Hook) -> Self {
        let topology = Self {
            client: NetNs::new("client"),
            gateway: NetNs::new("gw"),
            server: NetNs::new("server"),
            hook,
        };
        topology.join(CLIENT_SIDE, &topology.client, "eth0", 1);
        topology.add_server_side();
        topology.client.ip("route add default via 10.77.1.1\nroute add default via fd77:1::1\n");
        topology.gateway.set(&[
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ]);
        topology
    }

    /// As [`Self::new`], with neighbours that are known and a stack that forwards nothing: what arrives was forwarded
    /// by a kernel program.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn with_closed_stack(hook: Hook) -> Self {
        let topology = Self::new(hook);
        topology.fix_neighbours();
        topology.close_stack();
        topology
    }

    /// Joins the gateway's `pgw1` to the server's `eth0`; for a link that was removed before.
    ///
    /// # Panics
    ///
    /// When the link is there.
    pub fn add_server_side(&self) {
        self.join(SERVER_SIDE, &self.server, "eth0", 2);
        self.server.ip("route add default via 10.77.2.1\nroute add default via fd77:2::1\n");
    }

    /// Adds `pgw2` to the gateway, joined to the server's `eth1`.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn add_second_server_side(&self) {
        self.join(SECOND_SERVER_SIDE, &self.server, "eth1", 3);
    }

    /// One link: `interface` of the gateway with `.1`, `peer` in `host` with `.2`, in network `number`.
    fn join(&self, interface: &str, host: &NetNs, peer: &str, number: u8) {
        let gateway = &self.gateway;
        gateway.ip(&format!(
            "link add {interface} address 02:00:00:00:{number:02x}:01 type veth \
             peer name {peer} address 02:00:00:00:{number:02x}:02 netns {}\n",
            host.name()
        ));
        for (namespace, name, last) in [(gateway, interface, 1), (host, peer, 2)] {
            // No address may be tentative, and nothing but the test's own traffic is wanted.
            namespace.set(&[
                (&format!("ipv6/conf/{name}/accept_dad"), "0"),
                (&format!("ipv6/conf/{name}/accept_ra"), "0"),
                (&format!("ipv6/conf/{name}/router_solicitations"), "0"),
                (&format!("ipv4/conf/{name}/rp_filter"), "0"),
            ]);
            namespace.ip(&format!(
                "link set {name} up\n\
                 address add 10.77.{number}.{last}/24 dev {name}\n\
                 address add fd77:{number}::{last}/64 dev {name} nodad\n"
            ));
        }
        host.set(&[("ipv4/conf/all/rp_filter", "0")]);
        // XDP redirects into a veth only if the peer polls (GRO), and cannot finish a checksum for the sender.
        let mut features = vec!["-K", peer, "gro", "on"];
        if self.hook == Hook::Xdp {
            features.extend(["tx", "off"]);
        }
        host.exec("ethtool", &features);
    }

    /// Tells the gateway every neighbour, so that no first packet needs the stack to ask for one.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn fix_neighbours(&self) {
        self.gateway.ip("neigh replace 10.77.1.2 lladdr 02:00:00:00:01:02 dev pgw0 nud permanent\n\
             neigh replace 10.77.2.2 lladdr 02:00:00:00:02:02 dev pgw1 nud permanent\n\
             neigh replace fd77:1::2 lladdr 02:00:00:00:01:02 dev pgw0 nud permanent\n\
             neigh replace fd77:2::2 lladdr 02:00:00:00:02:02 dev pgw1 nud permanent\n");
    }

    /// Fixes every neighbour and silences the hosts, so that nothing but what a test runs moves a counter.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn make_still(&self) {
        self.fix_neighbours();
        for host in [&self.client, &self.server] {
            host.set(&[("ipv6/conf/eth0/disable_ipv6", "1")]);
            host.exec("ip", &["link", "set", "dev", "eth0", "arp", "off"]);
        }
    }

    /// Makes the gateway's stack forward nothing, and count what it would have.
    ///
    /// # Panics
    ///
    /// When nft refuses.
    pub fn close_stack(&self) {
        self.set_stack("drop");
    }

    /// Makes the gateway's stack forward everything, and count it.
    ///
    /// # Panics
    ///
    /// When nft refuses.
    pub fn open_stack(&self) {
        self.set_stack("accept");
    }

    fn set_stack(&self, policy: &str) {
        self.gateway.exec_with_input(
            "nft",
            &["-f", "-"],
            &format!(
                "table inet postern_test {{}}\ndelete table inet postern_test\n\
                 table inet postern_test {{ chain onward {{ type filter hook forward priority 0; policy {policy}; counter; }}; }}\n"
            ),
        );
    }

    /// Frames that came to the gateway stack's forwarding since [`Self::close_stack`] or [`Self::open_stack`].
    ///
    /// # Panics
    ///
    /// When neither was called before.
    pub fn frames_in_stack(&self) -> u64 {
        let text = self.gateway.exec("nft", &["-j", "list", "chain", "inet", "postern_test", "onward"]);
        let list: serde_json::Value = serde_json::from_str(&text).expect("nft prints JSON");
        list["nftables"]
            .as_array()
            .expect("nft prints a list")
            .iter()
            .find_map(|item| item["rule"]["expr"][0]["counter"]["packets"].as_u64())
            .expect("the chain counts")
    }

    /// Programs attached to the gateway's interfaces: interface, hook and name in one line each, sorted.
    ///
    /// # Panics
    ///
    /// When the kernel does not tell.
    pub fn attached_programs(&self) -> Vec<String> {
        let text = self.gateway.exec("bpftool", &["-j", "net", "show"]);
        let report: serde_json::Value = serde_json::from_str(&text).expect("bpftool prints JSON");
        let mut programs = Vec::new();
        for hook in ["xdp", "tc"] {
            for entry in report[0][hook].as_array().into_iter().flatten() {
                let device = entry["devname"].as_str().unwrap_or_default();
                let name = entry["name"].as_str().unwrap_or_default();
                // Newer bpftools list TCX links here; they are asked for below.
                if !entry["kind"].as_str().unwrap_or_default().starts_with("tcx") {
                    programs.push(format!("{device} {hook} {name}").trim_end().to_owned());
                }
            }
        }
        programs.extend(self.gateway.enter(|| {
            let interfaces = nix::net::if_::if_nameindex().expect("the namespace has interfaces");
            let names = interfaces.iter().map(|interface| interface.name().to_string_lossy().into_owned());
            names.flat_map(|name| tcx_programs(&name)).collect::<Vec<_>>()
        }));
        programs.sort();
        programs
    }

    /// Gives the server another MAC address and lets it tell the gateway, as a replaced machine would.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn change_server_mac(&self, mac: &str) {
        self.server.ip(&format!("link set dev eth0 address {mac}\n"));
        // What gratuitous ARP and an unsolicited advertisement do, without waiting for either.
        self.gateway.ip(&format!(
            "neigh replace 10.77.2.2 lladdr {mac} dev pgw1 nud permanent\n\
             neigh replace fd77:2::2 lladdr {mac} dev pgw1 nud permanent\n"
        ));
    }

    /// Routes the server's addresses through the second interface, both ways.
    ///
    /// # Panics
    ///
    /// When there is no second interface.
    pub fn move_route(&self) {
        self.gateway.ip("route replace 10.77.2.2/32 via 10.77.3.2 dev pgw2\n\
             route replace fd77:2::2/128 via fd77:3::2 dev pgw2\n\
             neigh replace 10.77.3.2 lladdr 02:00:00:00:03:02 dev pgw2 nud permanent\n\
             neigh replace fd77:3::2 lladdr 02:00:00:00:03:02 dev pgw2 nud permanent\n");
        self.server.ip("route replace default via 10.77.3.1 dev eth1\n\
             route replace default via fd77:3::1 dev eth1\n");
    }
}

/// Programs on the TCX ingress hook of an interface of this thread's namespace; none where there is no TCX.
fn tcx_programs(interface: &str) -> Vec<String> {
    let Ok((_, programs)) = SchedClassifier::query_tcx(interface, TcAttachType::Ingress) else {
        return Vec::new();
    };
    let line =
        |program: &ProgramInfo| format!("{interface} tcx {}", program.name_as_str().unwrap_or_default());
    programs.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
