//! Every packet case, on both hooks, without and with a rule that inspects mail to the server.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{
    ACK, Extension, FIN_ACK, Packet, RST, SYN, SYN_ACK, Segment, arp_request, forwarded, read_segment,
};
use harness::program::Action;
use harness::requires_root;
use harness::topology::{
    CLIENT_MAC, CLIENT_SIDE, Family, GATEWAY_CLIENT_MAC, GATEWAY_SERVER_MAC, Hook, SERVER_MAC, SERVER_SIDE,
    Topology,
};
use smtp_common::abi::map;
use smtp_common::packet_path::{PacketPath, PathReason};

/// Mail to the server is inspected, all else accelerated. No inspector is alive.
const GUARDED: &str = r#"
[[rule]]
name = "mail"
to = ["10.77.2.2/32", "fd77:2::2/128"]
service = ["smtp"]
action = "inspect"
resource = "inbound"

[[rule]]
name = "all"
action = "accelerate"
"#;

/// What must become of a packet: its reason says it, except for the reset.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The path that the reason belongs to.
    For(PathReason),
    /// Dropped with this reason, and the sender gets a reset.
    Refused(PathReason),
}

use Expected::{For, Refused};

struct Case {
    what: String,
    interface: &'static str,
    frame: Vec<u8>,
    plain: Expected,
    guarded: Expected,
}

/// Gives every case a port of its own, so that no case meets the flow of another.
struct Cases {
    list: Vec<Case>,
    next_port: u16,
    family: Family,
}

const WEB: u16 = 80;
const MAIL: u16 = 25;

impl Cases {
    fn client(&mut self) -> SocketAddr {
        self.next_port += 1;
        SocketAddr::new(self.family.client(), self.next_port)
    }

    fn server(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.family.server(), port)
    }

    /// An address behind the server's interface that no rule names, whose neighbour is not known.
    fn other_server(&self) -> IpAddr {
        match self.family {
            Family::V4 => "10.77.2.9".parse().expect("an address"),
            Family::V6 => "fd77:2::9".parse().expect("an address"),
        }
    }

    fn tcp(&mut self, port: u16) -> Packet {
        let (client, server) = (self.client(), self.server(port));
        Packet::tcp(client, server, SYN)
    }

    fn add(&mut self, what: &str, frame: &Packet, plain: Expected, guarded: Expected) {
        self.add_frame(what, CLIENT_SIDE, frame.build(), plain, guarded);
    }

    fn add_frame(
        &mut self,
        what: &str,
        interface: &'static str,
        frame: Vec<u8>,
        plain: Expected,
        guarded: Expected,
    ) {
        let what = format!("{:?}: {what}", self.family);
        self.list.push(Case { what, interface, frame, plain, guarded });
    }

    /// The same whatever the policy says.
    fn add_always(&mut self, what: &str, frame: &Packet, expected: Expected) {
        self.add(what, frame, expected, expected);
    }

    /// A packet whose ports cannot be read: it could be mail to the server.
    fn add_unreadable(&mut self, what: &str, frame: &Packet) {
        self.add(what, frame, For(PathReason::UNREADABLE), For(PathReason::UNREADABLE_GUARDED));
    }

    /// A fragment without ports: it could be mail to the server.
    fn add_fragment(&mut self, what: &str, frame: &Packet) {
        self.add(what, frame, For(PathReason::FRAGMENT), For(PathReason::FRAGMENT_GUARDED));
    }
}

const ACCELERATED: Expected = For(PathReason::RULE_ACCELERATE);
const NEW_REFUSED: Expected = Refused(PathReason::INSPECTOR_DOWN_REFUSE);
const MIDSTREAM_REFUSED: Expected = Refused(PathReason::MIDSTREAM_GUARDED);

