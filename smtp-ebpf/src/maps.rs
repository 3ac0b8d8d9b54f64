//! Every map, one line each, and the look-ups that need no thought by the caller.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::LpmTrie;
use aya_ebpf::maps::{Array, DevMap, HashMap, LruHashMap, PerCpuArray, RingBuf};
use smtp_common::abi::{
    AbiInfo, DEFAULT_FLOW_SLOTS_V4, DEFAULT_FLOW_SLOTS_V6, EVENTS_BYTES, MAX_BANS, MAX_INSPECTIONS,
    MAX_INTERFACE_RULES, MAX_NEXT_HOPS, MAX_PORTS, MAX_PREFIXES, MAX_RULE_IDS, MAX_RULES, PORTS_SLOTS,
    SCRATCH_BYTES, TEXT_CHUNKS, WALKED_BYTES,
};
use smtp_common::ban::{Ban, BanKey};
use smtp_common::flow::{FlowV4, FlowV6};
use smtp_common::heartbeat::Heartbeat;
use smtp_common::inspection::{Inspection, InspectionKey};
use smtp_common::layout::TextChunk;
use smtp_common::next_hop::{NextHop, NextHopKey};
use smtp_common::packet_path::REASON_SLOTS;
use smtp_common::port::{self, Port};
use smtp_common::rule::{
    InterfaceKey, PROTOCOL_CLASSES, PortKey, PrefixKeyV4, PrefixKeyV6, ProtocolRules, RuleEntry, RuleSet,
};
use smtp_common::settings::{Active, GatewaySettings};
use smtp_common::stats::{COUNTER_SLOTS, PathStats, RuleStats};
use smtp_common::walk::Walk;

/// Version and sizes; read by user space only.
#[map]
static ABI: Array<AbiInfo> = Array::with_max_entries(1, 0);
/// Tunables.
#[map]
static SETTINGS: Array<GatewaySettings> = Array::with_max_entries(1, 0);
/// Policy revision and route generation.
#[map]
static ACTIVE: Array<u64> = Array::with_max_entries(1, 0);
/// Signs of life.
#[map]
static HEARTBEAT: Array<Heartbeat> = Array::with_max_entries(1, 0);
/// Gateway interfaces: by `ifindex % PORTS_SLOTS`, and behind that by number.
#[map]
static PORTS: Array<Port> = Array::with_max_entries(PORTS_SLOTS + MAX_PORTS + 1, 0);
/// Egress devices for XDP, by port number plus one.
#[map]
pub(crate) static TX_PORTS: DevMap = DevMap::with_max_entries(MAX_PORTS + 1, 0);
/// IPv4 flow table.
#[map]
pub(crate) static FLOWS_V4: Array<FlowV4> = Array::with_max_entries(DEFAULT_FLOW_SLOTS_V4, 0);
/// IPv6 flow table.
#[map]
pub(crate) static FLOWS_V6: Array<FlowV6> = Array::with_max_entries(DEFAULT_FLOW_SLOTS_V6, 0);
/// Next hops; entry 0 only lends its `resolved` field as the allocation counter.
#[map]
static NEXT_HOPS: Array<NextHop> = Array::with_max_entries(MAX_NEXT_HOPS, 0);
/// Next hop index by neighbour.
#[map]
pub(crate) static NEXT_HOP_INDEX: HashMap<NextHopKey, u32> = HashMap::with_max_entries(MAX_NEXT_HOPS, 0);
/// Rules by IPv4 source.
#[map]
pub(crate) static SOURCES_V4: LpmTrie<PrefixKeyV4, RuleSet> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);
/// Rules by IPv4 destination.
#[map]
pub(crate) static DESTINATIONS_V4: LpmTrie<PrefixKeyV4, RuleSet> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);
/// Rules by IPv6 source.
#[map]
pub(crate) static SOURCES_V6: LpmTrie<PrefixKeyV6, RuleSet> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);
/// Rules by IPv6 destination.
#[map]
pub(crate) static DESTINATIONS_V6: LpmTrie<PrefixKeyV6, RuleSet> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);
/// Rules by protocol class and destination port.
#[map]
pub(crate) static PORT_RANGES: LpmTrie<PortKey, RuleSet> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);
/// Rules by ingress interface.
#[map]
pub(crate) static INTERFACE_RULES: HashMap<InterfaceKey, RuleSet> =
    HashMap::with_max_entries(MAX_INTERFACE_RULES, 0);
