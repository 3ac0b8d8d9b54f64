//! Forwards a packet that changes its flow's life or SMTP stage, and writes that down.

use smtp_common::flow::FlowMarks;

use crate::asked::{DECIDE, Question};
use crate::family::Packet;
use crate::forward::{Sent, forward};
use crate::frame::Frame;
use crate::track;

/// Follows and forwards; [`DECIDE`] when the next hop is not to be believed.
#[inline(never)]
pub(crate) fn follow_and_forward<F: Frame, P: Packet>(frame: F) -> i32 {
    let Some(question) = Question::<P>::read(&frame) else {
        return frame.steer(None);
    };
    let Question { asked, packet, port, found, .. } = question;
    if !found.is_null() {
        let headers = packet.common().headers;
        let state = P::state(found);
        // SAFETY: a map value.
        let marks = unsafe {
            let marks = (*state).marks;
            (*state).life =
                (*state).life.after(headers.protocol, headers.tcp_flags, packet.side(), marks.initiator());
            marks
        };
        if marks.any(FlowMarks::TRACKED) {
            track::observe::<F, P>(frame);
        }
        if let Sent::Done(outcome) = forward(&frame, packet, port, state, asked.now) {
            return frame.steer(outcome);
        }
    }
    DECIDE
}
