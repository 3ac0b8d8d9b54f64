//! Next hops that refuse, hang up and say nothing, at every point of the dialogue: every recipient ends as its next hop
//! said, and every sender is told once of each that failed.

mod ledger;
mod untrusted;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::ledger::{Ledger, Said};
use self::untrusted::Untrusted;
use super::crowd::{Told, depth, put_all};
use super::*;
use crate::delivery::session::script::Mail;
use crate::spool::tests::chance::Chance;

/// Later than any wait.
const LONGER: Duration = Duration::from_mins(89);
const ABANDON_TIME: Duration = Duration::from_hours(12);

/// Where chance begins, or `POSTERN_SEED`.
fn seed(or: u64) -> u64 {
    let seed = std::env::var("POSTERN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    eprintln!("POSTERN_SEED={seed}");
    seed
}

fn patient() -> Settings {
    // Whoever is slow because the machine is busy has not failed.
    let delivery_timeout = Duration::from_secs(5);
    Settings { delivery_timeout, abandon_time: ABANDON_TIME, delay_warning: Duration::ZERO, ..settings() }
}

/// Tries everything again and again, each time when it would be due, until nothing is left but reports, or not even such.
/// Gives how many waits were as they are configured.
async fn tried_to_the_end(rig: &Rig, but_reports: bool) -> u32 {
    let mut waits = 0;
    for _ in 0..1000 {
        rig.at_rest().await;
        if rig.is_empty() || but_reports && left(rig).iter().all(|message| message.about.is_some()) {
            return waits;
        }
        waits += rig.check_waits();
        rig.later(LONGER);
        rig.dequeuer.orders().flush_all();
    }
    panic!("{} messages are left", rig.spool.all().len());
}

fn left(rig: &Rig) -> Vec<QueuedMessage> {
    rig.spool.all().into_iter().map(|(id, _)| rig.spool.load(id).unwrap().1).collect()
}

/// Recipients that senders were told of as failed: by number of the message, one set for each report.
type Reports = BTreeMap<u32, Vec<BTreeSet<String>>>;

/// What senders were told.
fn reports(mail: &[Mail]) -> Reports {
    let mut all = Reports::new();
    for report in mail {
        assert_eq!((report.from.split(' ').next(), report.to.len()), (Some("FROM:<>"), 1));
        let text = std::str::from_utf8(&report.octets).unwrap();
        let names: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("Final-Recipient: rfc822; ")).collect();
        assert_eq!(text.matches("Action: failed").count(), names.len(), "{text}");
        let of_it = all.entry(ledger::address(&report.to[0]).1).or_default();
        of_it.push(names.into_iter().map(str::to_owned).collect());
    }
    sorted(all)
}

/// The same as the records say it has to be: one report for each attempt at which somebody failed for good.
fn due_reports(told: &[Told]) -> Reports {
    let mut attempts: BTreeMap<(u32, &str), BTreeSet<String>> = BTreeMap::new();
    for told in told.iter().filter(|told| matches!(told.outcome.as_str(), "failed" | "expired")) {
        attempts.entry((told.number, &told.time)).or_default().extend(told.recipients.iter().cloned());
    }
    let mut all = Reports::new();
    for ((number, _), paths) in attempts {
        all.entry(number).or_default().push(paths);
    }
    sorted(all)
}

fn sorted(mut all: Reports) -> Reports {
    for reports in all.values_mut() {
        reports.sort();
    }
    all
}

/// Whether what was recorded of a recipient is what was said of it, one after the other.
fn agrees(recorded: &[&Told], said: &[Said]) -> bool {
    match (recorded, said) {
        ([], rest) => rest.iter().all(|said| said.may_be_repeated),
        ([first, others @ ..], [next, rest @ ..]) => {
            (next.is_told_by(&first.outcome, &first.why) && agrees(others, rest))
                || (next.may_be_repeated && agrees(recorded, rest))
        }
        (_, []) => false,
    }
}

/// Nobody was spoken with about a message: it was called in vain, and that is never final.
fn is_about_host(told: &Told) -> bool {
    let places = ["before its greeting", "after EHLO", "before it was called"];
    let is = places.iter().any(|place| told.why.contains(place));
    assert!(!is || matches!(told.outcome.as_str(), "deferred" | "expired"), "{}", told.why);
    is
}