fn common_cases(cases: &mut Cases) {
    for (name, flags) in [("SYN", SYN), ("ACK", ACK), ("FIN", FIN_ACK), ("RST", RST)] {
        let (client, server) = (cases.client(), cases.server(WEB));
        let what = format!("TCP {name} to the web");
        cases.add_always(&what, &Packet::tcp(client, server, flags), ACCELERATED);
    }
    let mail = cases.tcp(MAIL);
    cases.add("SYN to mail", &mail, ACCELERATED, NEW_REFUSED);
    let (client, server) = (cases.client(), cases.server(MAIL));
    cases.add(
        "ACK to mail in mid-stream",
        &Packet::tcp(client, server, ACK).payload(b"MAIL FROM:<>\r\n"),
        ACCELERATED,
        MIDSTREAM_REFUSED,
    );
    for (name, flags) in [("SYN-ACK", SYN_ACK), ("ACK", ACK)] {
        let (client, server) = (cases.client(), cases.server(MAIL));
        let frame = Packet::tcp(server, client, flags).macs(SERVER_MAC, GATEWAY_SERVER_MAC).build();
        let what = format!("{name} from mail, flow unknown");
        cases.add_frame(&what, SERVER_SIDE, frame, ACCELERATED, MIDSTREAM_REFUSED);
    }
    let (client, server) = (cases.client(), cases.server(53));
    cases.add_always("UDP", &Packet::udp(client, server).payload(b"question"), ACCELERATED);
    let (client, server) = (cases.client(), cases.server(MAIL));
    cases.add_always("UDP to port 25, which no rule names", &Packet::udp(client, server), ACCELERATED);
    let (client, server) = (cases.family.client(), cases.family.server());
    cases.add_always("ping", &Packet::ping(client, server), For(PathReason::PROTOCOL));
    cases.add_always("GRE", &Packet::gre(client, server), For(PathReason::PROTOCOL));

    let packet = cases.tcp(WEB);
    cases.add_always("TTL 2", &packet.ttl(2), ACCELERATED);
    for ttl in [0, 1] {
        let packet = cases.tcp(WEB);
        let what = format!("TTL {ttl}");
        cases.add_always(&what, &packet.ttl(ttl), For(PathReason::TTL_EXCEEDED));
    }
    let packet = cases.tcp(MAIL);
    cases.add("TTL 1 to mail", &packet.ttl(1), For(PathReason::TTL_EXCEEDED), NEW_REFUSED);

    let packet = cases.tcp(WEB);
    let other_host = packet.macs(CLIENT_MAC, [2, 0, 0, 0, 9, 9]);
    cases.add_always("for another host's MAC address", &other_host, For(PathReason::OTHER_HOST));
    let packet = cases.tcp(WEB);
    let broadcast = packet.macs(CLIENT_MAC, [0xff; 6]);
    cases.add_always("for the broadcast MAC address", &broadcast, For(PathReason::LOCAL));

    for (what, tags) in [
        ("VLAN tag", &[(0x8100, 7)][..]),
        ("provider tag", &[(0x88a8, 7)]),
        ("QinQ", &[(0x88a8, 7), (0x8100, 8)]),
        ("three tags", &[(0x88a8, 7), (0x8100, 8), (0x8100, 9)]),
    ] {
        let packet = tags.iter().fold(cases.tcp(WEB), |packet, tag| packet.tag(tag.0, tag.1));
        cases.add_always(what, &packet, For(PathReason::TAGGED));
    }

    let packet = cases.tcp(WEB);
    cases.add_always("larger than the MTU", &packet.payload(&[0; 1600]), For(PathReason::TOO_BIG));
    let (client, neighbour) = (cases.client(), SocketAddr::new(cases.other_server(), WEB));
    cases.add_always(
        "to a neighbour not known yet",
        &Packet::tcp(client, neighbour, SYN),
        For(PathReason::NO_NEIGHBOUR),
    );
    let gateway: IpAddr = match cases.family {
        Family::V4 => "10.77.1.1".parse().expect("an address"),
        Family::V6 => "fd77:1::1".parse().expect("an address"),
    };
    let client = cases.client();
    cases.add_always(
        "to the gateway itself",
        &Packet::tcp(client, SocketAddr::new(gateway, WEB), SYN),
        For(PathReason::LOCAL),
    );
}

