//! Measuring programs of `postern-bench`: a frame source, two sinks, and two plain forwarders to compare with.
//!
//! Never part of the gateway: it shares no code with it, so that a fault there cannot hide here.
#![no_std]
#![no_main]

mod layout;

use core::mem::{size_of, zeroed};

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT, bpf_fib_lookup as FibParameters, xdp_action};
use aya_ebpf::helpers::{bpf_fib_lookup, bpf_redirect};
use aya_ebpf::macros::{classifier, map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::{TcContext, XdpContext};
use layout::{
    Constant, FIRST_PORT, PORTS_PER_ADDRESS, SEEN_DELIVERED, SEEN_FORWARDED, SEEN_MISSED, SEEN_SLOTS, Source,
};

/// What the source writes.
#[map]
static SOURCE: Array<Source> = Array::with_max_entries(1, 0);

/// Where the constant forwarder sends everything.
#[map]
static CONSTANT: Array<Constant> = Array::with_max_entries(1, 0);

/// Frames seen, by `SEEN_*`.
#[map]
static SEEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(SEEN_SLOTS, 0);

/// Writes the whole header of every frame: it comes back with what the gateway made of it.
#[xdp]
pub fn source_v4(ctx: XdpContext) -> u32 {
    write_v4(&ctx).unwrap_or(xdp_action::XDP_ABORTED)
}

/// The same for IPv6.
#[xdp]
pub fn source_v6(ctx: XdpContext) -> u32 {
    write_v6(&ctx).unwrap_or(xdp_action::XDP_ABORTED)
}

/// Counts test frames and drops everything.
#[xdp]
pub fn xdp_sink(ctx: XdpContext) -> u32 {
    if is_test_frame(ctx.data(), ctx.data_end()) {
        count(SEEN_DELIVERED);
    }
    xdp_action::XDP_DROP
}

/// Counts test frames and drops them; anything else goes on.
#[classifier]
pub fn tc_sink(ctx: TcContext) -> i32 {
    if is_test_frame(ctx.data(), ctx.data_end()) {
        count(SEEN_DELIVERED);
        return TC_ACT_SHOT as i32;
    }
    TC_ACT_OK as i32
}

/// Forwards everything to one next hop: what no XDP forwarder can do without.
#[xdp]
pub fn xdp_const(ctx: XdpContext) -> u32 {
    forward_constant(&ctx).unwrap_or(xdp_action::XDP_PASS)
}

/// Forwards by the kernel's routing table, packet by packet.
#[xdp]
pub fn xdp_fib(ctx: XdpContext) -> u32 {
    forward_by_route(&ctx).unwrap_or(xdp_action::XDP_PASS)
}

#[inline(always)]
fn write_v4(ctx: &XdpContext) -> Option<u32> {
    let source = next_frame()?;
    let frame = at::<[u64; 7]>(ctx.data(), ctx.data_end(), 0)?;
    // SAFETY: `source` is a live map value, and `at` proved the frame's length.
    unsafe {
        *frame = *source.cast::<u8>().add(8).cast::<[u64; 7]>();
        let frame = frame.cast::<u8>();
        let (address, port) = flow(source);
        let reverse = (*source).reverse != 0;
        put(frame, if reverse { 32 } else { 28 }, address);
        put(frame, if reverse { 36 } else { 34 }, port);
        fix(frame, 24, address as u32);
        fix(frame, if (*source).tcp != 0 { 50 } else { 40 }, address as u32 + port as u32);
        Some(bpf_redirect((*source).egress, 0) as u32)
    }
}

#[inline(always)]
fn write_v6(ctx: &XdpContext) -> Option<u32> {
    let source = next_frame()?;
    let frame = at::<[u64; 10]>(ctx.data(), ctx.data_end(), 0)?;
    // SAFETY: `source` is a live map value, and `at` proved the frame's length.
    unsafe {
        *frame = *source.cast::<u8>().add(8).cast::<[u64; 10]>();
        let frame = frame.cast::<u8>();
        let (address, port) = flow(source);
        let reverse = (*source).reverse != 0;
        put(frame, if reverse { 52 } else { 36 }, address);
        put(frame, if reverse { 56 } else { 54 }, port);
        fix(frame, if (*source).tcp != 0 { 70 } else { 60 }, address as u32 + port as u32);
        Some(bpf_redirect((*source).egress, 0) as u32)
    }
}

/// The settings, with the sequence counted up. One CPU runs the source, so this need not be atomic.
#[inline(always)]
fn next_frame() -> Option<*mut Source> {
    let source = SOURCE.get_ptr_mut(0)?;
    // SAFETY: a live map value.
    unsafe { (*source).sequence += 1 };
    Some(source)
}

/// Low half of the address and port of the next flow. An odd multiplier visits all flows of a power of
/// two once each, in an order no prefetcher follows.
#[inline(always)]
unsafe fn flow(source: *const Source) -> (u16, u16) {
    // SAFETY: the caller passes a live map value.
    let (sequence, mask) = unsafe { ((*source).sequence, (*source).flow_mask) };
    let n = (sequence as u32).wrapping_mul(2_654_435_761) & mask;
    ((n / PORTS_PER_ADDRESS) as u16, FIRST_PORT + (n % PORTS_PER_ADDRESS) as u16)
}

#[inline(always)]
unsafe fn put(frame: *mut u8, offset: usize, value: u16) {
    // SAFETY: the caller proved that the offset lies in the frame.
    unsafe { *frame.add(offset).cast::<u16>() = value.to_be() };
}

/// Brings a checksum up to date after fields that were zero became `added` in sum (RFC 1624).
#[inline(always)]
unsafe fn fix(frame: *mut u8, offset: usize, added: u32) {
    // SAFETY: the caller proved that the offset lies in the frame.
    unsafe {
        let checksum = frame.add(offset).cast::<u16>();
        let mut sum = !u16::from_be(*checksum) as u32 & 0xffff;
        sum += added;
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        *checksum = (!sum as u16).to_be();
    }
}

/// IPv4 or IPv6 that carries TCP or UDP: neighbour discovery and the like must not be counted.
#[inline(always)]
fn is_test_frame(data: usize, end: usize) -> bool {
    let Some(kind) = at::<u16>(data, end, 12) else {
        return false;
    };
    // SAFETY: `at` proved the bounds.
    let protocol = match u16::from_be(unsafe { *kind }) {
        0x0800 => at::<u8>(data, end, 23),
        0x86dd => at::<u8>(data, end, 20),
        _ => None,
    };
    // SAFETY: `at` proved the bounds.
    matches!(protocol, Some(p) if matches!(unsafe { *p }, 6 | 17))
}

#[inline(always)]
fn forward_constant(ctx: &XdpContext) -> Option<u32> {
    let hop = CONSTANT.get_ptr(0)?;
    if !is_test_frame(ctx.data(), ctx.data_end()) || !decrement_ttl(ctx) {
        return None;
    }
    let macs = at::<[u16; 6]>(ctx.data(), ctx.data_end(), 0)?;
    // SAFETY: a live map value, and `at` proved the bounds.
    unsafe {
        *macs = (*hop).macs;
        count(SEEN_FORWARDED);
        Some(bpf_redirect((*hop).ifindex, 0) as u32)
    }
}

#[inline(always)]
fn forward_by_route(ctx: &XdpContext) -> Option<u32> {
    if !is_test_frame(ctx.data(), ctx.data_end()) {
        return None;
    }
    let (data, end) = (ctx.data(), ctx.data_end());
    // SAFETY: all zero is a valid request; every packet pointer was proved by `at`.
    unsafe {
        let mut request: FibParameters = zeroed();
        request.ifindex = ctx.ingress_ifindex() as u32;
        if *at::<u8>(data, end, 14)? >> 4 == 4 {
            request.family = 2;
            request.__bindgen_anon_1.tot_len = u16::from_be(*at::<u16>(data, end, 16)?);
            request.l4_protocol = *at::<u8>(data, end, 23)?;
            let [a, b] = *at::<[u16; 2]>(data, end, 26)?;
            request.__bindgen_anon_3.ipv4_src = a as u32 | (b as u32) << 16;
            let [a, b] = *at::<[u16; 2]>(data, end, 30)?;
            request.__bindgen_anon_4.ipv4_dst = a as u32 | (b as u32) << 16;
        } else {
            request.family = 10;
            request.__bindgen_anon_1.tot_len = u16::from_be(*at::<u16>(data, end, 18)?) + 40;
            request.l4_protocol = *at::<u8>(data, end, 20)?;
            request.__bindgen_anon_3.ipv6_src = words(*at::<[u16; 8]>(data, end, 22)?);
            request.__bindgen_anon_4.ipv6_dst = words(*at::<[u16; 8]>(data, end, 38)?);
        }
        if bpf_fib_lookup(ctx.as_ptr(), &mut request, size_of::<FibParameters>() as i32, 0) != 0 {
            count(SEEN_MISSED);
            return None;
        }
        if !decrement_ttl(ctx) {
            return None;
        }
        let macs = at::<[[u8; 6]; 2]>(data, end, 0)?;
        *macs = [request.dmac, request.smac];
        count(SEEN_FORWARDED);
        Some(bpf_redirect(request.ifindex, 0) as u32)
    }
}

#[inline(always)]
fn words(halves: [u16; 8]) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h] = halves.map(u32::from);
    [a | b << 16, c | d << 16, e | f << 16, g | h << 16]
}

