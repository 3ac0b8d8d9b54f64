//! What IPv4 and IPv6 do differently, behind one trait; everything else is written once.

mod v4;
mod v6;

use aya_ebpf::bindings::{bpf_fib_lookup, bpf_sock_tuple};
use smtp_common::classify::Headers;
use smtp_common::flow::{FlowState, HashKeys};
use smtp_common::rule::RuleSet;

pub(crate) use self::v4::PacketV4;
pub(crate) use self::v6::PacketV6;
use crate::frame::{Frame, TcFrame};
use crate::parse::Parsed;
use crate::refuse::ResetTcp;

/// Facts that do not depend on the address family.
#[derive(Clone, Copy)]
pub(crate) struct Common {
    pub(crate) headers: Headers,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) ip_length: u32,
    pub(crate) transport: u32,
    pub(crate) header_length: u32,
    pub(crate) traffic_class: u8,
}

/// A packet of one address family.
pub(crate) trait Packet: Copy + 'static {
    /// Its flow table's entry.
    type Entry: 'static;
    /// 0 for IPv4, 1 for IPv6.
    const FAMILY: usize;
    /// Octets of a question for a socket.
    const TUPLE_BYTES: u32;

    /// Reads one behind the Ethernet header.
    fn parse<F: Frame>(frame: &F) -> Option<Self>;
    /// Reads one that is plain: nothing in its headers but what a packet in the middle of a connection has.
    fn parse_plain<F: Frame>(frame: &F) -> Option<Self>;
    /// Facts that do not depend on the family.
    fn common(&self) -> &Common;
    /// Source, then destination, IPv4 as IPv4-mapped.
    fn mapped(&self) -> [[u8; 16]; 2];
    /// Rules by source and by destination; `swapped` takes one for the other.
    fn address_rules(&self, slot: u32, swapped: bool) -> Option<(&'static RuleSet, &'static RuleSet)>;
    /// Fills in family and addresses of a question to the routing table.
    fn ask(&self, question: &mut bpf_fib_lookup);
    /// Address of the neighbour in the routing table's answer, IPv4 as IPv4-mapped.
    fn neighbour(answer: &bpf_fib_lookup) -> [u8; 16];
    /// Asks for the socket whose connection the packet belongs to.
    fn connection(&self, tuple: &mut bpf_sock_tuple);
    /// Makes of that a question for the listener on this port of the loopback address, network order.
    fn listener(&self, tuple: &mut bpf_sock_tuple, port: u16);
    /// Puts a reset with this TCP header in the packet's place and sends it back.
    fn reset(frame: &TcFrame, tcp: ResetTcp) -> Option<i32>;
    /// Takes one off the TTL. False when the header cannot be written.
    fn age<F: Frame>(frame: &F) -> bool;

    /// Slots of the table minus one.
    fn mask() -> u32;
    /// Hash of the flow's key.
    fn hash(&self, keys: &HashKeys) -> u32;
    /// Side of the flow that sent this packet.
    fn side(&self) -> u32;
    /// A slot of the table.
    fn slot(index: u32) -> Option<*mut Self::Entry>;
    /// The slot's control word.
    fn control(entry: *mut Self::Entry) -> *mut u32;
    /// The slot's state.
    fn state(entry: *mut Self::Entry) -> *mut FlowState;
    /// Whether the slot holds this packet's flow.
    fn is(&self, entry: *mut Self::Entry) -> bool;
    /// Index of the slot that does, away from this home, which has these hop bits. Not inlined, and for the sake of
    /// the flows at home, whose packets need not stand in memory for it.
    fn find_away(&self, home: u32, hops: u32) -> u32;
    /// Writes the key into a claimed slot.
    fn fill(&self, entry: *mut Self::Entry);
    /// Hash of the key in a slot that holds, or held, a flow of this protocol.
    fn hash_of(entry: *mut Self::Entry, protocol: u8, keys: &HashKeys) -> u32;
    /// Endpoints in a slot by side: addresses, IPv4 as IPv4-mapped, and ports in network order.
    fn endpoints(entry: *mut Self::Entry) -> ([[u8; 16]; 2], [u16; 2]);
}

impl Common {
    #[inline(always)]
    fn of<A>(parsed: &Parsed<A>) -> Self {
        Self {
            headers: parsed.headers,
            source_port: parsed.source_port,
            destination_port: parsed.destination_port,
            ip_length: parsed.ip_length,
            transport: parsed.transport,
            header_length: parsed.header_length,
            traffic_class: parsed.traffic_class,
        }
    }
}

/// Two ports as one.
#[inline(always)]
const fn ports(ports: [u16; 2]) -> u32 {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u16; 2], u32>(ports) }
}
