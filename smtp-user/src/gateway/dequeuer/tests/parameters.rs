//! Every parameter of store-and-forward has a check of its own; those that are not here are where this table says.
//!
//! | parameter | its check |
//! |---|---|
//! | `timeout` | `app::config::spool`: the two timers below must fit into it |
//! | `scan_timeout` | `a_scan_that_takes_too_long_keeps_the_message` |
//! | `delivery_timeout` | `a_next_hop_that_takes_too_long_is_given_up` |
//! | `scan_period` | `what_was_lost_sight_of_is_found_within_two_periods` |
//! | `resend_period` | `each_recipient_has_its_own_end_and_the_sender_one_report` (600 s, a tenth more or less); `delivery::retry` |
//! | `abandon_time` | `expiry_gives_one_report_and_none_for_a_null_sender` |
//! | `rundir` | `spool::tests::bad_folders` |
//! | `spool_limit` | `spool::tests::limits::the_limit_is_exact` and `..._is_another_from_now_on`; scenario `store_and_forward` (452) |
//! | `spool_limit_scan_period` | only when the limit is said to be reached, and no longer to be; the limit is exact without it |
//! | `detailed_smtp_err_mail`, `detailed_av_err_mail`, `detailed_rb_err_mail` | `delivery::dsn::tests` |
//! | `max_conns` | `no_more_connections_than_allowed` |
//! | `max_conns_per_site` | `each_site_has_its_own_bound` |
//! | `max_mail_size` | `session::acceptor::tests` (SIZE), transcript `message_over_the_limit_is_refused_at_its_end` |
//! | `max_mails_per_conn` | `messages_for_one_next_hop_share_a_connection` |
//! | `max_mx_node_per_mail`, `max_ips_per_mx_node` | `delivery::route::tests` |
//! | `maxrecipients`, `maxrecipients_mode` | transcripts `too_many_recipients` and `too_many_recipients_refuse_the_message` |
//! | `postmaster` | `each_recipient_has_its_own_end_and_the_sender_one_report` |
//! | `default_server` | `mail_without_a_destination_goes_to_the_default_server` |
//! | `max_load` | `no_more_messages_are_in_work_than_the_load_allows` |

use super::*;
use crate::engine::config::Address;
use crate::model::queued_message::Hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_takes_too_long_keeps_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    // Nobody ever takes a call.
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let clamd = crate::engine::config::Config::clamd("clamd", Address::Unix(path));
    let clamd = crate::engine::config::Config { self_test: false, ..clamd };
    let server = healthy().await;
    let mut unjudged = to(server.address, 1, &["x@y.example"]);
    unjudged.judgement = None;
    let plan = Plan {
        messages: vec![unjudged],
        inspection: inspect::Config { engines: vec![clamd], ..inspect::Config::default() },
        scan_timeout: Duration::from_millis(100),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let shared = Arc::clone(&rig.dequeuer.shared);
    until("it is to be judged once more", || {
        shared.to_judge().first().is_some_and(|(due, _)| *due > shared.now() + 30_000)
    })
    .await;
    assert_eq!((rig.only().judgement, server.mail().len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_takes_too_long_is_given_up() {
    let turns = vec![(At::Greeting, Turn::Silence); 20];
    let hole = Scripted::start(Script { keywords: vec![], turns }).await;
    let settings = Settings { delivery_timeout: Duration::from_millis(100), ..settings() };
    let messages = vec![to(hole.address, 1, &["x@y.example"])];
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("an attempt has failed", || rig.only().attempts == 1).await;
    let outcome = rig.only().last_attempt.unwrap().outcome;
    assert!(outcome.contains("took too long before its greeting"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_sight_of_is_found_within_two_periods() {
    let server = healthy().await;
    let mut held = to(server.address, 1, &["x@y.example"]);
    held.hold = Some(Hold { since: NOW, why: "test".to_owned() });
    let settings = Settings { scan_period: Duration::from_millis(100), ..settings() };
    let rig = rig(settings, Routing::default(), Zone::default(), vec![held]).await;
    let shared = Arc::clone(&rig.dequeuer.shared);
    until("it rests", || shared.resting.lock().unwrap().len() == 1).await;
    // Behind the dequeuer's back.
    let mut message = rig.only();
    message.hold = None;
    rig.spool.update(&mut message, Place::Active).await.unwrap();
    shared.resting.lock().unwrap().clear();
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_has_its_own_bound() {
    let (one, other) = (healthy().await, healthy().await);
    let mut messages: Vec<_> = (1..=10).map(|number| to(one.address, number, &["x@y.example"])).collect();
    messages.extend((11..=20).map(|number| to(other.address, number, &["x@y.example"])));
    let settings = Settings { max_conns_per_site: 2, max_mails_per_conn: 1, ..settings() };
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("all are delivered", || rig.is_empty()).await;
    assert_eq!((one.mail().len(), other.mail().len()), (10, 10));
    assert!(one.most_at_a_time() <= 2 && other.most_at_a_time() <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_without_a_destination_goes_to_the_default_server() {
    let server = healthy().await;
    let settings = Settings { default_server: Some(server.address.into()), ..settings() };
    let messages = vec![to("0.0.0.0:0".parse().unwrap(), 1, &["x@y.example"])];
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_messages_are_in_work_than_the_load_allows() {
    let server = healthy().await;
    let messages = (1..=10).map(|number| to(server.address, number, &["x@y.example"])).collect();
    let settings = Settings { max_load: 2, max_mails_per_conn: 1, ..settings() };
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("all are delivered", || rig.is_empty()).await;
    assert!(server.most_at_a_time() <= 2, "{}", server.most_at_a_time());
}