/// False when there is nothing left to decrement.
#[inline(always)]
fn decrement_ttl(ctx: &XdpContext) -> bool {
    let (data, end) = (ctx.data(), ctx.data_end());
    let Some(version) = at::<u8>(data, end, 14) else {
        return false;
    };
    // SAFETY: every pointer was proved by `at`.
    unsafe {
        if *version >> 4 == 6 {
            let Some(limit) = at::<u8>(data, end, 21) else {
                return false;
            };
            if *limit <= 1 {
                return false;
            }
            *limit -= 1;
            return true;
        }
        let (Some(ttl), Some(checksum)) = (at::<u8>(data, end, 22), at::<u16>(data, end, 24)) else {
            return false;
        };
        if *ttl <= 1 {
            return false;
        }
        *ttl -= 1;
        let sum = *checksum as u32 + 0x0100_u16.to_be() as u32;
        *checksum = (sum + (sum >= 0xffff) as u32) as u16;
        true
    }
}

#[inline(always)]
fn count(slot: u32) {
    if let Some(seen) = SEEN.get_ptr_mut(slot) {
        // SAFETY: a live value of this CPU.
        unsafe { *seen += 1 };
    }
}

#[inline(always)]
fn at<T>(data: usize, end: usize, offset: usize) -> Option<*mut T> {
    if data + offset + size_of::<T>() > end { None } else { Some((data + offset) as *mut T) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the programs hold nothing that can panic; the verifier would refuse a reachable loop.
    unsafe { core::hint::unreachable_unchecked() }
}

/// bpf_fib_lookup is for programs under a licence the kernel accepts.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
