//! What IPv4 and IPv6 do differently, behind one trait; everything else is written once.

use aya_ebpf::Global;
use aya_ebpf::bindings::{bpf_fib_lookup, bpf_sock_tuple};
use aya_ebpf::maps::lpm_trie::Key;
use smtp_common::abi::{DEFAULT_FLOW_SLOTS_V4, DEFAULT_FLOW_SLOTS_V6};
use smtp_common::classify::Headers;
use smtp_common::flow::{Control, FlowState, FlowV4, FlowV6, HashKeys, KeyV4, KeyV6};
use smtp_common::next_hop::mapped;
use smtp_common::rule::{PREFIX_SLOT_BITS, PrefixKeyV4, PrefixKeyV6, RuleSet, slot_octets};

use crate::frame::{ETH_BYTES, Frame, TcFrame};
use crate::parse::{self, Ipv4, Ipv6, Parsed};
use crate::refuse::ResetTcp;
use crate::{maps, refuse};

/// Slots of the IPv4 flow table minus one; the loader sets it.
#[unsafe(no_mangle)]
static FLOW_MASK_V4: Global<u32> = Global::new(DEFAULT_FLOW_SLOTS_V4 - 1);
/// Slots of the IPv6 flow table minus one; the loader sets it.
#[unsafe(no_mangle)]
static FLOW_MASK_V6: Global<u32> = Global::new(DEFAULT_FLOW_SLOTS_V6 - 1);

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

/// An IPv4 packet.
#[derive(Clone, Copy)]
pub(crate) struct PacketV4 {
    common: Common,
    key: KeyV4,
}

impl PacketV4 {
    #[inline(always)]
    fn of(p: &Parsed<u32>) -> Self {
        let key = KeyV4::of(p.source, p.destination, p.source_port, p.destination_port, p.headers.protocol);
        Self { common: Common::of(p), key }
    }

    /// Source and destination; `swapped` takes one for the other.
    #[inline(always)]
    const fn addresses(&self, swapped: bool) -> (u32, u32) {
        let [a, b] = self.key.address;
        if (self.key.side == 1) == swapped { (a, b) } else { (b, a) }
    }
}

impl Packet for PacketV4 {
    type Entry = FlowV4;
    const FAMILY: usize = 0;
    const TUPLE_BYTES: u32 = 12;

    #[inline(always)]
    fn connection(&self, tuple: &mut bpf_sock_tuple) {
        let (source, destination) = self.addresses(false);
        // SAFETY: plain data; every field of the union's member is written.
        let question = unsafe { &mut tuple.__bindgen_anon_1.ipv4 };
        question.saddr = source;
        question.daddr = destination;
        question.sport = self.common.source_port;
        question.dport = self.common.destination_port;
    }

    #[inline(always)]
    fn listener(&self, tuple: &mut bpf_sock_tuple, port: u16) {
        // SAFETY: as above.
        let question = unsafe { &mut tuple.__bindgen_anon_1.ipv4 };
        question.daddr = u32::from_ne_bytes([127, 0, 0, 1]);
        question.dport = port;
    }

    #[inline(always)]
    fn parse<F: Frame>(frame: &F) -> Option<Self> {
        // SAFETY: the frame's own bounds.
        Some(Self::of(&unsafe { parse::ipv4(frame.start(), frame.end())? }))
    }

    #[inline(always)]
    fn parse_plain<F: Frame>(frame: &F) -> Option<Self> {
        // SAFETY: the frame's own bounds.
        Some(Self::of(&unsafe { parse::plain_ipv4(frame.start(), frame.end())? }))
    }

    #[inline(always)]
    fn common(&self) -> &Common {
        &self.common
    }

    #[inline(always)]
    fn mapped(&self) -> [[u8; 16]; 2] {
        let (source, destination) = self.addresses(false);
        [mapped(source.to_ne_bytes()), mapped(destination.to_ne_bytes())]
    }

