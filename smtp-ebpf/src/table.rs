//! The flow table: find, claim, free. See [`smtp_common::flow`] for how it is laid out.
//!
//! Two CPUs may meet at a slot. A slot changes hands only through its control word: `EMPTY` or `LIVE` to
//! `CLAIMED` by compare-and-exchange, then back; nobody reads a claimed slot. A flow can end up in two
//! slots only if a third flow leaves the group between two CPUs' scans for the same new flow; the copy
//! that is never found again ends by its idle time.

use smtp_common::flow::{Control, GROUP};
use smtp_common::packet_event::EventKind;
use smtp_common::settings::GatewaySettings;
use smtp_common::stats::Counter;
use smtp_common::tick;

use crate::family::Packet;
use crate::{atomic, events, maps, stats};

/// A slot that holds a flow, and its index.
pub(crate) struct Found<P: Packet> {
    pub(crate) entry: *mut P::Entry,
    pub(crate) index: u32,
}

/// The slot that holds this packet's flow.
#[inline(always)]
pub(crate) fn find<P: Packet>(packet: &P, seed: &[u64; 2]) -> Option<Found<P>> {
    let home = packet.hash(seed) & P::mask();
    let first = P::slot(home)?;
    if packet.is(first) {
        return Some(Found { entry: first, index: home });
    }
    // SAFETY: a map value.
    let hops = Control(unsafe { P::control(first).read_volatile() }).hops();
    if hops >> 1 == 0 {
        return None;
    }
    find_away(packet, home, hops)
}

/// The rest of the home slot's flows.
#[inline(never)]
fn find_away<P: Packet>(packet: &P, home: u32, hops: u32) -> Option<Found<P>> {
    let mut i = 1;
    while i < GROUP {
        if hops >> i & 1 == 1 {
            let entry = P::slot(home ^ i)?;
            if packet.is(entry) {
                return Some(Found { entry, index: home ^ i });
            }
        }
        i += 1;
    }
    None
}

/// Claims a slot for this packet's flow and writes its key. The caller fills the state and then calls
/// [`publish`]. `None`: no room, counted.
#[inline(never)]
pub(crate) fn claim<P: Packet>(packet: &P, settings: &GatewaySettings, now: u32) -> Option<Claim<P>> {
    let home = packet.hash(&settings.hash_seed) & P::mask();
    let mut i = 0;
    while i < GROUP {
        let entry = P::slot(home ^ i)?;
        let control = P::control(entry);
        // SAFETY: a map value.
        let word = unsafe { control.read_volatile() };
        if Control(word).state() == Control::EMPTY {
            let claimed = (word & !Control::TENANT) | (Control::CLAIMED << 8);
            // SAFETY: a map value.
            if unsafe { atomic::compare_exchange(control, word, claimed) } == word {
                packet.fill(entry);
                return Some(Claim { entry, home, distance: i });
            }
            stats::count(Counter::INSERT_RACES);
        }
        i += 1;
    }
    let i = worst::<P>(home, settings, now);
    if i >= GROUP {
        stats::count(Counter::FLOW_TABLE_FULL);
        return None;
    }
    let entry = P::slot(home ^ i)?;
    if !release::<P>(entry, home ^ i, settings, Counter::FLOWS_EVICTED, Control::CLAIMED) {
        stats::count(Counter::INSERT_RACES);
        return None;
    }
    packet.fill(entry);
    Some(Claim { entry, home, distance: i })
}

/// A slot in this CPU's hands.
pub(crate) struct Claim<P: Packet> {
    pub(crate) entry: *mut P::Entry,
    home: u32,
    distance: u32,
}

/// Makes a claimed and filled slot a live one.
#[inline(always)]
pub(crate) fn publish<P: Packet>(claim: &Claim<P>, protocol: u8) {
    if let Some(home) = P::slot(claim.home) {
        // SAFETY: map values. The home's bit first: a reader that follows it too early finds no tenant.
        unsafe {
            atomic::or(P::control(home), Control::hop_bit(claim.distance));
            atomic::xor(P::control(claim.entry), (Control::CLAIMED << 8) ^ Control::live(protocol));
        }
    }
    stats::count(Counter::FLOWS_OPENED);
}

/// Which slot of a full group makes room: one whose flow has ended, else the flow that has waited longest
/// for its other side. Established flows never make room. `GROUP` is "none".
#[inline(never)]
fn worst<P: Packet>(home: u32, settings: &GatewaySettings, now: u32) -> u32 {
    let Some(scratch) = maps::scratch() else {
        return GROUP;
    };
    // The best so far stands in a map, not in registers: the verifier would follow every slot that it might be.
    let best = scratch.cast::<Candidate>();
    // SAFETY: this CPU's own scratch space, aligned and longer than this.
    unsafe { best.write_volatile(Candidate { distance: GROUP, rank: 0 }) };
    let mut i = 0;
    while i < GROUP {
        if let Some(entry) = P::slot(home ^ i) {
            let rank = rank::<P>(entry, settings, now);
            // SAFETY: as above.
            unsafe {
                if rank > (&raw const (*best).rank).read_volatile() {
                    best.write_volatile(Candidate { distance: i, rank });
                }
            }
        }
        i += 1;
    }
    // SAFETY: as above.
    unsafe { (&raw const (*best).distance).read_volatile() }
}

/// A slot that may make room.
#[repr(C)]
struct Candidate {
    distance: u32,
    rank: u32,
}

/// How readily a slot's flow makes room; 0 not at all.
#[inline(always)]
fn rank<P: Packet>(entry: *mut P::Entry, settings: &GatewaySettings, now: u32) -> u32 {
    // SAFETY: map values.
    let (word, state) = unsafe { (P::control(entry).read_volatile(), &*P::state(entry)) };
    if Control(word).state() != Control::LIVE {
        0
    } else if state.life.is_over() || state.is_expired(Control(word).protocol(), settings, now) {
        u32::MAX
    } else if state.life.is_unconfirmed() {
        tick::since(state.last_seen, now) + 1
    } else {
        0
    }
}

/// Frees the slot at `index`; `cause` says why. False when another CPU was faster.
#[inline(always)]
pub(crate) fn free<P: Packet>(
    entry: *mut P::Entry,
    index: u32,
    settings: &GatewaySettings,
    cause: Counter,
) -> bool {
    release::<P>(entry, index, settings, cause, Control::EMPTY)
}

/// Takes a live entry out of the table and leaves its slot `EMPTY` or `CLAIMED` by this CPU.
#[inline(never)]
fn release<P: Packet>(
    entry: *mut P::Entry,
    index: u32,
    settings: &GatewaySettings,
    cause: Counter,
    leave: u32,
) -> bool {
    let control = P::control(entry);
    // SAFETY: map values.
    unsafe {
        let word = control.read_volatile();
        if Control(word).state() != Control::LIVE {
            return false;
        }
        let claimed = (word & !Control::TENANT) | (Control::CLAIMED << 8);
        if atomic::compare_exchange(control, word, claimed) != word {
            return false;
        }
        let protocol = Control(word).protocol();
        let home = P::hash_of(entry, protocol, &settings.hash_seed) & P::mask();
        events::flow::<P>(EventKind::CLOSED, entry, protocol, settings);
        if let Some(home_entry) = P::slot(home) {
            atomic::and(P::control(home_entry), !Control::hop_bit((home ^ index) & (GROUP - 1)));
        }
        if leave == Control::EMPTY {
            atomic::xor(control, Control::CLAIMED << 8);
        }
    }
    stats::count(Counter::FLOWS_CLOSED);
    stats::count(cause);
    true
}
