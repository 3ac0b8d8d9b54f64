//! What each order makes of a message.

use super::*;
use crate::delivery::fixture::{NOW, failed, message};

fn waiting() -> QueuedMessage {
    let mut waiting = message(1, &["a@y.example", "b@y.example"]);
    let next_attempt = NOW + 600_000_000;
    waiting.recipients[0].state = RecipientState::Pending { attempts: 3, last: None, next_attempt };
    waiting.recipients[1].state = failed();
    waiting.hold = Some(Hold { since: NOW, why: "test".to_owned() });
    waiting
}

fn changed(order: Order) -> (Option<Place>, QueuedMessage) {
    let mut message = waiting();
    let to = change(order, Place::Deferred, &mut message, "root", NOW).unwrap();
    (to, message)
}

#[test]
fn a_message_is_sent_elsewhere_and_back() {
    let elsewhere = "192.0.2.99:2525".parse().unwrap();
    let (to, mut message) = changed(Order::Reroute { to: Some(elsewhere) });
    assert_eq!(
        (to, message.reroute, message.next_attempt()),
        (Some(Place::Deferred), Some(elsewhere), Some(0))
    );
    change(Order::Reroute { to: None }, Place::Deferred, &mut message, "root", NOW).unwrap();
    assert_eq!(message.reroute, None);
}

#[test]
fn whoever_is_still_waited_for_has_failed_when_a_message_is_given_up() {
    let (to, message) = changed(Order::Bounce);
    assert_eq!((to, &message.hold), (Some(Place::Deferred), &None));
    let RecipientState::Failed { reply, .. } = &message.recipients[0].state else {
        panic!("{:?}", message.recipients[0]);
    };
    assert_eq!(reply.status, "5.0.0");
    assert_eq!(message.recipients[1].state, failed());
}

#[test]
fn what_is_in_quarantine_is_returned_to_nobody() {
    let mut message = waiting();
    let refused = change(Order::Bounce, Place::Quarantine, &mut message, "root", NOW);
    assert!(matches!(refused, Err(OrderError::InQuarantine)));
    assert_eq!(message, waiting());
}

#[test]
fn what_is_in_quarantine_is_only_released_or_deleted() {
    for order in [Order::Flush, Order::Requeue] {
        let mut message = waiting();
        message.hold = None;
        message.judgement.as_mut().unwrap().decision.action = MessageAction::Quarantine;
        let refused = change(order, Place::Quarantine, &mut message, "root", NOW);
        assert!(matches!(refused, Err(OrderError::InQuarantine)), "{order:?}: {refused:?}");
    }
}

#[test]
fn orders_go_over_the_socket_and_back() {
    let to = Some("192.0.2.99:2525".parse().unwrap());
    for order in [Order::Flush, Order::Reroute { to }, Order::Reroute { to: None }, Order::Bounce] {
        let request = Request { order, ids: vec![waiting().id], to: None, who: "root".to_owned() };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap().order, order, "{text}");
    }
}

#[test]
fn only_a_flush_that_names_nothing_is_about_all_messages() {
    let request = |order, ids: &[MessageId], to: Option<&str>| Request {
        order,
        ids: ids.to_vec(),
        to: to.map(str::to_owned),
        who: "root".to_owned(),
    };
    assert!(request(Order::Flush, &[], None).is_about_all());
    assert!(!request(Order::Flush, &[waiting().id], None).is_about_all());
    assert!(!request(Order::Flush, &[], Some("y.example")).is_about_all());
    let others = [Order::Hold, Order::Release, Order::Requeue, Order::Bounce, Order::Delete];
    for order in others.into_iter().chain([Order::Reroute { to: None }]) {
        assert!(!request(order, &[], None).is_about_all(), "{order:?}");
    }
}