fn ipv4_cases(cases: &mut Cases) {
    for words in 6..=15 {
        let packet = cases.tcp(WEB).options(words);
        let what = format!("header of {words} words");
        cases.add_always(&what, &packet, For(PathReason::IP_OPTIONS));
        let packet = cases.tcp(MAIL).options(words);
        let what = format!("header of {words} words, to mail");
        cases.add(&what, &packet, For(PathReason::IP_OPTIONS), NEW_REFUSED);
    }
    for words in 0..5 {
        let packet = cases.tcp(WEB).header_words(words);
        cases.add_unreadable(&format!("header that claims {words} words"), &packet);
    }
    let packet = cases.tcp(WEB).header_words(15);
    cases.add_unreadable("header that claims more than the packet has", &packet);
    for version in [0, 5, 6, 15] {
        let packet = cases.tcp(WEB).version(version);
        cases.add_unreadable(&format!("version {version} in an IPv4 frame"), &packet);
    }
    for length in [0, 19, 20, 39] {
        let packet = cases.tcp(WEB).total_length(length);
        cases.add_unreadable(&format!("total length {length}"), &packet);
    }
    for cut in [20, 24, 39] {
        let packet = cases.tcp(WEB).cut(cut);
        cases.add_unreadable(&format!("cut after {cut} octets"), &packet);
    }
    for cut in [0, 1, 19] {
        let packet = cases.tcp(WEB).cut(cut);
        // Nothing can make anything of it, so it is nobody's mail.
        let what = format!("header cut after {cut} octets");
        cases.add_always(&what, &packet, For(PathReason::UNREADABLE));
    }

    let data = [0x55; 64];
    let packet = cases.tcp(WEB).payload(&data).fragment(0, true);
    cases.add_always("first fragment", &packet, For(PathReason::FRAGMENT));
    let packet = cases.tcp(MAIL).payload(&data).fragment(0, true);
    cases.add_fragment("first fragment to mail", &packet);
    let packet = cases.tcp(WEB).options(7).payload(&data).fragment(0, true);
    cases.add_always("first fragment with options", &packet, For(PathReason::FRAGMENT));
    for length in [8, 16] {
        let packet = cases.tcp(WEB).fragment(0, true).shortened(length);
        cases.add_fragment(&format!("first fragment of {length} octets"), &packet);
    }
    let packet = cases.tcp(WEB).payload(&data).fragment(1, true);
    cases.add_fragment("second fragment that rewrites flags", &packet);
    let packet = cases.tcp(WEB).payload(&data).fragment(3, true);
    cases.add_fragment("middle fragment", &packet);
    let packet = cases.tcp(WEB).payload(&data).fragment(3, false);
    cases.add_fragment("last fragment", &packet);
    let (client, server) = (cases.client(), cases.server(53));
    let packet = Packet::udp(client, server).payload(&data).fragment(3, false);
    // The protocol stands in every fragment, and mail is TCP.
    cases.add_always("last fragment of UDP", &packet, For(PathReason::FRAGMENT));
    let (client, other) = (cases.client(), SocketAddr::new(cases.other_server(), MAIL));
    let packet = Packet::tcp(client, other, SYN).payload(&data).fragment(3, false);
    cases.add_always("last fragment to where nothing is inspected", &packet, For(PathReason::FRAGMENT));
    let packet = Packet::tcp(client, other, SYN).header_words(2);
    cases.add_always("bad header to where nothing is inspected", &packet, For(PathReason::UNREADABLE));
    cases.add_frame("ARP", CLIENT_SIDE, arp_request(), For(PathReason::NOT_IP), For(PathReason::NOT_IP));
}

