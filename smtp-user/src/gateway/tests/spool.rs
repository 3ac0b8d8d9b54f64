//! Messages are taken over: without a next hop, onto the disk before they are answered.

use std::sync::Arc;
use std::time::Duration;

use super::dialogue::{Dialogue, eicar};
use super::rig::Plan;
use crate::event::session_event::SessionEvent;
use crate::gateway::remedy::Remedy;
use crate::gateway::taker::Reception;
use crate::model::decision::MessageAction;
use crate::model::queued_message::ReturnPart;
use crate::model::source_bans::NoSourceBans;
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::policy::part_rule::PartRule;
use crate::quarantine::store::Store;
use crate::session::relay::RelayLimits;
use crate::spool::config::Config;
use crate::spool::store::Spool;

/// A spool for so many messages, and a rig before it.
fn plan(limit: u64) -> (tempfile::TempDir, Spool, Plan) {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        Config { limit: Some(limit), min_free_octets: 0, min_free_files: 0, ..Config::within(folder.path()) };
    let (spool, _) = Spool::open(&settings).unwrap();
    // Nobody listens there, and nobody is called.
    let mut plan = Plan::to("127.0.0.1:1".parse().unwrap());
    plan.reception = Some(Reception {
        spool: spool.intake(),
        hold: Duration::from_secs(5),
        limits: RelayLimits::default(),
    });
    (folder, spool, plan)
}

/// Greeting and EHLO, of the gateway's own.
async fn greet(client: &mut Dialogue<tokio::net::TcpStream>) {
    client.expect("220 gw.example").await;
    let offers = client.ask("EHLO client.example", "250").await;
    assert!(offers.contains("250-DSN\r\n") && offers.contains("250-SIZE "), "{offers}");
}

#[tokio::test]
async fn a_message_is_in_the_spool_before_it_is_answered() {
    let (_folder, spool, plan) = plan(10);
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    greet(&mut client).await;
    client.ask("MAIL FROM:<a@client.test> RET=HDRS", "250").await;
    client.ask("RCPT TO:<b@server.test> NOTIFY=FAILURE", "250").await;
    client.ask("DATA", "354").await;
    let reply = client.ask("Received: x\r\nSubject: s\r\n\r\ntext\r\n.", "250").await;
    let [(id, _)] = spool.all()[..] else { panic!("{:?}", spool.all()) };
    assert!(reply.contains(&format!("2.0.0 queued as {id}")), "{reply}");
    let (_, message) = spool.load(id).unwrap();
    let body = spool.body(&message).unwrap();
    let mut octets = vec![0; usize::try_from(body.len()).unwrap()];
    body.read_at(0, &mut octets).unwrap();
    assert_eq!(octets, b"Received: x\r\nSubject: s\r\n\r\ntext\r\n");
    assert_eq!((message.hops, message.policy, message.rule_name.as_str()), (1, 7, "mail"));
    assert!(message.judgement.as_ref().is_some_and(|kept| kept.in_dialogue), "{message:?}");
    assert!(message.trace.contains("X-Postern-Session: "), "{message:?}");
    client.ask("QUIT", "221").await;
    rig.accounts(1).await;
    let records = rig.records();
    assert!(records.iter().any(|record| matches!(record.event, SessionEvent::Queued { judged: true, .. })));
    assert!(records.iter().any(|record| {
        matches!(record.event, SessionEvent::Replied { code: 250, from_next_hop: false, .. })
    }));
}

#[tokio::test]
async fn a_message_that_is_refused_is_not_in_the_spool_and_the_limit_is_told_at_mail() {
    let (_folder, spool, plan) = plan(1);
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    greet(&mut client).await;
    let eicar = eicar();
    for (text, code) in [(eicar.as_str(), "554"), ("text", "250")] {
        client.ask("MAIL FROM:<a@client.test>", "250").await;
        client.ask("RCPT TO:<b@server.test>", "250").await;
        client.ask("DATA", "354").await;
        client.ask(&format!("Subject: s\r\n\r\n{text}\r\n."), code).await;
    }
    assert_eq!(spool.count(), 1);
    client.ask("MAIL FROM:<a@client.test>", "452").await;
    client.ask("QUIT", "221").await;
    rig.accounts(1).await;
    assert!(rig.notes().contains(&"spool_limit".to_owned()), "{:?}", rig.notes());
}

