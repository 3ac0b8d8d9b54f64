//! Postern's kernel programs: entry points only. Each is "parse, look up, classify, steer".
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod asked;
mod atomic;
mod decide;
mod events;
mod family;
mod follow;
mod forward;
mod frame;
mod hand_over;
mod heartbeat;
mod ingress;
mod maps;
mod neighbour;
mod parse;
mod refuse;
mod rules;
mod ruling;
mod socket;
mod stats;
mod steer;
mod table;
mod track;
mod walk;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::family::{PacketV4, PacketV6};
use crate::frame::{TcFrame, XdpFrame};

/// Frames of a device that hands them over before a socket buffer is made.
#[xdp(frags)]
pub fn xdp_ingress(ctx: XdpContext) -> u32 {
    ingress::ingress(XdpFrame::of(&ctx)) as u32
}

/// Socket buffers of every gateway interface.
#[classifier]
pub fn tc_ingress(ctx: TcContext) -> i32 {
    ingress::ingress(TcFrame::of(&ctx))
}

/// One step of a walk over the IPv4 flow table, run by user space.
#[classifier]
pub fn walk_v4(_ctx: TcContext) -> i32 {
    walk::step::<PacketV4>()
}

/// One step of a walk over the IPv6 flow table, run by user space.
#[classifier]
pub fn walk_v6(_ctx: TcContext) -> i32 {
    walk::step::<PacketV6>()
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// `bpf_fib_lookup` and others are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
