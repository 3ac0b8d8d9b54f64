//! IPv6: what a packet of it says, and its flow table.

use aya_ebpf::Global;
use aya_ebpf::bindings::{bpf_fib_lookup, bpf_sock_tuple};
use aya_ebpf::maps::lpm_trie::Key;
use smtp_common::abi::DEFAULT_FLOW_SLOTS_V6;
use smtp_common::flow::{Control, FlowState, FlowV6, HashKeys, KeyV6};
use smtp_common::rule::{PREFIX_SLOT_BITS, PrefixKeyV6, RuleSet, slot_octets};

use super::{Common, Packet, ports};
use crate::frame::{ETH_BYTES, Frame, TcFrame};
use crate::parse::{self, Ipv6, Parsed};
use crate::refuse::ResetTcp;
use crate::{maps, refuse, table};

/// Slots of the IPv6 flow table minus one; the loader sets it.
#[unsafe(no_mangle)]
static FLOW_MASK_V6: Global<u32> = Global::new(DEFAULT_FLOW_SLOTS_V6 - 1);

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
    fn find_away(&self, home: u32, hops: u32) -> u32 {
        // A copy, so that only packets whose flow is not at home are in memory.
        find_away(&{ *self }, home, hops)
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

#[inline(never)]
fn find_away(packet: &PacketV6, home: u32, hops: u32) -> u32 {
    table::among::<PacketV6>(home, hops, |entry| packet.is(entry))
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