#[tokio::test]
async fn a_rewritten_message_is_in_the_spool_as_it_goes_on() {
    let (folder, spool, mut plan) = plan(10);
    let mut rule = PartRule::new("programs", PartAction::Strip);
    rule.file_names = vec![PartPattern::new("*.exe")];
    plan.inspection.rules = vec![rule];
    let (quarantine, _) = Store::open(&folder.path().join("kept")).unwrap();
    plan.remedy = Some(Arc::new(Remedy {
        quarantine: quarantine.clone(),
        keep_for: Duration::from_hours(1),
        keep_originals_for: Duration::from_hours(1),
        keeps_for_header: true,
        lock_key: None,
        bans: Arc::new(NoSourceBans),
    }));
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    greet(&mut client).await;
    client.ask("MAIL FROM:<a@client.test> RET=HDRS", "250").await;
    client.ask("RCPT TO:<b@server.test> NOTIFY=FAILURE", "250").await;
    client.ask("DATA", "354").await;
    let reply = client
        .ask("Subject: s\r\nContent-Type: application/x-a; name=a.exe\r\n\r\nprogram\r\n.", "250")
        .await;
    let [(id, _)] = spool.all()[..] else { panic!("{:?}", spool.all()) };
    assert!(reply.contains(&format!("2.0.0 queued as {id}")), "{reply}");
    let (_, message) = spool.load(id).unwrap();
    let body = spool.body(&message).unwrap();
    let mut octets = vec![0; usize::try_from(body.len()).unwrap()];
    body.read_at(0, &mut octets).unwrap();
    let text = String::from_utf8(octets).unwrap();
    assert!(
        text.starts_with("Subject: s\r\nMIME-Version: 1.0\r\n") && !text.contains("program\r\n"),
        "{text}"
    );
    assert!(message.trace.contains("X-Postern-Rewritten: part 1 replaced\r\n"), "{message:?}");
    // It may be delivered as it is now.
    assert_eq!(message.judgement.unwrap().decision.action, MessageAction::Pass);
    let entries = quarantine.list().unwrap().entries;
    assert!(entries[0].original && entries[0].sender.ret == Some(ReturnPart::Headers), "{entries:?}");
    client.ask("QUIT", "221").await;
    rig.accounts(1).await;
}

#[tokio::test]
async fn a_message_that_is_judged_later_has_the_header_that_rules_ask_for() {
    use crate::action::header::HeaderRule;
    use crate::action::substitution::Substitution;
    let (folder, spool, mut plan) = plan(10);
    // An engine that takes the call and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let local = silent.local_addr().unwrap();
    let address = crate::engine::config::Address::Tcp(local.to_string());
    plan.inspection.engines = vec![crate::engine::config::Config::clamd("silent", address)];
    plan.reception.as_mut().unwrap().hold = Duration::from_millis(20);
    let rule = |field: &str, left, right| HeaderRule {
        field: field.to_owned(),
        substitution: Substitution::parse(left, right).unwrap(),
    };
    plan.header = vec![rule("From", "*@old.test", "&@new.test"), rule("Received", "*", "")];
    let (quarantine, _) = Store::open(&folder.path().join("kept")).unwrap();
    plan.remedy = Some(Arc::new(Remedy {
        quarantine: quarantine.clone(),
        keep_for: Duration::from_hours(1),
        keep_originals_for: Duration::from_hours(1),
        keeps_for_header: true,
        lock_key: None,
        bans: Arc::new(NoSourceBans),
    }));
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    greet(&mut client).await;
    client.ask("MAIL FROM:<a@client.test>", "250").await;
    client.ask("RCPT TO:<b@server.test>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Received: x\r\nFrom: <al@old.test>\r\nReceived: y\r\n\r\ntext\r\n.", "250").await;
    let [(id, _)] = spool.all()[..] else { panic!("{:?}", spool.all()) };
    let (_, message) = spool.load(id).unwrap();
    let body = spool.body(&message).unwrap();
    let mut octets = vec![0; usize::try_from(body.len()).unwrap()];
    body.read_at(0, &mut octets).unwrap();
    let text = String::from_utf8(octets).unwrap();
    assert_eq!(text, "X-Postern-Hops: 2\r\nFrom: <al@new.test>\r\n\r\ntext\r\n");
    assert!(message.judgement.is_none() && message.hops == 2, "{message:?}");
    let expected = "X-Postern-Rewritten: Received removed; From rewritten\r\n";
    assert!(message.trace.ends_with(expected), "{message:?}");
    let kept = quarantine.list().unwrap().entries;
    assert!(kept.len() == 1 && kept[0].original, "{kept:?}");
    assert!(rig.notes().contains(&"hold_elapsed".to_owned()));
    client.ask("QUIT", "221").await;
    rig.accounts(1).await;
}