/// What the protocol alone says, by slot and class.
#[map]
static PROTOCOL_RULES: Array<ProtocolRules> = Array::with_max_entries(2 * PROTOCOL_CLASSES, 0);
/// What rules do, by slot and position.
#[map]
static RULES: Array<RuleEntry> = Array::with_max_entries(2 * MAX_RULES, 0);
/// What rules matched, by rule id.
#[map]
pub(crate) static RULE_STATS: PerCpuArray<RuleStats> = PerCpuArray::with_max_entries(MAX_RULE_IDS, 0);
/// The rules' own words; read by user space only.
#[map]
static RULE_TEXT: Array<TextChunk> = Array::with_max_entries(2 * TEXT_CHUNKS, 0);
/// Banned sources.
#[map]
pub(crate) static BANNED: LpmTrie<BanKey, Ban> = LpmTrie::with_max_entries(MAX_BANS, 0);
/// Packets by port and reason.
#[map]
pub(crate) static PATH_STATS: PerCpuArray<PathStats> =
    PerCpuArray::with_max_entries((MAX_PORTS + 1) * REASON_SLOTS, 0);
/// Single counters.
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS, 0);
/// Events for user space.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);
/// Entries that a walk lists.
#[map]
pub(crate) static WALKED: RingBuf = RingBuf::with_byte_size(WALKED_BYTES, 0);
/// The walk's order and state.
#[map]
static WALK: Array<Walk> = Array::with_max_entries(1, 0);
/// Head of a tracked packet's payload.
#[map]
static SCRATCH: PerCpuArray<[u8; SCRATCH_BYTES]> = PerCpuArray::with_max_entries(1, 0);

/// What the slow way is asked, from one step to the next.
#[map]
static QUESTION: PerCpuArray<[u64; QUESTION_WORDS]> = PerCpuArray::with_max_entries(1, 0);

/// Ends, rule and stage of inspected flows.
#[map]
pub(crate) static INSPECTIONS: LruHashMap<InspectionKey, Inspection> =
    LruHashMap::with_max_entries(MAX_INSPECTIONS, 0);

/// Room for a question, in words of eight octets; the last is [`forget`]'s.
pub(crate) const QUESTION_WORDS: usize = 16;

/// This CPU's question.
#[inline(always)]
pub(crate) fn question() -> Option<*mut [u64; QUESTION_WORDS]> {
    QUESTION.get_ptr_mut(0)
}

/// The word that says what is valid.
#[inline(always)]
pub(crate) fn active() -> Active {
    // SAFETY: a map value lives as long as the program runs; it is changed by whole-word stores only.
    Active(ACTIVE.get_ptr(0).map_or(0, |word| unsafe { word.read_volatile() }))
}

/// Tunables.
#[inline(always)]
pub(crate) fn settings() -> Option<&'static GatewaySettings> {
    SETTINGS.get(0)
}

/// Signs of life.
#[inline(always)]
pub(crate) fn heartbeat() -> Option<&'static Heartbeat> {
    HEARTBEAT.get(0)
}

/// The gateway interface of this index, if it is one.
#[inline(always)]
pub(crate) fn port(ifindex: u32) -> Option<&'static Port> {
    PORTS.get(port::slot(ifindex)).filter(|port| port.ifindex == ifindex)
}

/// The gateway interface of this number (plus one), if there is one.
#[inline(always)]
pub(crate) fn port_of_number(number: u8) -> Option<&'static Port> {
    PORTS.get(port::slot_of_number(number)).filter(|port| port.ifindex != 0)
}

/// A next hop's entry.
#[inline(always)]
pub(crate) fn next_hop(index: u32) -> Option<*mut NextHop> {
    NEXT_HOPS.get_ptr_mut(index)
}

/// What the protocol alone says.
#[inline(always)]
pub(crate) fn protocol_rules(slot: u32, class: u32) -> Option<&'static ProtocolRules> {
    PROTOCOL_RULES.get(slot * PROTOCOL_CLASSES + class)
}

/// A rule by its position.
#[inline(always)]
pub(crate) fn rule(slot: u32, position: u32) -> Option<RuleEntry> {
    if position >= MAX_RULES {
        return None;
    }
    RULES.get(slot * MAX_RULES + position).copied()
}

/// The walk.
#[inline(always)]
pub(crate) fn walk() -> Option<*mut Walk> {
    WALK.get_ptr_mut(0)
}

/// This CPU's scratch space.
#[inline(always)]
pub(crate) fn scratch() -> Option<*mut [u8; SCRATCH_BYTES]> {
    SCRATCH.get_ptr_mut(0)
}

/// Sends a number through a map, so that the verifier does not follow every value it might have had: what lies
/// behind a decision is then walked once and not once for each outcome.
#[inline(always)]
pub(crate) fn forget(value: u64) -> u64 {
    let Some(question) = question() else {
        return value;
    };
    // SAFETY: this CPU's own; the last word is kept free for this.
    unsafe {
        let word = &raw mut (*question)[QUESTION_WORDS - 1];
        word.write_volatile(value);
        word.read_volatile()
    }
}

/// Keeps the maps that only user space reads in the object.
#[inline(always)]
pub(crate) fn keep_user_maps() {
    // A look-up whose result is not used would be removed; the address of the static is enough.
    core::hint::black_box((&raw const ABI, &raw const RULE_TEXT));
}
