//! The daemon stops: sessions end by themselves or are cut, and every one has its account.

use std::time::Duration;

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use super::rig::Plan;
use crate::event::session_event::SessionEvent;

#[tokio::test]
async fn a_message_in_flight_is_brought_to_its_end() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    let address = rig.address;
    let mut idle = Dialogue::call(address).await;
    idle.begin().await;
    let mut busy = Dialogue::call(address).await;
    busy.begin().await;
    busy.envelope().await;
    busy.ask("DATA", "354").await;
    let super::rig::Rig { service, collected, .. } = rig;
    let stopping = tokio::spawn(service.stop());
    idle.expect("421 ").await;
    idle.expect_end().await;
    busy.send("Subject: x\r\n\r\ny\r\n.\r\n").await;
    busy.expect("250 2.0.0 taken").await;
    busy.expect("421 ").await;
    stopping.await.unwrap();
    assert_eq!(hop.mail().len(), 1);
    let records = collected.lock().unwrap().0.take();
    assert_eq!(records.iter().filter(|r| matches!(r.event, SessionEvent::Account { .. })).count(), 2);
}

#[tokio::test]
async fn a_session_that_does_not_end_is_cut() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan { drain: Duration::from_millis(200), ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    let super::rig::Rig { service, collected, .. } = rig;
    service.stop().await;
    assert!(hop.mail().is_empty());
    let records = collected.lock().unwrap().0.take();
    assert_eq!(records.iter().filter(|r| matches!(r.event, SessionEvent::Account { .. })).count(), 1);
}
