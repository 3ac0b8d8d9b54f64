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
//! | `rundir` | `spool::tests::bad_folders`; what is left in a former one: `spool::tests::former` |
//! | `spool_limit` | `spool::tests::limits::the_limit_is_exact` and `..._is_another_from_now_on`; scenario `store_and_forward` (452) |
//! | `spool_limit_scan_period` | `app::store_and_forward::tests` (when the limit is said to be reached, and no longer to be; it is exact without it) |
//! | `detailed_smtp_err_mail`, `detailed_av_err_mail`, `detailed_rb_err_mail` | `delivery::dsn::tests` |
//! | `max_conns` | `no_more_connections_than_allowed` |
//! | `max_conns_per_site` | `each_site_has_its_own_bound` |
//! | `max_mail_size` | `session::acceptor::tests` (SIZE), transcript `message_over_the_limit_is_refused_at_its_end` |
//! | `max_mails_per_conn` | `messages_for_one_next_hop_share_a_connection` |
//! | `max_mx_node_per_mail`, `max_ips_per_mx_node` | `delivery::route::tests` |
//! | `maxrecipients`, `maxrecipients_mode` | transcripts `too_many_recipients` and `too_many_recipients_refuse_the_message` |
//! | `postmaster` | `each_recipient_has_its_own_end_and_the_sender_one_report` |
//! | `default_server` | `mail_without_a_destination_of_its_own_goes_to_the_default_server` |
//! | `max_load` | `no_more_messages_are_in_work_than_the_load_allows` |
//! | `check_rule_base` (of a resource) | `rules_are_asked_about_the_new_destination_only_if_they_are_to_be`, `a_host_that_rules_forbid_is_passed_over` |
//! | `exception_tracking` (of a resource) | `failed_attempts_are_tracked_as_the_resource_says`; `audit::log` |
//!
//! That each is another one after a reload, and `rundir` at the next start, is what the scenarios `parameters` show.

use super::*;
use crate::engine::config::Address;
use crate::model::queued_message::Hold;
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;

/// A message that an engine has to judge first.
fn unjudged(server: SocketAddr, engine: crate::engine::config::Config) -> Plan {
    let mut message = to(server, 1, &["x@y.example"]);
    message.judgement = None;
    let inspection = inspect::Config { engines: vec![engine], ..inspect::Config::default() };
    Plan { messages: vec![message], inspection, ..Plan::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_takes_too_long_keeps_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    // Nobody ever takes a call.
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let clamd = crate::engine::config::Config::clamd("clamd", Address::Unix(path));
    let clamd = crate::engine::config::Config { self_test: false, ..clamd };
    let server = healthy().await;
    let plan = Plan { scan_timeout: Duration::from_millis(100), ..unjudged(server.address, clamd) };
    let rig = plan.start().await;
    let shared = Arc::clone(&rig.dequeuer.shared);
    until("it is to be judged once more", || {
        shared.to_judge().first().is_some_and(|(due, _)| *due > shared.now() + 30_000)
    })
    .await;
    assert_eq!((rig.only().judgement, server.mail().len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_an_engine_is_judged_within_five_seconds_of_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    let clamd = crate::engine::config::Config::clamd("clamd", Address::Unix(path.clone()));
    let server = healthy().await;
    let rig = unjudged(server.address, clamd).start().await;
    let shared = Arc::clone(&rig.dequeuer.shared);
    until("it waits for the engine", || shared.engines_down.load(Ordering::Relaxed)).await;
    assert_eq!((rig.only().judgement, server.mail().len()), (None, 0));
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_as_clamd(stream));
        }
    });
    let back = std::time::Instant::now();
    until("it is delivered", || server.mail().len() == 1).await;
    assert!(back.elapsed() < Duration::from_secs(5), "it took {:?}", back.elapsed());
}

