//! Devices that can carry mail past the gateway: VLAN devices, bridges and tunnels on top of or beside its
//! interfaces, on which no program sees packets.

use smtp_common::port::Port;

use crate::packet_path::interface::Interface;

/// A sentence for each device that is up, is no gateway interface, and may carry mail.
pub fn warnings(interfaces: &[Interface], ports: &[Port]) -> Vec<String> {
    let listed = |index: u32| ports.iter().any(|port| port.ifindex == index);
    let mut warnings = Vec::new();
    for device in interfaces.iter().filter(|device| device.up && !listed(device.index)) {
        let below = device.parent.filter(|parent| listed(*parent));
        let below = interfaces.iter().find(|other| Some(other.index) == below);
        let member =
            interfaces.iter().find(|other| other.controller == Some(device.index) && listed(other.index));
        let kind = device.kind.as_deref().unwrap_or_default();
        let what = match (kind, below, member) {
            ("vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap", Some(below), _) => {
                format!("{} on the gateway interface {}", described(kind), below.name)
            }
            (_, _, Some(member)) => {
                format!("{} that the gateway interface {} belongs to", described(kind), member.name)
            }
            ("bridge", ..) => "bridge beside the gateway's interfaces".to_owned(),
            (kind, ..) if TUNNELS.contains(&kind) => "tunnel beside the gateway's interfaces".to_owned(),
            _ => continue,
        };
        warnings.push(format!(
            "{} is a {what} and is not listed: what it carries passes unseen. Add it to `interfaces` if mail can take it",
            device.name
        ));
    }
    warnings
}

fn described(kind: &str) -> &str {
    match kind {
        "vlan" => "VLAN device",
        "" => "device",
        other => other,
    }
}

/// Kinds of devices that carry IP in something else.
const TUNNELS: &[&str] = &[
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "gtp",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ppp",
    "sit",
    "tun",
    "vti",
    "vti6",
    "vxlan",
    "wireguard",
    "xfrm",
];

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    fn device(index: u32, name: &str, kind: &str) -> Interface {
        let kind = (!kind.is_empty()).then(|| kind.to_owned());
        Interface { index, name: name.to_owned(), kind, up: true, ..Interface::default() }
    }

    #[test]
    fn what_stands_on_top_of_or_beside_gateway_interfaces_is_named() {
        let interfaces = [
            device(1, "lo", ""),
            Interface { controller: Some(6), ..device(2, "eth0", "") },
            // The other end's index, in another namespace, may be one of ours.
            Interface { parent: Some(2), ..device(3, "veth0", "veth") },
            Interface { parent: Some(2), ..device(4, "eth0.5", "vlan") },
            Interface { parent: Some(3), ..device(5, "veth0.5", "vlan") },
            device(6, "br0", "bridge"),
            device(7, "wg0", "wireguard"),
            Interface { up: false, ..device(8, "br1", "bridge") },
        ];
        let ports = [Port { ifindex: 2, number: 1, ..Port::zeroed() }];
        let warnings = warnings(&interfaces, &ports);
        let names: Vec<&str> = warnings.iter().filter_map(|w| w.split(' ').next()).collect();
        assert_eq!(names, ["eth0.5", "br0", "wg0"]);
        assert!(warnings[1].contains("that the gateway interface eth0 belongs to"), "{}", warnings[1]);
    }

    #[test]
    fn a_listed_vlan_device_is_no_warning() {
        let interfaces =
            [device(2, "eth0", ""), Interface { parent: Some(2), ..device(4, "eth0.5", "vlan") }];
        let ports = [2, 4].map(|ifindex| Port { ifindex, number: 1, ..Port::zeroed() });
        assert!(warnings(&interfaces, &ports).is_empty());
    }
}
