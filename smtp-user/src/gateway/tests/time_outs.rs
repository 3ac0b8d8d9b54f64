//! Whoever is slow is cut by the time-out that fits, and told so where that is possible.

use std::time::Duration;

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use super::rig::Plan;
use crate::gateway::timeouts::Timeouts;
use crate::limits::Timeout;

fn short(timeout: Timeout) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.set(timeout, Duration::from_millis(300));
    timeouts
}

#[tokio::test]
async fn a_slow_command_is_cut_however_steadily_it_drips() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan { timeouts: short(Timeout::Command), ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.expect("220").await;
    for octet in "EHLO a.very.long.name.that.never.ends.example".bytes() {
        let _ = client.stream.try_write(&[octet]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.expect("421 ").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"time_out_command".to_owned()), "{:?}", rig.notes());
}

#[tokio::test]
async fn slow_data_is_cut() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan { timeouts: short(Timeout::Data), ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.expect("421 ").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"time_out_data".to_owned()));
    assert!(hop.mail().is_empty());
}

#[tokio::test]
async fn data_that_only_drips_is_cut_by_its_rate() {
    let hop = NextHop::start(Manner::default()).await;
    let timeouts =
        Timeouts { minimum_rate: 1000, rate_grace: Duration::from_millis(1001), ..Timeouts::default() };
    let rig = Plan { timeouts, ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    for _ in 0..60 {
        let _ = client.stream.try_write(b"x\r\n");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    client.expect("421 ").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"data_too_slow".to_owned()), "{:?}", rig.notes());
}

#[tokio::test]
async fn a_next_hop_that_never_greets_is_given_up() {
    let hop = NextHop::start(Manner { mute: true, ..Manner::default() }).await;
    let rig = Plan { timeouts: short(Timeout::Greeting), ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.expect("421 ").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"time_out_greeting".to_owned()));
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let hop = NextHop::start(Manner::default()).await;
    let timeouts = Timeouts { session: Duration::from_millis(300), ..Timeouts::default() };
    let rig = Plan { timeouts, ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.expect("421 ").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"time_out_session".to_owned()));
}