/// Finds the test string in what it gets, and nothing else.
async fn answer_as_clamd(mut stream: tokio::net::UnixStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut octets = Vec::new();
    while !octets.ends_with(b"\0\0\0\0") && !octets.starts_with(b"zVERSION\0") {
        if octets.starts_with(b"zFILDES\0") {
            return stream.write_all(b"not allowed ERROR\0").await.unwrap();
        }
        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let test = crate::engine::eicar::eicar();
    let found = octets.windows(test.len()).any(|window| window == test);
    let reply: &[u8] = if found { b"stream: Eicar FOUND\0" } else { b"stream: OK\0" };
    stream.write_all(reply).await.unwrap();
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
async fn mail_without_a_destination_of_its_own_goes_to_the_default_server() {
    let server = healthy().await;
    let settings = Settings { default_server: Some(server.address.into()), ..settings() };
    // The second was sent to this host itself.
    let destinations = ["0.0.0.0:0", "127.0.0.1:25"];
    let message = |(number, at): (u32, &str)| to(at.parse().unwrap(), number, &["x@y.example"]);
    let messages = (1..).zip(destinations).map(message).collect();
    let rig = rig(settings, Routing::default(), Zone::default(), messages).await;
    until("both are delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 2);
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

/// Drops what goes to a port of this host.
fn no_mail_to(address: SocketAddr) -> PacketRules {
    let mut rule = PacketRule::new("no mail there", Action::Drop);
    rule.to = vec!["127.0.0.0/8".parse().unwrap()];
    rule.service = vec![format!("tcp/{}", address.port()).parse().unwrap()];
    PacketRules::with_ids_of(vec![rule], &PacketRules::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_asked_about_the_new_destination_only_if_they_are_to_be() {
    for check_rule_base in [false, true] {
        let (server, errors) = (healthy().await, healthy().await);
        let routing = Routing {
            servers: vec![server.address.into()],
            error_servers: vec![errors.address.into()],
            check_rule_base,
            ..Routing::default()
        };
        let detail = ReportDetail { smtp: true, rules: true, ..ReportDetail::default() };
        let plan = Plan {
            settings: Settings { detail, ..settings() },
            routing,
            messages: vec![message(1, &["x@y.example"])],
            rules: no_mail_to(server.address),
            ..Plan::default()
        };
        let rig = plan.start().await;
        until("it is delivered or returned", || rig.is_empty()).await;
        let (delivered, returned) = (server.mail().len(), errors.mail().len());
        assert_eq!((delivered, returned), if check_rule_base { (0, 1) } else { (1, 0) });
        if check_rule_base {
            let report = String::from_utf8(errors.mail().remove(0).octets).unwrap();
            assert!(
                report.contains("Status: 5.7.1") && report.contains("not allowed by the rules"),
                "{report}"
            );
            // What the rules are is nobody's business.
            assert!(!report.contains("no mail there"), "{report}");
            let failed = dequeued(&rig).into_iter().find(|(outcome, ..)| outcome == "failed").unwrap();
            assert!(failed.1.contains("rule \"no mail there\" does not let it go to"), "{failed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_rules_forbid_is_passed_over() {
    let (forbidden, server) = (healthy().await, healthy().await);
    let servers = vec![forbidden.address.into(), server.address.into()];
    let routing = Routing { servers, check_rule_base: true, ..Routing::default() };
    let plan = Plan {
        routing,
        messages: vec![message(1, &["x@y.example"])],
        rules: no_mail_to(forbidden.address),
        ..Plan::default()
    };
    let rig = plan.start().await;
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!((forbidden.connections(), server.mail().len()), (0, 1));
    // The other one may be back later.
    let servers = vec![forbidden.address.into(), dead().into()];
    let routing = Routing { servers, check_rule_base: true, ..Routing::default() };
    let plan = Plan {
        routing,
        messages: vec![message(1, &["x@y.example"])],
        rules: no_mail_to(forbidden.address),
        ..Plan::default()
    };
    let rig = plan.start().await;
    until("an attempt has failed", || rig.only().attempts == 1).await;
    assert!(rig.only().recipients[0].state.is_pending());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_attempts_are_tracked_as_the_resource_says() {
    for exception_tracking in [Tracking::None, Tracking::Log, Tracking::Alert] {
        let server = healthy().await;
        let routing = Routing { exception_tracking, ..Routing::default() };
        let messages = vec![to(dead(), 1, &["x@y.example"]), to(server.address, 2, &["x@y.example"])];
        let rig = rig(settings(), routing, Zone::default(), messages).await;
        until("both were tried", || dequeued(&rig).len() == 2).await;
        let mut all: Vec<_> =
            dequeued(&rig).into_iter().map(|(outcome, _, track)| (outcome, track)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let expected =
            [("deferred".to_owned(), exception_tracking), ("delivered".to_owned(), Tracking::None)];
        assert_eq!(all, expected);
    }
}