fn ipv6_cases(cases: &mut Cases) {
    use Extension::{Authentication, Destination, Fragment, HopByHop, Mobility, Overlong, Routing, Unknown};
    for extension in [HopByHop, Destination, Routing, Authentication] {
        let packet = cases.tcp(WEB).extension(extension);
        let what = format!("{extension:?}");
        cases.add_always(&what, &packet, For(PathReason::EXTENSION_HEADER));
        let packet = cases.tcp(MAIL).extension(extension);
        let what = format!("{extension:?} to mail");
        cases.add(&what, &packet, For(PathReason::EXTENSION_HEADER), NEW_REFUSED);
    }
    for depth in 1..=12 {
        let deep = |packet: Packet| (0..depth).fold(packet, |packet, _| packet.extension(Destination));
        let (to_web, to_mail) = (deep(cases.tcp(WEB)), deep(cases.tcp(MAIL)));
        if depth <= 8 {
            let what = format!("{depth} extension headers");
            cases.add_always(&what, &to_web, For(PathReason::EXTENSION_HEADER));
            let what = format!("{depth} extension headers, to mail");
            cases.add(&what, &to_mail, For(PathReason::EXTENSION_HEADER), NEW_REFUSED);
        } else {
            cases.add_unreadable(&format!("{depth} extension headers"), &to_web);
            cases.add_unreadable(&format!("{depth} extension headers, to mail"), &to_mail);
        }
    }
    for extension in [Mobility, Unknown, Overlong] {
        let packet = cases.tcp(WEB).extension(extension);
        cases.add_unreadable(&format!("{extension:?}"), &packet);
        let packet = cases.tcp(WEB).extension(HopByHop).extension(extension);
        cases.add_unreadable(&format!("{extension:?} behind hop-by-hop"), &packet);
    }
    let packet = cases.tcp(MAIL).no_next_header();
    cases.add_always("no next header", &packet, For(PathReason::PROTOCOL));
    for cut in [41, 47, 48, 60] {
        let packet = cases.tcp(WEB).extension(HopByHop).cut(cut);
        cases.add_unreadable(&format!("cut after {cut} octets"), &packet);
    }
    for version in [0, 4, 15] {
        let packet = cases.tcp(WEB).version(version);
        cases.add_unreadable(&format!("version {version} in an IPv6 frame"), &packet);
    }
    for length in [0, 8, 19] {
        let packet = cases.tcp(WEB).total_length(length);
        cases.add_unreadable(&format!("payload length {length}"), &packet);
    }
    for cut in [0, 39] {
        let packet = cases.tcp(WEB).cut(cut);
        let what = format!("header cut after {cut} octets");
        cases.add_always(&what, &packet, For(PathReason::UNREADABLE));
    }

    let data = [0x55; 64];
    for (what, more) in [("first fragment", true), ("atomic fragment", false)] {
        let packet = cases.tcp(WEB).payload(&data).extension(Fragment(0, more));
        cases.add_always(what, &packet, For(PathReason::FRAGMENT));
        let packet = cases.tcp(MAIL).payload(&data).extension(Fragment(0, more));
        cases.add_fragment(&format!("{what} to mail"), &packet);
        let packet = cases.tcp(MAIL).payload(&data).extension(HopByHop).extension(Fragment(0, more));
        cases.add_fragment(&format!("{what} to mail behind hop-by-hop"), &packet);
    }
    for (what, fragment) in [("middle", Fragment(3, true)), ("last", Fragment(3, false))] {
        let packet = cases.tcp(WEB).payload(&data).extension(fragment);
        cases.add_fragment(&format!("{what} fragment"), &packet);
        let packet = cases.tcp(WEB).payload(&data).extension(Routing).extension(fragment);
        cases.add_fragment(&format!("{what} fragment behind routing"), &packet);
    }
    for length in [8, 16] {
        let packet = cases.tcp(WEB).extension(Fragment(0, true)).shortened(length);
        cases.add_fragment(&format!("first fragment of {length} octets"), &packet);
    }
    let packet = cases.tcp(WEB).extension(Fragment(0, true)).extension(Unknown);
    cases.add("unknown header in a first fragment", &packet, For(PathReason::UNREADABLE), {
        For(PathReason::UNREADABLE_GUARDED)
    });
    let (client, other) = (cases.client(), SocketAddr::new(cases.other_server(), MAIL));
    let packet = Packet::tcp(client, other, SYN).extension(Unknown);
    cases.add_always("unknown header to where nothing is inspected", &packet, For(PathReason::UNREADABLE));
}

