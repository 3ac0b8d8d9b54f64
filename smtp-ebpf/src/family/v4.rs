//! IPv4: what a packet of it says, and its flow table.

use aya_ebpf::Global;
use aya_ebpf::bindings::{bpf_fib_lookup, bpf_sock_tuple};
use aya_ebpf::maps::lpm_trie::Key;
use smtp_common::abi::DEFAULT_FLOW_SLOTS_V4;
use smtp_common::flow::{Control, FlowState, FlowV4, HashKeys, KeyV4};
use smtp_common::next_hop::mapped;
use smtp_common::rule::{PREFIX_SLOT_BITS, PrefixKeyV4, RuleSet, slot_octets};

use super::{Common, Packet, ports};
use crate::frame::{ETH_BYTES, Frame, TcFrame};
use crate::parse::{self, Ipv4, Parsed};
use crate::refuse::ResetTcp;
use crate::{maps, refuse, table};

/// Slots of the IPv4 flow table minus one; the loader sets it.
#[unsafe(no_mangle)]
static FLOW_MASK_V4: Global<u32> = Global::new(DEFAULT_FLOW_SLOTS_V4 - 1);
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
        holds(entry, pair(self.key.address), ports(self.key.port), Control::live(self.key.protocol))
    }

    #[inline(always)]
    fn find_away(&self, home: u32, hops: u32) -> u32 {
        let tenant = Control::live(self.key.protocol);
        find_away(pair(self.key.address), ports(self.key.port), tenant, home, hops)
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

/// Whether the slot holds the flow of this key.
#[inline(always)]
fn holds(entry: *mut FlowV4, address: u64, port: u32, tenant: u32) -> bool {
    // SAFETY: the entry is a map value; another CPU may write it, so it is read as it is.
    unsafe {
        // Both addresses and both ports in one comparison each.
        (&raw const (*entry).address).cast::<u64>().read_volatile() == address
            && (&raw const (*entry).port).cast::<u32>().read_volatile() == port
            && (&raw const (*entry).control).read_volatile() & Control::TENANT == tenant
    }
}

/// The key in registers: it needs no place in the caller's stack frame.
#[inline(never)]
fn find_away(address: u64, port: u32, tenant: u32, home: u32, hops: u32) -> u32 {
    table::among::<PacketV4>(home, hops, |entry| holds(entry, address, port, tenant))
}

/// Two words as one.
#[inline(always)]
const fn pair(words: [u32; 2]) -> u64 {
    // SAFETY: plain data of the same size.
    unsafe { core::mem::transmute::<[u32; 2], u64>(words) }
}
