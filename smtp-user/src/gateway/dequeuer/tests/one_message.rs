//! Orders about one message say nothing of the others.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_flushed_is_tried_and_no_other_for_its_next_hop() {
    let messages: Vec<_> = (1..=3).map(|number| to(dead(), number, &["x@y.example"])).collect();
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    let rig = rig(settings(), Routing::default(), Zone::default(), messages).await;
    rig.at_rest().await;
    let attempts = || -> Vec<u32> { ids.iter().map(|id| rig.spool.load(*id).unwrap().1.attempts).collect() };
    assert_eq!(attempts(), [1, 1, 1]);
    for order in [Order::Flush, Order::Reroute { to: None }] {
        rig.dequeuer.orders().carry_out(order, ids[1], "root").await.unwrap();
        rig.at_rest().await;
    }
    assert_eq!(attempts(), [1, 3, 1]);
    let said = rig.spool.load(ids[1]).unwrap().1.last_attempt.unwrap().outcome;
    assert!(said.contains("connection refused") && !said.contains("not called"), "{said}");
}
