//! Packet paths, and the reason a packet is on one.
//!
//! A reason belongs to exactly one path, so a record that holds the reason cannot contradict itself
//! about the path.

/// Who forwards a packet, and who reads its octets.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PacketPath(pub u8);

impl PacketPath {
    /// Forwarded in the kernel program; nobody reads it.
    pub const ACCELERATED: Self = Self(0);
    /// Forwarded in the kernel program, which follows the plaintext dialogue.
    pub const WATCHED: Self = Self(1);
    /// Terminated by the inspector.
    pub const INSPECTED: Self = Self(2);
    /// Left to the kernel's own routing.
    pub const STACK: Self = Self(3);
    /// Not forwarded.
    pub const DROPPED: Self = Self(4);
    /// All paths, in the order in which they are printed.
    pub const ALL: [Self; 5] =
        [Self::ACCELERATED, Self::WATCHED, Self::INSPECTED, Self::STACK, Self::DROPPED];

    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "accelerated",
            1 => "watched",
            2 => "inspected",
            3 => "stack",
            4 => "dropped",
            _ => "unknown",
        }
    }
}

/// Why a packet is on its path.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PathReason(pub u8);

/// Number of reason codes the counters have room for.
pub const REASON_SLOTS: u32 = 64;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $konst:ident = $code:literal, $path:ident, $name:literal;)+) => {
        impl PathReason {
            $($(#[doc = $doc])+ pub const $konst: Self = Self($code);)+

            /// Every reason that has a meaning.
            pub const ALL: &'static [Self] = &[$(Self::$konst),+];

            /// The word used in output, in snake case.
            pub const fn name(self) -> &'static str {
                match self.0 { $($code => $name,)+ _ => "unknown" }
            }

            /// The path this reason puts a packet on.
            pub const fn path(self) -> PacketPath {
                match self.0 { $($code => PacketPath::$path,)+ _ => PacketPath::DROPPED }
            }

            /// One sentence for people.
            pub const fn explanation(self) -> &'static str {
                match self.0 { $($code => concat!($($doc),+),)+ _ => "A code this version does not know." }
            }
        }
    };
}

reasons! {
    /// An `accelerate` rule matched; forwarded in the kernel program.
    RULE_ACCELERATE = 1, ACCELERATED, "rule_accelerate";
    /// An `inspect` or `watch` rule matched, no inspector was alive, and its `when_down` is `accelerate`: bypassed.
    INSPECTOR_DOWN_ACCELERATE = 2, ACCELERATED, "inspector_down_accelerate";
    /// A `watch` rule matched.
    RULE_WATCH = 8, WATCHED, "rule_watch";
    /// An `inspect` rule matched.
    RULE_INSPECT = 12, INSPECTED, "rule_inspect";
    /// A `stack` rule matched.
    RULE_STACK = 16, STACK, "rule_stack";
    /// No rule matched.
    NO_RULE = 17, STACK, "no_rule";
    /// Not IPv4 or IPv6: ARP, spanning tree and the like.
    NOT_IP = 18, STACK, "not_ip";
    /// Tagged frame; its VLAN device can be a gateway interface itself.
    TAGGED = 19, STACK, "tagged";
    /// Fragment that no inspecting rule can match by its addresses.
    FRAGMENT = 20, STACK, "fragment";
    /// IPv4 options; the kernel handles them.
    IP_OPTIONS = 21, STACK, "ip_options";
    /// IPv6 extension headers; the kernel handles them.
    EXTENSION_HEADER = 22, STACK, "extension_header";
    /// Header that cannot be read, and no inspecting rule can match by its addresses.
    UNREADABLE = 23, STACK, "unreadable";
    /// Neither TCP nor UDP.
    PROTOCOL = 24, STACK, "protocol";
    /// TTL or hop limit is used up; the kernel answers.
    TTL_EXCEEDED = 25, STACK, "ttl_exceeded";
    /// The next hop's MAC address is not known yet; the kernel asks for it.
    NO_NEIGHBOUR = 26, STACK, "no_neighbour";
    /// Larger than the next hop's MTU; the kernel fragments or answers.
    TOO_BIG = 27, STACK, "too_big";
    /// For the gateway itself, or broadcast or multicast.
    LOCAL = 28, STACK, "local";
    /// No route, or a route that forbids; the kernel answers.
    NO_ROUTE = 29, STACK, "no_route";
    /// Forwarding is switched off in the kernel (`net.ipv4.ip_forward`, `net.ipv6.conf.*.forwarding`).
    FORWARDING_DISABLED = 30, STACK, "forwarding_disabled";
    /// The route leaves by an interface that is not a gateway interface.
    EGRESS_NOT_LISTED = 31, STACK, "egress_not_listed";
    /// Not addressed to this gateway's MAC address.
    OTHER_HOST = 32, STACK, "other_host";
    /// The flow table has no room for this flow.
    FLOW_TABLE_FULL = 33, STACK, "flow_table_full";
    /// The next hop table is full.
    NEXT_HOP_TABLE_FULL = 34, STACK, "next_hop_table_full";
    /// The route needs an encapsulation only the kernel can do.
    ENCAPSULATED_ROUTE = 35, STACK, "encapsulated_route";
    /// No policy has been loaded yet.
    NO_POLICY = 36, STACK, "no_policy";
    /// The interface is not a gateway interface (a program outlived its configuration).
    INGRESS_NOT_LISTED = 37, STACK, "ingress_not_listed";
    /// Acceleration is switched off (`postern set accelerate off`).
    ACCELERATION_OFF = 38, STACK, "acceleration_off";
    /// A `drop` rule matched.
    RULE_DROP = 48, DROPPED, "rule_drop";
    /// The source is banned.
    BANNED = 49, DROPPED, "banned";
    /// Fragment that by its addresses could belong to an `inspect` or `watch` rule.
    FRAGMENT_GUARDED = 50, DROPPED, "fragment_guarded";
    /// Header that cannot be read, of a packet that by its addresses could belong to an `inspect` or `watch` rule.
    UNREADABLE_GUARDED = 51, DROPPED, "unreadable_guarded";
    /// An `inspect` or `watch` rule matched and no inspector is alive; refused with a reset.
    INSPECTOR_DOWN_REFUSE = 52, DROPPED, "inspector_down_refuse";
    /// Under an `inspect` or `watch` rule, not a SYN, and no flow known; refused with a reset.
    MIDSTREAM_GUARDED = 53, DROPPED, "midstream_guarded";
    /// Under an `inspect` or `watch` rule, and the inspector has no socket for it; refused with a reset.
    NO_INSPECTOR_SOCKET = 54, DROPPED, "no_inspector_socket";
    /// Under an `inspect` or `watch` rule, and not TCP.
    GUARDED_PROTOCOL = 55, DROPPED, "guarded_protocol";
    /// A look-up table has no entry for this packet: the policy in the maps is damaged.
    POLICY_INCOMPLETE = 56, DROPPED, "policy_incomplete";
}