    #[inline(always)]
    fn address_rules(&self, slot: u32, swapped: bool) -> Option<(&'static RuleSet, &'static RuleSet)> {
        let (from, to) = self.addresses(swapped);
        let key = |address: u32| {
            Key::new(
                PREFIX_SLOT_BITS + 32,
                PrefixKeyV4 { slot: slot_octets(slot), address: address.to_ne_bytes() },
            )
        };
        Some((maps::SOURCES_V4.get(key(from))?, maps::DESTINATIONS_V4.get(key(to))?))
    }

    #[inline(always)]
    fn ask(&self, question: &mut bpf_fib_lookup) {
        question.family = 2;
        question.__bindgen_anon_2.tos = self.common.traffic_class;
        let (source, destination) = self.addresses(false);
        question.__bindgen_anon_3.ipv4_src = source;
        question.__bindgen_anon_4.ipv4_dst = destination;
    }

    #[inline(always)]
    fn neighbour(answer: &bpf_fib_lookup) -> [u8; 16] {
        // SAFETY: an IPv4 question has an IPv4 answer.
        mapped(unsafe { answer.__bindgen_anon_4.ipv4_dst }.to_ne_bytes())
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &F) -> bool {
        let (start, end) = (frame.start(), frame.end());
        if start + ETH_BYTES as usize + size_of::<Ipv4>() > end {
            return false;
        }
        // SAFETY: in bounds, as just checked; the packet is this program's while it runs.
        let ip = unsafe { &mut *((start + ETH_BYTES as usize) as *mut Ipv4) };
        ip.ttl -= 1;
        // RFC 1624: the TTL is the high octet of its 16-bit word.
        let sum = u32::from(ip.checksum) + u32::from(0x0100_u16.to_be());
        ip.checksum = (sum + (sum >> 16)) as u16;
        true
    }

    #[inline(always)]
    fn reset(frame: &TcFrame, tcp: ResetTcp) -> Option<i32> {
        refuse::reset_v4(frame, tcp)
    }

    #[inline(always)]
    fn mask() -> u32 {
        FLOW_MASK_V4.load()
    }

    #[inline(always)]
    fn hash(&self, keys: &HashKeys) -> u32 {
        self.key.hash(keys)
    }

    #[inline(always)]
    fn side(&self) -> u32 {
        self.key.side
    }

    #[inline(always)]
    fn slot(index: u32) -> Option<*mut FlowV4> {
        maps::FLOWS_V4.get_ptr_mut(index)
    }

    #[inline(always)]
    fn control(entry: *mut FlowV4) -> *mut u32 {
        // SAFETY: the entry is a map value.
        unsafe { &raw mut (*entry).control }
    }

    #[inline(always)]
    fn state(entry: *mut FlowV4) -> *mut FlowState {
        // SAFETY: the entry is a map value.
        unsafe { &raw mut (*entry).state }
    }

    #[inline(always)]
    fn is(&self, entry: *mut FlowV4) -> bool {
        // SAFETY: the entry is a map value; another CPU may write it, so it is read as it is.
        unsafe {
            // Both addresses and both ports in one comparison each.
            (&raw const (*entry).address).cast::<u64>().read_volatile() == pair(self.key.address)
                && (&raw const (*entry).port).cast::<u32>().read_volatile() == ports(self.key.port)
                && (&raw const (*entry).control).read_volatile() & Control::TENANT
                    == Control::live(self.key.protocol)
        }
    }

    #[inline(always)]
    fn fill(&self, entry: *mut FlowV4) {
        // SAFETY: the slot is claimed by this CPU.
        unsafe {
            (*entry).address = self.key.address;
            (*entry).port = self.key.port;
        }
    }

    #[inline(always)]
    fn hash_of(entry: *mut FlowV4, protocol: u8, keys: &HashKeys) -> u32 {
        // SAFETY: the entry is a map value.
        let (address, port) = unsafe { ((*entry).address, (*entry).port) };
        KeyV4 { address, port, protocol, side: 0 }.hash(keys)
    }

