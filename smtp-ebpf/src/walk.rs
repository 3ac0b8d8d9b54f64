//! One step of a walk over a flow table; see [`smtp_common::walk`].

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use smtp_common::flow::Control;
use smtp_common::settings::GatewaySettings;
use smtp_common::stats::Counter;
use smtp_common::walk::{STEP, WALK_EXPIRE, WALK_FLUSH, WALK_LIST, Walk};

use crate::family::Packet;
use crate::{heartbeat, maps, table};

/// Looks at the next slots from the cursor on.
#[inline(always)]
pub(crate) fn step<P: Packet>() -> i32 {
    maps::keep_user_maps();
    let (Some(walk), Some(settings)) = (maps::walk(), maps::settings()) else {
        return TC_ACT_UNSPEC;
    };
    let now = heartbeat::now_tick(settings);
    // SAFETY: a map value; user space runs one walk at a time.
    let walk = unsafe { &mut *walk };
    walk.now = now;
    walk.jiffies = heartbeat::jiffies();
    let mut i = 0;
    while i < STEP {
        if walk.cursor > P::mask() || walk.blocked != 0 {
            break;
        }
        if !visit::<P>(walk, settings, now) {
            break;
        }
        walk.cursor += 1;
        i += 1;
    }
    TC_ACT_UNSPEC
}

/// Looks at one slot; false when the walk has to wait for the ring buffer to be drained.
#[inline(always)]
fn visit<P: Packet>(walk: &mut Walk, settings: &GatewaySettings, now: u32) -> bool {
    let Some(entry) = P::slot(walk.cursor) else {
        return true;
    };
    // SAFETY: map values.
    let (word, state) = unsafe { (P::control(entry).read_volatile(), &*P::state(entry)) };
    let control = Control(word);
    if control.state() != Control::LIVE {
        return true;
    }
    let expired = state.is_expired(control.protocol(), settings, now);
    if walk.flags & WALK_FLUSH != 0 || (expired && walk.flags & WALK_EXPIRE != 0) {
        let cause = if state.life.is_over() { Counter::FLOWS_FINISHED } else { Counter::FLOWS_IDLE };
        if table::free::<P>(entry, walk.cursor, settings, cause) {
            walk.freed += 1;
        }
        return true;
    }
    if expired {
        return true;
    }
    if walk.flags & WALK_LIST != 0 {
        // SAFETY: the entry is a map value of this size.
        let octets = unsafe { core::slice::from_raw_parts(entry.cast::<u8>(), size_of::<P::Entry>()) };
        if maps::WALKED.output::<[u8]>(octets, 0).is_err() {
            walk.blocked = 1;
            return false;
        }
    }
    walk.live += 1;
    if state.life.is_unconfirmed() {
        walk.unconfirmed += 1;
    }
    true
}
