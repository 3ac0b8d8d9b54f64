//! Whether a kernel program does with a case what it must.

use std::collections::BTreeMap;

use harness::gateway::Gateway;
use harness::packets::{Segment, forwarded, read_segment};
use harness::program::Action;
use harness::topology::{CLIENT_MAC, CLIENT_SIDE, GATEWAY_CLIENT_MAC, GATEWAY_SERVER_MAC, Hook, SERVER_MAC};
use smtp_common::packet_path::PacketPath;

use super::case::Expected::{For, Refused};
use super::case::{Case, Expected};

/// What differs from the expectation, if anything.
pub(super) fn fault(gateway: &Gateway<'_>, hook: Hook, case: &Case, expected: Expected) -> Option<String> {
    // Linux makes no socket buffer for a test run from less than an IP header.
    let least = if case.frame[12..14] == [0x86, 0xdd] { 14 + 40 } else { 14 + 20 };
    if hook == Hook::Tc && case.frame.len() < least {
        return None;
    }
    let run = gateway.program(hook).run(case.interface, &case.frame);
    let (reason, refused) = match expected {
        For(reason) => (reason, false),
        Refused(reason) => (reason, true),
    };
    let path = reason.path();
    let mut counted = BTreeMap::from([(reason.name(), 1)]);
    let mut action = match path {
        PacketPath::ACCELERATED => Action::Redirect,
        PacketPath::DROPPED => Action::Drop,
        _ => Action::Pass,
    };
    let mut frame = Some(case.frame.clone());
    match hook {
        // XDP does what it can finish, and leaves the rest, uncounted, to TC.
        Hook::Xdp if refused || path == PacketPath::STACK => {
            counted.clear();
            action = Action::Pass;
        }
        Hook::Tc if refused => {
            // The reset goes back to where the packet came from; it may be the packet itself, turned round.
            action = run.action;
            frame = None;
        }
        _ => {}
    }
    if path == PacketPath::ACCELERATED {
        frame = Some(if case.interface == CLIENT_SIDE {
            forwarded(&case.frame, GATEWAY_SERVER_MAC, SERVER_MAC)
        } else {
            forwarded(&case.frame, GATEWAY_CLIENT_MAC, CLIENT_MAC)
        });
    }
    let mut faults = Vec::new();
    if run.action != action {
        faults.push(format!("action {:?} instead of {action:?}", run.action));
    }
    if run.counted != counted {
        faults.push(format!("counted {:?} instead of {counted:?}", run.counted));
    }
    match frame {
        Some(frame) if frame != run.frame => {
            faults.push(format!("the frame became\n    {:02x?}\n  instead of\n    {frame:02x?}", run.frame));
        }
        None if run.action == Action::Pass => faults.push("the packet went to the stack".to_owned()),
        None if run.action == Action::Redirect => {
            let reset = read_segment(&run.frame);
            let sent = read_segment(&case.frame);
            // The parser beside it gives up on some of the extension headers that the program walks.
            let answers = |reset: Segment| {
                sent.is_none_or(|sent| (reset.source, reset.destination) == (sent.destination, sent.source))
            };
            let right = reset.is_some_and(|reset| reset.flags.rst && reset.sound && answers(reset));
            if !right {
                faults.push(format!("what goes back is no reset for the sender: {reset:?}"));
            }
        }
        _ => {}
    }
    (!faults.is_empty()).then(|| format!("{}\n  {}", case.what, faults.join("\n  ")))
}