fn all_cases() -> Vec<Case> {
    let mut list = Vec::new();
    for family in Family::BOTH {
        let mut cases = Cases { list: Vec::new(), next_port: 20_000, family };
        common_cases(&mut cases);
        match family {
            Family::V4 => ipv4_cases(&mut cases),
            Family::V6 => ipv6_cases(&mut cases),
        }
        list.append(&mut cases.list);
    }
    list
}

/// What differs from the expectation, if anything.
fn fault(gateway: &Gateway<'_>, hook: Hook, case: &Case, expected: Expected) -> Option<String> {
    // Linux makes no socket buffer for a test run from less than an IP header.
    let least = if case.frame[12..14] == [0x86, 0xdd] { 14 + 40 } else { 14 + 20 };
    if hook == Hook::Tc && case.frame.len() < least {
        return None;
    }
    let run = gateway.program(hook).run(case.interface, &case.frame);
    let (reason, refused) = match expected {
        For(reason) => (reason, false),
        Refused(reason) => (reason, true),
    };
    let path = reason.path();
    let mut counted = BTreeMap::from([(reason.name(), 1)]);
    let mut action = match path {
        PacketPath::ACCELERATED => Action::Redirect,
        PacketPath::DROPPED => Action::Drop,
        _ => Action::Pass,
    };
    let mut frame = Some(case.frame.clone());
    match hook {
        // XDP does what it can finish, and leaves the rest, uncounted, to TC.
        Hook::Xdp if refused || path == PacketPath::STACK => {
            counted.clear();
            action = Action::Pass;
        }
        Hook::Tc if refused => {
            // The reset goes back to where the packet came from; it may be the packet itself, turned round.
            action = run.action;
            frame = None;
        }
        _ => {}
    }
    if path == PacketPath::ACCELERATED {
        frame = Some(if case.interface == CLIENT_SIDE {
            forwarded(&case.frame, GATEWAY_SERVER_MAC, SERVER_MAC)
        } else {
            forwarded(&case.frame, GATEWAY_CLIENT_MAC, CLIENT_MAC)
        });
    }
    let mut faults = Vec::new();
    if run.action != action {
        faults.push(format!("action {:?} instead of {action:?}", run.action));
    }
    if run.counted != counted {
        faults.push(format!("counted {:?} instead of {counted:?}", run.counted));
    }
    match frame {
        Some(frame) if frame != run.frame => {
            faults.push(format!("the frame became\n    {:02x?}\n  instead of\n    {frame:02x?}", run.frame));
        }
        None if run.action == Action::Pass => faults.push("the packet went to the stack".to_owned()),
        None if run.action == Action::Redirect => {
            let reset = read_segment(&run.frame);
            let sent = read_segment(&case.frame);
            // The parser beside it gives up on some of the extension headers that the program walks.
            let answers = |reset: Segment| {
                sent.is_none_or(|sent| (reset.source, reset.destination) == (sent.destination, sent.source))
            };
            let right = reset.is_some_and(|reset| reset.flags.rst && reset.sound && answers(reset));
            if !right {
                faults.push(format!("what goes back is no reset for the sender: {reset:?}"));
            }
        }
        _ => {}
    }
    (!faults.is_empty()).then(|| format!("{}\n  {}", case.what, faults.join("\n  ")))
}

