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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_would_change_nothing_of_a_held_message_is_refused() {
    let waiting = to(dead(), 1, &["x@y.example"]);
    let id = waiting.id;
    let rig = rig(settings(), Routing::default(), Zone::default(), vec![waiting]).await;
    rig.at_rest().await;
    let orders = rig.dequeuer.orders();
    orders.carry_out(Order::Hold, id, "root").await.unwrap();
    for order in [Order::Flush, Order::Requeue] {
        let refused = orders.carry_out(order, id, "root").await.unwrap_err();
        assert_eq!(refused.to_string(), "it is held: release it");
    }
    orders.carry_out(Order::Release, id, "root").await.unwrap();
    orders.carry_out(Order::Flush, id, "root").await.unwrap();
}
