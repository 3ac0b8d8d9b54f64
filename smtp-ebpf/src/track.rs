//! Follows the plaintext SMTP dialogue of tracked flows, for the stage flags in their entries.

use core::arch::asm;

use smtp_common::abi::SCRATCH_BYTES;
use smtp_common::flow::FlowMarks;
use smtp_common::packet_event::EventKind;
use smtp_common::stage::{PayloadHead, STARTTLS, SmtpStage, after, upper};
use smtp_common::stats::Counter;

use crate::asked::Question;
use crate::family::Packet;
use crate::frame::{ETH_BYTES, Frame};
use crate::{events, maps, stats};

/// Looks at the payload of a packet and moves the flow's stage.
#[inline(never)]
pub(crate) fn observe<F: Frame, P: Packet>(frame: F) {
    let Some(Question { packet, settings, found: entry, .. }) = Question::<P>::read(&frame) else {
        return;
    };
    if entry.is_null() {
        return;
    }
    let common = packet.common();
    let state = P::state(entry);
    // SAFETY: a map value.
    let (stage, marks) = unsafe { (SmtpStage((*state).stage), (*state).marks) };
    let payload = common.ip_length.wrapping_sub(common.header_length);
    if payload == 0 || payload > 1 << 16 || stage == SmtpStage::TLS {
        return;
    }
    let Some(scratch) = maps::scratch() else {
        return;
    };
    let length = copied(payload);
    if !frame.copy(ETH_BYTES + common.header_length, scratch.cast(), length) {
        return;
    }
    // SAFETY: this CPU's own scratch space.
    let octets = unsafe { &*scratch };
    let head = PayloadHead {
        head: head(octets, length),
        names_starttls: stage == SmtpStage::HELO && names_starttls(octets, length),
        from_initiator: packet.side() == marks.initiator(),
    };
    let (next, next_marks) = after(stage, marks, head);
    if next == stage && next_marks == marks {
        return;
    }
    // SAFETY: a map value.
    unsafe {
        (*state).stage = next.0;
        (*state).marks = next_marks;
    }
    if next_marks.any(FlowMarks::TLS) && !marks.any(FlowMarks::TLS) {
        stats::count(Counter::BYPASSED_ENCRYPTED);
    }
    events::flow::<P>(EventKind::STAGE, entry, common.headers.protocol, settings);
}

/// How much of a payload that is not empty is looked at.
#[inline(always)]
fn copied(payload: u32) -> u32 {
    let mut last = u64::from(payload.min(SCRATCH_BYTES as u32) - 1);
    // The instruction itself, since the compiler leaves out a mask that it knows to change nothing. The verifier of
    // older kernels needs it: it does not see that the register compared and the one passed on hold one number.
    // SAFETY: arithmetic on one register.
    unsafe { asm!("{0} &= {1}", inout(reg) last, const SCRATCH_BYTES - 1, options(pure, nomem, nostack)) };
    last as u32 + 1
}

/// First eight octets in upper case, zero where the payload ends.
#[inline(always)]
fn head(octets: &[u8; SCRATCH_BYTES], length: u32) -> u64 {
    let mut head = 0;
    let mut i = 0;
    while i < 8 {
        let octet = if (i as u32) < length { upper(octets[i]) } else { 0 };
        head = (head << 8) | u64::from(octet);
        i += 1;
    }
    head
}

/// Whether `STARTTLS` stands anywhere in what was copied, in any case of letters.
#[inline(always)]
fn names_starttls(octets: &[u8; SCRATCH_BYTES], length: u32) -> bool {
    let mut window: u64 = 0;
    let mut i = 0;
    while i < SCRATCH_BYTES {
        if i as u32 >= length {
            return false;
        }
        // A letter without this bit is in upper case, and nothing else becomes a letter by losing it. The window is
        // forgotten in every round: the verifier would follow all that it might hold.
        window = maps::forget((window << 8) | u64::from(octets[i] & !0x20));
        if window == STARTTLS {
            return true;
        }
        i += 1;
    }
    false
}
