//! What XDP and TC contexts have in common, and where they differ.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{__sk_buff, bpf_fib_lookup, xdp_action, xdp_md};
use aya_ebpf::helpers::generated;
use aya_ebpf::programs::{TcContext, XdpContext};
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::verdict::PacketVerdict;

use crate::family::Packet;
use crate::parse;
use crate::steer::{self, Outcome};
use crate::{refuse, socket};

/// What a socket buffer says of a VLAN tag that is no longer in the frame.
pub(crate) enum Tag {
    /// No tag.
    None,
    /// VLAN 0: a priority, and a frame of this very interface.
    Priority,
    /// A VLAN, whose device will see the frame.
    Vlan,
}

/// A packet in the hands of a kernel program.
pub(crate) trait Frame: Copy {
    /// Whether this is the XDP program, which leaves to TC whatever it cannot finish.
    const IS_XDP: bool;
    /// First octet that can be read directly.
    fn start(&self) -> usize;
    /// Behind the last octet that can be read directly.
    fn end(&self) -> usize;
    /// Octets to count: the frame without padding, where that is known.
    fn length(&self, ip_length: u32) -> u32;
    /// Frames on the wire that it stands for.
    fn segments(&self) -> u32;
    /// Octets of its largest IP packet on the wire; `header_length` counts IP and transport headers.
    fn largest_packet(&self, ip_length: u32, header_length: u32) -> u32;
    /// Octets of the frame as it was handed over.
    fn whole(&self) -> u32;
    /// A VLAN tag that was taken out of the frame.
    fn tag(&self) -> Tag;
    /// Takes off the tags of VLAN 0, as the kernel will: they bear a priority, and the frame is of this interface.
    fn unwrap_tags(&self);
    /// Interface it came in by.
    fn ifindex(&self) -> u32;
    /// Makes the headers readable where they are not.
    fn linearise(&self);
    /// Asks the kernel's routing table.
    fn route(&self, question: &mut bpf_fib_lookup) -> i64;
    /// Copies `length` octets of the frame to `to`; false when there are not so many.
    fn copy(&self, offset: u32, to: *mut u8, length: u32) -> bool;
    /// Does what was decided and counts it; `None` leaves the packet to TC.
    fn steer(&self, outcome: Option<Outcome>) -> i32;
    /// Leaves the packet to the kernel.
    #[inline(always)]
    fn stack(&self, port: &Port, reason: PathReason) -> i32 {
        stack(*self, port, reason)
    }
    /// Gives the packet to the inspector's socket: that of its connection, or the listener's. False: there is none.
    fn assign<P: Packet>(&self, packet: &P, listener: bool) -> bool;
    /// Sends the sender of a refused packet a reset.
    fn reset<P: Packet>(&self, packet: &P) -> i32;
    /// After an IPv6 hop limit went down by one: a received full checksum goes with it.
    fn hop_limit_decremented(&self);
}

#[inline(never)]
fn stack<F: Frame>(frame: F, port: &Port, reason: PathReason) -> i32 {
    frame.steer(Some(Outcome::lone(PacketVerdict::stack(reason), port.number, &frame)))
}

/// A refused packet is TC's to answer.
const XDP_PASS: i32 = xdp_action::XDP_PASS as i32;

/// Octets of headers that a socket buffer must have in its linear part.
const HEADER_BYTES: u32 = 128;

/// Tags of VLAN 0 that are looked behind; what is behind more of them is not handed to a socket.
const MAX_PRIORITY_TAGS: u32 = 4;

/// The twelve bits of a tag that name a VLAN (802.1Q); the rest is priority.
const VLAN_ID: u32 = 0xfff;

/// Octets of an Ethernet header.
pub(crate) const ETH_BYTES: u32 = 14;

/// A frame in the hands of XDP.
#[derive(Clone, Copy)]
pub(crate) struct XdpFrame(pub(crate) *mut xdp_md);

impl XdpFrame {
    /// Of a program's context.
    #[inline(always)]
    pub(crate) fn of(ctx: &XdpContext) -> Self {
        Self(ctx.as_ptr().cast())
    }
}

/// A socket buffer in the hands of TC.
#[derive(Clone, Copy)]
pub(crate) struct TcFrame(pub(crate) *mut __sk_buff);

impl TcFrame {
    /// Of a program's context.
    #[inline(always)]
    pub(crate) fn of(ctx: &TcContext) -> Self {
        Self(ctx.as_ptr().cast())
    }
}

impl Frame for XdpFrame {
    const IS_XDP: bool = true;