    #[inline(always)]
    fn endpoints(entry: *mut FlowV4) -> ([[u8; 16]; 2], [u16; 2]) {
        // SAFETY: the entry is a map value.
        let (address, port) = unsafe { ((*entry).address, (*entry).port) };
        ([mapped(address[0].to_ne_bytes()), mapped(address[1].to_ne_bytes())], port)
    }
}

/// An IPv6 packet.
#[derive(Clone, Copy)]
pub(crate) struct PacketV6 {
    common: Common,
    key: KeyV6,
}

impl PacketV6 {
    #[inline(always)]
    fn of(p: &Parsed<[u32; 4]>) -> Self {
        let (source, destination) = (halves(p.source), halves(p.destination));
        let key = KeyV6::of(source, destination, p.source_port, p.destination_port, p.headers.protocol);
        Self { common: Common::of(p), key }
    }

    /// Source and destination; `swapped` takes one for the other.
    #[inline(always)]
    const fn addresses(&self, swapped: bool) -> ([u64; 2], [u64; 2]) {
        let [a, b] = self.key.address;
        if (self.key.side == 1) == swapped { (a, b) } else { (b, a) }
    }
}

impl Packet for PacketV6 {
    type Entry = FlowV6;
    const FAMILY: usize = 1;
    const TUPLE_BYTES: u32 = 36;

    #[inline(always)]
    fn connection(&self, tuple: &mut bpf_sock_tuple) {
        let (source, destination) = self.addresses(false);
        // SAFETY: plain data; every field of the union's member is written.
        let question = unsafe { &mut tuple.__bindgen_anon_1.ipv6 };
        question.saddr = words(source);
        question.daddr = words(destination);
        question.sport = self.common.source_port;
        question.dport = self.common.destination_port;
    }

    #[inline(always)]
    fn listener(&self, tuple: &mut bpf_sock_tuple, port: u16) {
        // SAFETY: as above.
        let question = unsafe { &mut tuple.__bindgen_anon_1.ipv6 };
        question.daddr = [0, 0, 0, 1_u32.to_be()];
        question.dport = port;
    }

    #[inline(always)]
    fn parse<F: Frame>(frame: &F) -> Option<Self> {
        // SAFETY: the frame's own bounds.
        Some(Self::of(&unsafe { parse::ipv6(frame)? }))
    }

    #[inline(always)]
    fn parse_plain<F: Frame>(frame: &F) -> Option<Self> {
        // SAFETY: the frame's own bounds.
        Some(Self::of(&unsafe { parse::plain_ipv6(frame.start(), frame.end())? }))
    }

    #[inline(always)]
    fn common(&self) -> &Common {
        &self.common
    }

    #[inline(always)]
    fn mapped(&self) -> [[u8; 16]; 2] {
        let (source, destination) = self.addresses(false);
        [octets(source), octets(destination)]
    }

    #[inline(always)]
    fn address_rules(&self, slot: u32, swapped: bool) -> Option<(&'static RuleSet, &'static RuleSet)> {
        let (from, to) = self.addresses(swapped);
        let key = |address: [u64; 2]| {
            Key::new(
                PREFIX_SLOT_BITS + 128,
                PrefixKeyV6 { slot: slot_octets(slot), address: octets(address) },
            )
        };
        Some((maps::SOURCES_V6.get(key(from))?, maps::DESTINATIONS_V6.get(key(to))?))
    }

    #[inline(always)]
    fn ask(&self, question: &mut bpf_fib_lookup) {
        question.family = 10;
        question.__bindgen_anon_2.flowinfo = (u32::from(self.common.traffic_class) << 20).to_be();
        let (source, destination) = self.addresses(false);
        question.__bindgen_anon_3.ipv6_src = words(source);
        question.__bindgen_anon_4.ipv6_dst = words(destination);
    }