fn judge_all(hook: Hook, rules: &str, expected: impl Fn(&Case) -> Expected) {
    let topology = Topology::new(hook);
    topology.make_still();
    let gateway = Gateway::start(&topology, &Config::new(hook, rules));
    let cases = all_cases();
    let faults: Vec<String> =
        cases.iter().filter_map(|case| fault(&gateway, hook, case, expected(case))).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

#[test]
fn every_packet_case_on_xdp_without_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Xdp, ACCELERATE_ALL, |case| case.plain);
}

#[test]
fn every_packet_case_on_tc_without_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Tc, ACCELERATE_ALL, |case| case.plain);
}

#[test]
fn every_packet_case_on_xdp_with_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Xdp, GUARDED, |case| case.guarded);
}

#[test]
fn every_packet_case_on_tc_with_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Tc, GUARDED, |case| case.guarded);
}

#[test]
fn a_packet_on_an_interface_that_is_not_listed_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        topology.gateway.ip("link add other0 type veth peer name other1\nlink set other0 up\n");
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let mut cases = Cases { list: Vec::new(), next_port: 20_000, family: Family::V4 };
        let frame = cases.tcp(WEB).build();
        let run = gateway.program(hook).run("other0", &frame);
        assert_eq!(run.action, Action::Pass, "{hook:?}");
        assert_eq!(run.frame, frame, "{hook:?}");
        let counted = if hook == Hook::Tc { vec![("ingress_not_listed", 1)] } else { vec![] };
        assert_eq!(run.counted.into_iter().collect::<Vec<_>>(), counted, "{hook:?}");
    }
}

#[test]
fn a_packet_before_any_policy_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        gateway.pins().set_array_entry(map::ACTIVE, 0, 0_u64);
        let mut cases = Cases { list: Vec::new(), next_port: 20_000, family: Family::V4 };
        let frame = cases.tcp(WEB).build();
        let run = gateway.program(hook).run(CLIENT_SIDE, &frame);
        assert_eq!(run.action, Action::Pass, "{hook:?}");
        let counted = if hook == Hook::Tc { vec![("no_policy", 1)] } else { vec![] };
        assert_eq!(run.counted.into_iter().collect::<Vec<_>>(), counted, "{hook:?}");
    }
}

#[test]
fn a_packet_with_options_of_an_accelerated_flow_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let mut cases = Cases { list: Vec::new(), next_port: 20_000, family: Family::V4 };
        let (client, server) = (cases.client(), cases.server(WEB));
        let program = gateway.program(hook);
        let opened = program.run(CLIENT_SIDE, &Packet::tcp(client, server, SYN).build());
        assert_eq!(opened.action, Action::Redirect, "{hook:?}");
        let frame = Packet::tcp(client, server, ACK).options(8).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Pass, "{hook:?}");
        let frame = Packet::tcp(client, server, ACK).payload(&[0; 64]).fragment(0, true).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Pass, "{hook:?}");
        // The flow itself goes on.
        let frame = Packet::tcp(client, server, ACK).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Redirect, "{hook:?}");
    }
}

#[test]
fn a_dropping_rule_drops_fragments_that_match_whatever_their_ports_are() {
    requires_root!();
    let rules = "[[rule]]\nname = \"no\"\nfrom = [\"10.77.1.0/24\"]\naction = \"drop\"\n";
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, rules));
        let mut cases = Cases { list: Vec::new(), next_port: 20_000, family: Family::V4 };
        for frame in [
            cases.tcp(WEB),
            cases.tcp(WEB).payload(&[0; 64]).fragment(3, false),
            cases.tcp(WEB).options(6),
            cases.tcp(WEB).header_words(2),
            Packet::ping(Family::V4.client(), Family::V4.server()),
        ] {
            let run = gateway.program(hook).run(CLIENT_SIDE, &frame.build());
            assert_eq!(run.action, Action::Drop, "{hook:?} {frame:?}");
            assert_eq!(run.counted.get("rule_drop"), Some(&1), "{hook:?} {frame:?}");
        }
    }
}
