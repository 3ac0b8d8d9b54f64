//! A connection is kept a moment for more mail, and no longer than it may be used.

use super::*;

async fn delivered_one_after_the_other(rig: &Rig, server: &Scripted, count: u32) {
    for number in 1..=count {
        put(&rig.spool, to(server.address, number, &["x@y.example"])).await;
        until("it is delivered", || rig.is_empty()).await;
    }
    assert_eq!(server.mail().len(), count as usize);
}

fn goodbyes(server: &Scripted) -> usize {
    server.commands().iter().filter(|command| command.starts_with("QUIT")).count()
}

async fn empty_rig(settings: Settings) -> Rig {
    let rig = rig(settings, Routing::default(), Zone::default(), Vec::new()).await;
    rig.spool.intake().set_limit(None);
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_comes_in_little_by_little_shares_a_connection() {
    let server = healthy().await;
    let rig = empty_rig(settings()).await;
    delivered_one_after_the_other(&rig, &server, 4).await;
    // A machine that stands still between two of them may take longer than a connection is kept.
    assert!(server.connections() < 4, "{}", server.connections());
    until("each has ended in good manners", || goodbyes(&server) == server.connections()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_is_closed_when_it_has_carried_enough() {
    let server = healthy().await;
    let rig = empty_rig(Settings { max_mails_per_conn: 2, ..settings() }).await;
    delivered_one_after_the_other(&rig, &server, 4).await;
    assert!(server.connections() >= 2);
    until("each has ended in good manners", || goodbyes(&server) == server.connections()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_makes_way_for_another_destination() {
    let (one, other) = (healthy().await, healthy().await);
    let rig = empty_rig(Settings { max_conns: 1, ..settings() }).await;
    delivered_one_after_the_other(&rig, &one, 1).await;
    delivered_one_after_the_other(&rig, &other, 1).await;
    assert_eq!(goodbyes(&one), 1, "before the other one was called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_next_hop_closed_costs_no_attempt() {
    let turns = vec![(At::Next, Turn::HangUp)];
    let server = Scripted::start(Script { keywords: keywords(), turns }).await;
    let rig = empty_rig(settings()).await;
    delivered_one_after_the_other(&rig, &server, 2).await;
    assert_eq!(server.connections(), 2);
    assert!(dequeued(&rig).iter().all(|(outcome, ..)| outcome == "delivered"), "{:?}", dequeued(&rig));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_under_other_settings_or_at_the_end() {
    let server = healthy().await;
    let rig = empty_rig(settings()).await;
    delivered_one_after_the_other(&rig, &server, 1).await;
    let setup = DequeuerSetup::clone(&rig.dequeuer.shared.setup());
    rig.dequeuer.set_up(setup);
    until("it is closed", || goodbyes(&server) == 1).await;
    put(&rig.spool, to(server.address, 2, &["x@y.example"])).await;
    until("it is delivered", || rig.is_empty()).await;
    rig.dequeuer.stop().await;
    assert_eq!((server.connections(), goodbyes(&server)), (2, 2));
}