/// Copies that next hops have, by recipient.
fn copies(servers: &[Scripted]) -> HashMap<String, usize> {
    let mut copies = HashMap::new();
    for to in servers.iter().flat_map(Scripted::mail).flat_map(|mail| mail.to) {
        *copies.entry(ledger::address(&to).0).or_default() += 1;
    }
    copies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recipient_ends_as_its_next_hop_has_said() {
    let count = depth(1000, 5000);
    let ledger = Arc::new(Ledger::draw(Chance::new(seed(0x5eed_0009)), count));
    let mut servers = Vec::new();
    for keywords in [&["PIPELINING"][..], &[], &["PIPELINING", "CHUNKING"]] {
        let (ledger, keywords) = (Arc::clone(&ledger), keywords.iter().map(|word| (*word).to_owned()));
        servers.push(Scripted::by_rule(keywords.collect(), move |at, said| ledger.turn(at, said)).await);
    }
    let errors = healthy().await;
    let routing = Routing { error_servers: vec![errors.address.into()], ..Routing::default() };
    let rig = rig(patient(), routing, Zone::default(), Vec::new()).await;
    let messages = (1..=count).map(|number| {
        let paths: Vec<String> = ledger.paths(number);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut message = to(servers[number as usize % servers.len()].address, number, &paths);
        message.sender.path = format!("m.{number}@b.example");
        message
    });
    put_all(&rig.spool, messages.collect()).await;
    let waits = tried_to_the_end(&rig, false).await;

    let told = rig.told().await;
    let mut by_path: HashMap<&str, Vec<&Told>> = HashMap::new();
    for told in told.iter().filter(|told| told.outcome != "reported") {
        told.recipients.iter().for_each(|path| by_path.entry(path).or_default().push(told));
    }
    let copies = copies(&servers);
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for (path, said, unheard) in ledger.said() {
        let recorded = &by_path[path.as_str()];
        let end = recorded.last().unwrap();
        assert!(
            matches!(end.outcome.as_str(), "delivered" | "failed" | "expired"),
            "{path}: {}",
            end.outcome
        );
        let about_it: Vec<&Told> = recorded.iter().copied().filter(|told| !is_about_host(told)).collect();
        let whys: Vec<&str> = about_it.iter().map(|told| told.why.as_str()).collect();
        assert!(agrees(&about_it, &said), "{path}: {said:?} was recorded as {whys:?}");
        // One copy for each time that nobody heard that it was taken.
        let taken = usize::from(end.outcome == "delivered") + unheard;
        assert_eq!(copies.get(&path).copied().unwrap_or(0), taken, "{path}");
        *ends.entry(&end.outcome).or_default() += 1;
    }
    assert_eq!(reports(&errors.mail()), due_reports(&told));
    let faults = ledger.faults();
    eprintln!("{waits} waits; {ends:?}; {faults:?}");
    assert!(ends.len() == 3 && faults.len() >= 20 && waits > count / 4);
}

/// Messages to somebody who cannot be spoken with.
const MESSAGES: u32 = 30;

/// Waits until the last attempt, and one report, for whoever cannot be spoken with at all. Gives why the first attempts
/// have failed.
async fn is_tried_as_configured_and_told_of_once(plan: Plan, address: impl Fn(u32) -> SocketAddr) -> String {
    let errors = healthy().await;
    let are_sent = plan.server_tls == ServerTls::Opportunistic;
    let routing = Routing { error_servers: vec![errors.address.into()], ..plan.routing };
    let rig = Plan { routing, ..plan }.start().await;
    let messages = (1..=MESSAGES).map(|number| {
        let path = format!("0.{number}@{}", in_common(number));
        let mut message = to(address(number), number, &[&path]);
        message.sender.path = format!("m.{number}@b.example");
        message
    });
    put_all(&rig.spool, messages.collect()).await;
    let waits = tried_to_the_end(&rig, !are_sent).await;
    // Of twelve hours three attempts are early ones, and all others eighty minutes from each other.
    assert!((MESSAGES * 9..=MESSAGES * 13).contains(&waits), "{waits}");
    let told = rig.told().await;
    assert!(told.iter().all(|told| matches!(told.outcome.as_str(), "deferred" | "expired" | "reported")));
    let due = due_reports(&told);
    assert!(due.values().all(|reports| reports.len() == 1 && reports[0].len() == 1), "{due:?}");
    assert_eq!(due.len() as u32, MESSAGES);
    if are_sent {
        assert_eq!(due, reports(&errors.mail()));
    } else {
        // The server for reports has no TLS either.
        let to: BTreeSet<String> =
            left(&rig).into_iter().map(|mut it| it.recipients.remove(0).path).collect();
        assert_eq!(to, (1..=MESSAGES).map(|number| format!("m.{number}@b.example")).collect());
        assert_eq!((left(&rig).len() as u32, errors.mail().len()), (MESSAGES, 0));
    }
    told[0].why.clone()
}

/// Ten have a destination in common: one at a time is called for, and the others are not forgotten.
fn in_common(number: u32) -> String {
    format!("d{}.example", number / 10)
}

fn hasty() -> Plan {
    Plan {
        settings: Settings { delivery_timeout: Duration::from_millis(500), ..patient() },
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_is_never_reached_is_tried_as_configured_and_told_of_once() {
    let silent = Scripted::by_rule(vec![], |_, _| Some(Turn::Silence)).await;
    is_tried_as_configured_and_told_of_once(hasty(), |number| match number {
        1 => silent.address,
        _ => SocketAddr::from(([127, 0, 1, number as u8 / 10], 1)),
    })
    .await;
    assert!(silent.connections() >= 9, "{}", silent.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_dns_fails_for_is_tried_as_configured_and_told_of_once() {
    let routing = Routing { use_mx: true, ..Routing::default() };
    let zone = (0..=3).fold(Zone::default(), |zone, number| zone.failing(&in_common(number * 10)));
    let uncalled = healthy().await;
    is_tried_as_configured_and_told_of_once(Plan { routing, zone, ..hasty() }, |_| uncalled.address).await;
    assert_eq!(uncalled.connections(), 0);
}

/// TLS is tried at every attempt and comes to nothing, and nothing is said without it.
async fn is_never_trusted(next_hop: Untrusted, server_tls: ServerTls, words: &str) {
    let plan = Plan { server_tls, ..hasty() };
    let why = is_tried_as_configured_and_told_of_once(plan, |_| next_hop.address).await;
    assert!(why.contains(words), "{why}");
    assert!(next_hop.upgrades() >= 9, "{}", next_hop.upgrades());
    assert_eq!(next_hop.heard_more(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_whose_tls_fails_is_tried_as_configured_and_told_of_once() {
    is_never_trusted(Untrusted::talking_nonsense().await, ServerTls::Required, "is not TLS").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_with_the_wrong_certificate_is_tried_as_configured_and_told_of_once() {
    is_never_trusted(Untrusted::with_a_strangers_certificate().await, ServerTls::Verified, "certificate")
        .await;
}