    #[inline(always)]
    fn neighbour(answer: &bpf_fib_lookup) -> [u8; 16] {
        // SAFETY: an IPv6 question has an IPv6 answer.
        octets(halves(unsafe { answer.__bindgen_anon_4.ipv6_dst }))
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &F) -> bool {
        let (start, end) = (frame.start(), frame.end());
        if start + ETH_BYTES as usize + size_of::<Ipv6>() > end {
            return false;
        }
        // SAFETY: in bounds, as just checked; the packet is this program's while it runs.
        let ip = unsafe { &mut *((start + ETH_BYTES as usize) as *mut Ipv6) };
        ip.hop_limit -= 1;
        frame.hop_limit_decremented();
        true
    }

    #[inline(always)]
    fn reset(frame: &TcFrame, tcp: ResetTcp) -> Option<i32> {
        refuse::reset_v6(frame, tcp)
    }

    #[inline(always)]
    fn mask() -> u32 {
        FLOW_MASK_V6.load()
    }

    #[inline(always)]
    fn hash(&self, keys: &HashKeys) -> u32 {
        self.key.hash(keys)
    }

    #[inline(always)]
    fn side(&self) -> u32 {
        self.key.side
    }

    #[inline(always)]
    fn slot(index: u32) -> Option<*mut FlowV6> {
        maps::FLOWS_V6.get_ptr_mut(index)
    }

    #[inline(always)]
    fn control(entry: *mut FlowV6) -> *mut u32 {
        // SAFETY: the entry is a map value.
        unsafe { &raw mut (*entry).control }
    }

    #[inline(always)]
    fn state(entry: *mut FlowV6) -> *mut FlowState {
        // SAFETY: the entry is a map value.
        unsafe { &raw mut (*entry).state }
    }

    #[inline(always)]
    fn is(&self, entry: *mut FlowV6) -> bool {
        // SAFETY: the entry is a map value; another CPU may write it, so it is read as it is.
        unsafe {
            // Word by word: comparing the arrays would call a loop over octets.
            let there = (&raw const (*entry).address).cast::<u64>();
            let [[a, b], [c, d]] = self.key.address;
            there.read_volatile() == a
                && there.add(1).read_volatile() == b
                && there.add(2).read_volatile() == c
                && there.add(3).read_volatile() == d
                && (&raw const (*entry).port).cast::<u32>().read_volatile() == ports(self.key.port)
                && (&raw const (*entry).control).read_volatile() & Control::TENANT
                    == Control::live(self.key.protocol)
        }
    }

    #[inline(always)]
    fn fill(&self, entry: *mut FlowV6) {
        // SAFETY: the slot is claimed by this CPU.
        unsafe {
            (*entry).address = self.key.address;
            (*entry).port = self.key.port;
        }
    }

    #[inline(always)]
    fn hash_of(entry: *mut FlowV6, protocol: u8, keys: &HashKeys) -> u32 {
        // SAFETY: the entry is a map value.
        let (address, port) = unsafe { ((*entry).address, (*entry).port) };
        KeyV6 { address, port, protocol, side: 0 }.hash(keys)
    }

    #[inline(always)]
    fn endpoints(entry: *mut FlowV6) -> ([[u8; 16]; 2], [u16; 2]) {
        // SAFETY: the entry is a map value.
        let (address, port) = unsafe { ((*entry).address, (*entry).port) };
        // SAFETY: two u64 and sixteen octets are the same plain data.
        (unsafe { core::mem::transmute::<[[u64; 2]; 2], [[u8; 16]; 2]>(address) }, port)
    }
}

/// An address as the key holds it.
#[inline(always)]
const fn halves(address: [u32; 4]) -> [u64; 2] {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u32; 4], [u64; 2]>(address) }
}

/// An address as the kernel's structures hold it.
#[inline(always)]
const fn words(address: [u64; 2]) -> [u32; 4] {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u64; 2], [u32; 4]>(address) }
}

/// An address as octets.
#[inline(always)]
const fn octets(address: [u64; 2]) -> [u8; 16] {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(address) }
}

/// Two words as one.
#[inline(always)]
const fn pair(words: [u32; 2]) -> u64 {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u32; 2], u64>(words) }
}

/// Two ports as one.
#[inline(always)]
const fn ports(ports: [u16; 2]) -> u32 {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u16; 2], u32>(ports) }
}
