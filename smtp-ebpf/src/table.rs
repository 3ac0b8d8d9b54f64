//! The flow table: find, claim, free. See [`smtp_common::flow`] for how it is laid out.
//!
//! Two CPUs may meet at a slot. A slot changes hands only through its control word: `EMPTY` or `LIVE` to
//! `CLAIMED` by compare-and-exchange, then back; nobody reads a claimed slot. A flow can end up in two
//! slots only if a third flow leaves the group between two CPUs' scans for the same new flow; the copy
//! that is never found again ends by its idle time.

use smtp_common::flow::{Control, GROUP, HashKeys, second};
use smtp_common::packet_event::EventKind;
use smtp_common::settings::GatewaySettings;
use smtp_common::stats::Counter;
use smtp_common::tick;

use crate::asked::NOWHERE;
use crate::family::Packet;
use crate::{atomic, events, maps, stats};

/// A slot that holds a flow, and its index.
pub(crate) struct Found<P: Packet> {
    pub(crate) entry: *mut P::Entry,
    pub(crate) index: u32,
}

/// The slot that holds this packet's flow.
#[inline(always)]
pub(crate) fn find<P: Packet>(packet: &P, keys: &HashKeys) -> Option<Found<P>> {
    let hash = packet.hash(keys);
    let home = hash & P::mask();
    let first = P::slot(home)?;
    if packet.is(first) {
        return Some(Found { entry: first, index: home });
    }
    // SAFETY: a map value.
    let control = Control(unsafe { P::control(first).read_volatile() });
    if control.hops() == 0 {
        return None;
    }
    let index = packet.find_away(home, control.hops());
    if index <= P::mask() {
        return Some(Found { entry: P::slot(index)?, index });
    }
    if !control.overflows() {
        return None;
    }
    let home = second(hash, P::mask());
    let first = P::slot(home)?;
    // SAFETY: a map value.
    let hops = unsafe { P::control(first).read_volatile() };
    // A flow may stand in its second slot itself, which has no bit of its own.
    let index = if packet.is(first) { home } else { packet.find_away(home, Control(hops).hops()) };
    if index > P::mask() {
        return None;
    }
    Some(Found { entry: P::slot(index)?, index })
}

/// Index of the slot of which `holds` is true, among the others that hold flows of this home; [`NOWHERE`] if there is
/// none.
#[inline(always)]
pub(crate) fn among<P: Packet>(home: u32, hops: u32, holds: impl Fn(*mut P::Entry) -> bool) -> u32 {
    let mut i = 1;
    while i < GROUP {
        if hops >> i & 1 == 1
            && let Some(entry) = P::slot(home ^ i)
            && holds(entry)
        {
            return home ^ i;
        }
        i += 1;
    }
    NOWHERE
}

/// Claims a slot for this packet's flow and writes its key. The caller fills the state and then calls
/// [`publish`]. `None`: no room, counted.
#[inline(never)]
pub(crate) fn claim<P: Packet>(packet: &P, settings: &GatewaySettings, now: u32) -> Option<Claim<P>> {
    let hash = packet.hash(&settings.hash_keys);
    let home = hash & P::mask();
    let i = take_empty::<P>(home);
    if i < GROUP {
        return claimed(packet, home, i);
    }
    // Established flows keep their slots, and the others are not driven out as long as there is room elsewhere.
    let away = second(hash, P::mask());
    let i = take_empty::<P>(away);
    if i < GROUP {
        // SAFETY: a map value. Before the flow can be met: a reader that follows it too early finds no tenant.
        unsafe { atomic::or(P::control(P::slot(home)?), Control::OVERFLOW) };
        return claimed(packet, away, i);
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

/// Claims an empty slot of a group and returns its distance from `home`; [`GROUP`] is "none".
#[inline(never)]
fn take_empty<P: Packet>(home: u32) -> u32 {
    let mut i = 0;
    while i < GROUP {
        if let Some(entry) = P::slot(home ^ i) {
            let control = P::control(entry);
            // SAFETY: a map value.
            let word = unsafe { control.read_volatile() };
            if Control(word).state() == Control::EMPTY {
                let claimed = (word & !Control::TENANT) | (Control::CLAIMED << 8);
                // SAFETY: a map value.
                if unsafe { atomic::compare_exchange(control, word, claimed) } == word {
                    return i;
                }
                stats::count(Counter::INSERT_RACES);
            }
        }
        i += 1;
    }
    GROUP
}

/// A claimed slot with its key in it.
#[inline(always)]
fn claimed<P: Packet>(packet: &P, home: u32, distance: u32) -> Option<Claim<P>> {
    let entry = P::slot(home ^ distance)?;
    packet.fill(entry);
    Some(Claim { entry, home, distance })
}

/// A slot in this CPU's hands.
pub(crate) struct Claim<P: Packet> {
    pub(crate) entry: *mut P::Entry,
    /// The slot whose hop bits tell of it: the flow's home, or its second one.
    home: u32,
    distance: u32,
}

impl<P: Packet> Claim<P> {
    /// Index of the slot.
    #[inline(always)]
    pub(crate) const fn index(&self) -> u32 {
        self.home ^ self.distance
    }
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
        let hash = P::hash_of(entry, protocol, &settings.hash_keys);
        let mut home = hash & P::mask();
        if home ^ index >= GROUP {
            home = second(hash, P::mask());
        }
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
