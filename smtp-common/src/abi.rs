//! Version, names and sizes that both sides must agree on. Constants only.

/// Raised by every change of a shared layout or of what a field means.
pub const ABI_VERSION: u32 = 3;

/// Mark of packets for the inspector's sockets: they are routed to this host, whatever their destination.
pub const INSPECT_MARK: u32 = 0x0070_6f73;
/// Routing table in which marked packets find this host.
pub const INSPECT_TABLE: u32 = 28_531;
/// Inspected flows of which more than the flow entry is kept.
pub const MAX_INSPECTIONS: u32 = 1 << 16;

/// Default folder of all pins.
pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/postern";

/// Kernel programs, by the name of their function in the object.
pub mod program {
    /// XDP, on devices that hand over frames.
    pub const XDP_INGRESS: &str = "xdp_ingress";
    /// TC ingress, on every gateway interface.
    pub const TC_INGRESS: &str = "tc_ingress";
    /// Walks the IPv4 flow table; run by user space through `BPF_PROG_TEST_RUN`.
    pub const WALK_V4: &str = "walk_v4";
    /// Walks the IPv6 flow table.
    pub const WALK_V6: &str = "walk_v6";
}

/// Maps, by the name of their static in the object; the pin is the same word in lower case.
pub mod map {
    /// [`AbiInfo`](super::AbiInfo), written last when the maps are made.
    pub const ABI: &str = "ABI";
    /// [`GatewaySettings`](crate::settings::GatewaySettings).
    pub const SETTINGS: &str = "SETTINGS";
    /// One `u64`, see [`crate::settings::Active`].
    pub const ACTIVE: &str = "ACTIVE";
    /// [`Heartbeat`](crate::heartbeat::Heartbeat).
    pub const HEARTBEAT: &str = "HEARTBEAT";
    /// [`Port`](crate::port::Port) by `ifindex % PORTS_SLOTS`.
    pub const PORTS: &str = "PORTS";
    /// Egress devices for XDP, by port number.
    pub const TX_PORTS: &str = "TX_PORTS";
    /// IPv4 flow table.
    pub const FLOWS_V4: &str = "FLOWS_V4";
    /// IPv6 flow table.
    pub const FLOWS_V6: &str = "FLOWS_V6";
    /// [`NextHop`](crate::next_hop::NextHop) by index.
    pub const NEXT_HOPS: &str = "NEXT_HOPS";
    /// Index by [`NextHopKey`](crate::next_hop::NextHopKey).
    pub const NEXT_HOP_INDEX: &str = "NEXT_HOP_INDEX";
    /// Rules by IPv4 source prefix.
    pub const SOURCES_V4: &str = "SOURCES_V4";
    /// Rules by IPv4 destination prefix.
    pub const DESTINATIONS_V4: &str = "DESTINATIONS_V4";
    /// Rules by IPv6 source prefix.
    pub const SOURCES_V6: &str = "SOURCES_V6";
    /// Rules by IPv6 destination prefix.
    pub const DESTINATIONS_V6: &str = "DESTINATIONS_V6";
    /// Rules by protocol and destination port range.
    pub const PORT_RANGES: &str = "PORT_RANGES";
    /// Rules by ingress interface.
    pub const INTERFACE_RULES: &str = "INTERFACE_RULES";
    /// What can be said of a packet whose ports cannot be read.
    pub const PROTOCOL_RULES: &str = "PROTOCOL_RULES";
    /// [`RuleEntry`](crate::rule::RuleEntry) by slot and position.
    pub const RULES: &str = "RULES";
    /// [`RuleStats`](crate::stats::RuleStats) by rule id, per CPU.
    pub const RULE_STATS: &str = "RULE_STATS";
    /// The rules' own words, in chunks, by slot.
    pub const RULE_TEXT: &str = "RULE_TEXT";
    /// Banned sources.
    pub const BANNED: &str = "BANNED";
    /// [`PathStats`](crate::stats::PathStats) by port and reason, per CPU.
    pub const PATH_STATS: &str = "PATH_STATS";
    /// One `u64` a [`Counter`](crate::stats::Counter), per CPU.
    pub const COUNTERS: &str = "COUNTERS";
    /// Ring buffer of [`PacketEvent`](crate::packet_event::PacketEvent).
    pub const EVENTS: &str = "EVENTS";
    /// Ring buffer of flow entries that a walk was asked to list.
    pub const WALKED: &str = "WALKED";
    /// Where a walk stands and what it has done.
    pub const WALK: &str = "WALK";
    /// Payload head of a tracked packet, per CPU.
    pub const SCRATCH: &str = "SCRATCH";
    /// What the slow way is asked, per CPU.
    pub const QUESTION: &str = "QUESTION";
    /// [`Inspection`](crate::inspection::Inspection) by [`InspectionKey`](crate::inspection::InspectionKey).
    pub const INSPECTIONS: &str = "INSPECTIONS";
}

