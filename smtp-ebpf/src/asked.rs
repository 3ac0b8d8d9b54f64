//! A packet on the slow way: what was read of it, handed from step to step through a per-CPU map.

use smtp_common::flow::TCP;
use smtp_common::port::Port;
use smtp_common::settings::GatewaySettings;
use smtp_common::stats::Counter;

use crate::family::Packet;
use crate::frame::Frame;
use crate::{maps, table};

/// A packet about which the rules are asked, and what is known of it.
///
/// It stands in a per-CPU map: the stack has no room for it in every step, and the verifier need not follow
/// every way by which a packet may have come here.
#[derive(Clone, Copy)]
pub(crate) struct Asked<P: Packet> {
    pub(crate) packet: P,
    /// Slot of its flow's entry, or [`NOWHERE`].
    pub(crate) index: u32,
    pub(crate) now: u32,
    /// Rule id that decided, as far as it is known.
    pub(crate) rule: u16,
    /// 1: that rule was asked for this packet.
    pub(crate) hit: u16,
}

/// No action yet: the packet changes its flow's life or stage. Above every action of XDP and TC, and positive: the
/// compiler does not extend the sign of what one function returns to another.
pub(crate) const FOLLOW: i32 = 0x100;
/// No action yet: the rules are to be asked.
pub(crate) const DECIDE: i32 = 0x101;
/// No action yet: the packet is for the inspector.
pub(crate) const HAND_OVER: i32 = 0x103;
/// No action yet: there is more to the packet than the fast way looks at.
pub(crate) const READ: i32 = 0x102;

/// No slot.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// What was asked, with what has to be looked up again.
pub(crate) struct Question<P: Packet> {
    pub(crate) asked: &'static Asked<P>,
    pub(crate) packet: &'static P,
    pub(crate) port: &'static Port,
    pub(crate) settings: &'static GatewaySettings,
    pub(crate) found: *mut P::Entry,
}

impl<P: Packet> Question<P> {
    /// What was put, with its look-ups done again.
    #[inline(always)]
    pub(crate) fn read<F: Frame>(frame: &F) -> Option<Self> {
        const { assert!(size_of::<Asked<P>>() <= 8 * (maps::QUESTION_WORDS - 1)) };
        // SAFETY: [`Asked::put`] wrote it, on this CPU and in this run.
        let asked = unsafe { &*maps::question()?.cast::<Asked<P>>() };
        let found = if asked.index > P::mask() { core::ptr::null_mut() } else { P::slot(asked.index)? };
        Some(Self {
            asked,
            packet: &asked.packet,
            port: maps::port(frame.ifindex())?,
            settings: maps::settings()?,
            found,
        })
    }

    #[inline(always)]
    pub(crate) fn is_new_syn(&self) -> bool {
        let headers = self.packet.common().headers;
        headers.protocol == TCP && headers.opens()
    }

    #[inline(always)]
    pub(crate) fn release(&self, cause: Counter) {
        if !self.found.is_null() {
            table::free::<P>(self.found, self.asked.index, self.settings, cause);
        }
    }
}

impl<P: Packet> Asked<P> {
    /// Names the slot of the flow's entry, made meanwhile, to the next step.
    #[inline(always)]
    pub(crate) fn stands_at(index: u32) {
        if let Some(question) = maps::question() {
            // SAFETY: [`Asked::put`] wrote it, on this CPU and in this run.
            unsafe { (*question.cast::<Self>()).index = index };
        }
    }

    /// Names the rule that decided to the next step.
    #[inline(always)]
    pub(crate) fn decided_by(rule: u16) {
        if let Some(question) = maps::question() {
            // SAFETY: as above.
            unsafe {
                (*question.cast::<Self>()).rule = rule;
                (*question.cast::<Self>()).hit = 1;
            }
        }
    }

    /// Puts it where the next step reads it.
    #[inline(always)]
    pub(crate) fn put(self) -> bool {
        let Some(question) = maps::question() else {
            return false;
        };
        // SAFETY: this CPU's own; aligned, and long enough as `Question::read` asserts.
        unsafe { question.cast::<Self>().write(self) };
        true
    }
}
