//! Logs the kernel programs' events. It only tells; nothing is decided on the strength of an event.

use smtp_common::packet_event::{EventKind, PacketEvent};
use smtp_common::packet_path::PathReason;
use smtp_common::stage::SmtpStage;
use tracing::{debug, error, info};

use crate::packet_path::events::{self, Events};
use crate::packet_path::maps::Maps;

/// Logs the kernel programs' events.
pub(crate) async fn report(maps: Maps) {
    let mut events = match Events::open(&maps) {
        Ok(events) => events,
        Err(error) => {
            error!(%error, "events cannot be read");
            return;
        }
    };
    loop {
        if let Err(error) = events.next(log_event).await {
            error!(%error, "events cannot be read");
            return;
        }
    }
}

fn log_event(event: &PacketEvent) {
    let reason = PathReason(event.reason);
    let source = std::net::SocketAddr::new(events::address(event.source), event.source_port);
    let destination = std::net::SocketAddr::new(events::address(event.destination), event.destination_port);
    match event.kind {
        EventKind::STAGE => info!(
            %source, %destination, stage = SmtpStage(event.stage).name(), "smtp_stage"
        ),
        EventKind::REFUSED => {
            info!(%source, %destination, rule = event.rule, reason = reason.name(), "refused");
        }
        kind => debug!(
            %source, %destination, protocol = event.protocol, rule = event.rule, reason = reason.name(),
            packets = event.packets, octets = event.octets, "{}", kind.name()
        ),
    }
}