/// Every map, for pinning and removal.
pub const MAPS: [&str; 29] = [
    map::ABI,
    map::SETTINGS,
    map::ACTIVE,
    map::HEARTBEAT,
    map::PORTS,
    map::TX_PORTS,
    map::FLOWS_V4,
    map::FLOWS_V6,
    map::NEXT_HOPS,
    map::NEXT_HOP_INDEX,
    map::SOURCES_V4,
    map::DESTINATIONS_V4,
    map::SOURCES_V6,
    map::DESTINATIONS_V6,
    map::PORT_RANGES,
    map::INTERFACE_RULES,
    map::PROTOCOL_RULES,
    map::RULES,
    map::RULE_STATS,
    map::RULE_TEXT,
    map::BANNED,
    map::PATH_STATS,
    map::COUNTERS,
    map::EVENTS,
    map::WALKED,
    map::WALK,
    map::SCRATCH,
    map::QUESTION,
    map::INSPECTIONS,
];

/// Globals of the object that the loader sets before it loads the programs.
pub mod global {
    /// `u32`: slots of the IPv4 flow table minus one (slots are a power of two).
    pub const FLOW_MASK_V4: &str = "FLOW_MASK_V4";
    /// `u32`: slots of the IPv6 flow table minus one.
    pub const FLOW_MASK_V6: &str = "FLOW_MASK_V6";
}

/// Default slots of the IPv4 flow table: 1 Mi flows at half load, 128 MiB.
pub const DEFAULT_FLOW_SLOTS_V4: u32 = 1 << 21;
/// Default slots of the IPv6 flow table: 256 Ki flows at half load, 64 MiB.
pub const DEFAULT_FLOW_SLOTS_V6: u32 = 1 << 19;
/// Least slots a flow table may have: one group.
pub const MIN_FLOW_SLOTS: u32 = 64;

/// Gateway interfaces at most; port numbers are below it.
pub const MAX_PORTS: u32 = 64;
/// Slots of the port table, a power of two.
pub const PORTS_SLOTS: u32 = 1024;
/// Next hops at most; index 0 means "not resolved".
pub const MAX_NEXT_HOPS: u32 = 16_384;
/// Rules at most in one policy.
pub const MAX_RULES: u32 = 1024;
/// Rule ids: two policies can be loaded at once.
pub const MAX_RULE_IDS: u32 = 2 * MAX_RULES;
/// Prefixes or port range pieces at most in one look-up table, both slots together.
pub const MAX_PREFIXES: u32 = 131_072;
/// Interface entries at most, both slots together.
pub const MAX_INTERFACE_RULES: u32 = 4096;
/// Banned prefixes at most.
pub const MAX_BANS: u32 = 65_536;
/// Octets of one chunk of rule text.
pub const TEXT_CHUNK_BYTES: usize = 4096;
/// Chunks of rule text in one slot: 1 MiB.
pub const TEXT_CHUNKS: u32 = 256;
/// Octets of the event ring buffer.
pub const EVENTS_BYTES: u32 = 1 << 20;
/// Octets of the walk's ring buffer.
pub const WALKED_BYTES: u32 = 1 << 20;
/// Octets of payload looked at in a tracked dialogue's packet.
pub const SCRATCH_BYTES: usize = 512;

/// What the pinned maps are, checked before anything else in them is believed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct AbiInfo {
    /// [`ABI_VERSION`] of the program that made the maps.
    pub version: u32,
    /// Slots of the IPv4 flow table.
    pub flow_slots_v4: u32,
    /// Slots of the IPv6 flow table.
    pub flow_slots_v6: u32,
    /// Digest of the configured rules and tunables that the daemon installed last. While the configuration stays
    /// the same, a restarted daemon keeps what was changed by command since.
    pub config_digest: u32,
}
