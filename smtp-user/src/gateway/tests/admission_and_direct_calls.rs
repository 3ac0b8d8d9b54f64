//! Who is turned away is told so, and has an account.

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use super::rig::Plan;
use crate::gateway::admission::Bounds;
use crate::model::disposition::Disposition;

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan { bounds: Bounds { in_all: 10, per_source: 1 }, ..Plan::to(hop.address) }.build();
    let mut first = Dialogue::call(rig.address).await;
    first.begin().await;
    let mut second = Dialogue::call(rig.address).await;
    second.expect("421 4.7.0 gw.example ").await;
    second.expect_end().await;
    first.ask("QUIT", "221").await;
    first.expect_end().await;
    let accounts = rig.accounts(2).await;
    assert_eq!(accounts[0], Disposition::Refused("too_many_connections_from_source".to_owned()));
    let mut third = Dialogue::call(rig.address).await;
    third.begin().await;
    assert_eq!(hop.peers().len(), 2);
}

#[tokio::test]
async fn a_call_to_the_listener_itself_goes_nowhere() {
    let rig = Plan { next_hop: None, ..Plan::to("127.0.0.1:1".parse().unwrap()) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.expect("421 ").await;
    client.expect_end().await;
    assert_eq!(rig.accounts(1).await, [Disposition::Refused("direct_connection".to_owned())]);
}
