//! Finds the inspector's socket for a packet and gives the packet to it. TC only.

use aya_ebpf::bindings::{BPF_F_CURRENT_NETNS, bpf_sock, bpf_sock_tuple};
use aya_ebpf::helpers::generated::{bpf_sk_assign, bpf_sk_release, bpf_skc_lookup_tcp};
use smtp_common::abi::INSPECT_MARK;

use crate::family::Packet;
use crate::frame::TcFrame;
use crate::maps;

/// `TCP_LISTEN` as sockets show it to programs.
const LISTEN: u32 = 10;

/// Which sockets are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// That of a connection, one that is over included: its last packets may be sent again. So may its ends be used
    /// again, and then the kernel must meet what is left of it: it answers, the originator resets it, and comes again.
    /// A listener would be given the packet in vain: newer kernels let nothing stand beside what is left.
    Connection,
    /// The listener.
    Listener,
}

/// Gives the packet to the socket of its connection, or to the listener if `listener` says so and there is none.
/// False: no socket, and the packet is as it was.
#[inline(never)]
pub(crate) fn assign<P: Packet>(frame: TcFrame, packet: &P, listener: bool) -> bool {
    // SAFETY: plain data, for which zero is a value.
    let mut tuple: bpf_sock_tuple = unsafe { core::mem::zeroed() };
    packet.connection(&mut tuple);
    if give(frame, &mut tuple, P::TUPLE_BYTES, Wanted::Connection) {
        return true;
    }
    if !listener {
        return false;
    }
    let port = maps::heartbeat().map_or(0, |beat| beat.inspector_port[P::FAMILY]);
    if port == 0 {
        return false;
    }
    packet.listener(&mut tuple, port.to_be());
    give(frame, &mut tuple, P::TUPLE_BYTES, Wanted::Listener)
}

/// Looks a socket up and gives it the packet, if it is one of those asked for.
#[inline(always)]
fn give(frame: TcFrame, tuple: &mut bpf_sock_tuple, bytes: u32, wanted: Wanted) -> bool {
    // SAFETY: context and tuple are valid, and the tuple is as long as it is said to be.
    unsafe {
        let socket: *mut bpf_sock =
            bpf_skc_lookup_tcp(frame.0.cast(), tuple, bytes, BPF_F_CURRENT_NETNS as i64 as u64, 0);
        if socket.is_null() {
            return false;
        }
        let state = (&raw const (*socket).state).read_volatile();
        let is_wanted = match wanted {
            Wanted::Connection => state != LISTEN,
            Wanted::Listener => state == LISTEN,
        };
        let mut given = false;
        if is_wanted {
            given = bpf_sk_assign(frame.0.cast(), socket.cast(), 0) == 0;
        }
        bpf_sk_release(socket.cast());
        if given {
            // Routed to this host by the rule that the daemon has set up; the mark never leaves it.
            (&raw mut (*frame.0).mark).write_volatile(INSPECT_MARK);
        }
        given
    }
}