    #[inline(always)]
    fn start(&self) -> usize {
        // Volatile: the compiler must not load this in one function and use it in another, where the verifier
        // no longer knows what it points to.
        // SAFETY: the context is valid while the program runs, here and below.
        unsafe { (&raw const (*self.0).data).read_volatile() as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).data_end).read_volatile() as usize }
    }

    #[inline(always)]
    fn length(&self, ip_length: u32) -> u32 {
        // `data_end` ends the first buffer only; the IP header counts them all.
        ETH_BYTES + ip_length
    }

    #[inline(always)]
    fn segments(&self) -> u32 {
        1
    }

    #[inline(always)]
    fn largest_packet(&self, ip_length: u32, _header_length: u32) -> u32 {
        ip_length
    }

    #[inline(always)]
    fn whole(&self) -> u32 {
        (self.end() - self.start()) as u32
    }

    #[inline(always)]
    fn tag(&self) -> Tag {
        Tag::None
    }

    #[inline(always)]
    fn unwrap_tags(&self) {}

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.0).ingress_ifindex }
    }

    #[inline(always)]
    fn linearise(&self) {}

    #[inline(always)]
    fn route(&self, question: &mut bpf_fib_lookup) -> i64 {
        // SAFETY: context and structure are valid, the size is the structure's.
        unsafe { generated::bpf_fib_lookup(self.0.cast(), question, size_of::<bpf_fib_lookup>() as i32, 0) }
    }

    #[inline(always)]
    fn copy(&self, offset: u32, to: *mut u8, length: u32) -> bool {
        // SAFETY: the caller gives `length` octets of room; the verifier checks it.
        unsafe { generated::bpf_xdp_load_bytes(self.0, offset, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn steer(&self, outcome: Option<Outcome>) -> i32 {
        steer::xdp(outcome) as i32
    }

    #[inline(always)]
    fn assign<P: Packet>(&self, _packet: &P, _listener: bool) -> bool {
        false
    }

    #[inline(always)]
    fn reset<P: Packet>(&self, _packet: &P) -> i32 {
        XDP_PASS
    }

    #[inline(always)]
    fn hop_limit_decremented(&self) {}
}

impl Frame for TcFrame {
    const IS_XDP: bool = false;

    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the context is valid while the program runs, here and below.
        unsafe { (&raw const (*self.0).data).read_volatile() as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).data_end).read_volatile() as usize }
    }

    #[inline(always)]
    fn length(&self, _ip_length: u32) -> u32 {
        self.whole()
    }

    #[inline(always)]
    fn segments(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.0).gso_segs }.max(1)
    }

    #[inline(always)]
    fn largest_packet(&self, ip_length: u32, header_length: u32) -> u32 {
        // SAFETY: the context is valid while the program runs.
        let payload = unsafe { (*self.0).gso_size };
        if payload == 0 { ip_length } else { payload + header_length }
    }

    #[inline(always)]
    fn whole(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.0).len }
    }

    #[inline(always)]
    fn tag(&self) -> Tag {
        // SAFETY: the context is valid while the program runs.
        let skb = unsafe { &*self.0 };
        if skb.vlan_present == 0 {
            Tag::None
        } else if skb.vlan_tci & VLAN_ID == 0 {
            Tag::Priority
        } else {
            Tag::Vlan
        }
    }

    #[inline(always)]
    fn unwrap_tags(&self) {
        let mut i = 0;
        while i < MAX_PRIORITY_TAGS {
            // SAFETY: the context is valid while the program runs.
            let skb = unsafe { &*self.0 };
            if skb.vlan_present == 0 || skb.vlan_tci & VLAN_ID != 0 {
                return;
            }
            // SAFETY: as above. On failure the tags stay, which is an outcome of its own.
            if unsafe { generated::bpf_skb_vlan_pop(self.0) } != 0 {
                return;
            }
            i += 1;
        }
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.0).ingress_ifindex }
    }

    #[inline(always)]
    fn linearise(&self) {
        let (start, end) = (self.start(), self.end());
        let length = self.whole();
        if (end - start) as u32 >= HEADER_BYTES || parse::headers_are_whole(start, end) {
            return;
        }
        if ((end - start) as u32) < length {
            let wanted = if length < HEADER_BYTES { length } else { HEADER_BYTES };
            // On failure the headers stay unreadable, which is an outcome of its own.
            // SAFETY: the context is valid while the program runs.
            unsafe { generated::bpf_skb_pull_data(self.0, wanted) };
        }
    }

    #[inline(always)]
    fn route(&self, question: &mut bpf_fib_lookup) -> i64 {
        // SAFETY: context and structure are valid, the size is the structure's.
        unsafe { generated::bpf_fib_lookup(self.0.cast(), question, size_of::<bpf_fib_lookup>() as i32, 0) }
    }

    #[inline(always)]
    fn copy(&self, offset: u32, to: *mut u8, length: u32) -> bool {
        // SAFETY: the caller gives `length` octets of room; the verifier checks it.
        unsafe { generated::bpf_skb_load_bytes(self.0.cast(), offset, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn steer(&self, outcome: Option<Outcome>) -> i32 {
        steer::tc(outcome)
    }

    #[inline(always)]
    fn assign<P: Packet>(&self, packet: &P, listener: bool) -> bool {
        socket::assign(*self, packet, listener)
    }

    #[inline(always)]
    fn reset<P: Packet>(&self, packet: &P) -> i32 {
        refuse::reset(*self, packet)
    }

    #[inline(always)]
    fn hop_limit_decremented(&self) {
        // The hop limit is the low octet of a 16-bit word in network order; one's complement of 1 takes it off.
        // SAFETY: the context is valid; the helper refuses where there is no full checksum to keep.
        unsafe { generated::bpf_csum_update(self.0, u32::from(!1_u16.to_be())) };
    }
}
