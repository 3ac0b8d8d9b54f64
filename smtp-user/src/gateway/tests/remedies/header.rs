//! Rules on header fields, beside what is done about parts and signatures.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{Scene, mail};
use crate::action::header::HeaderRule;
use crate::action::substitution::Substitution;
use crate::content::fixture::other::base64;
use crate::event::session_event::SessionEvent;
use crate::gateway::tests::dialogue::eicar;
use crate::gateway::tests::rig::Plan;
use crate::inspect::config::Rewriting;
use crate::model::decision::MessageAction;
use crate::policy::part_action::PartAction;
use crate::wire::hexadecimal::hexadecimal;

fn rules() -> Vec<HeaderRule> {
    let rule = |field: &str, left, right| HeaderRule {
        field: field.to_owned(),
        substitution: Substitution::parse(left, right).unwrap(),
    };
    vec![rule("From", "*@old.test", "&@new.test"), rule("Received", "*", "")]
}

async fn scene(rewriting: Rewriting) -> Scene {
    Scene::with_header(PartAction::Strip, rewriting, rules()).await
}

fn rewritten(scene: &Scene) -> Option<(Vec<String>, Vec<String>, String)> {
    scene.events().into_iter().find_map(|event| match event {
        SessionEvent::Rewritten { changes, broken, sha256, .. } => Some((changes, broken, sha256)),
        _ => None,
    })
}

#[tokio::test]
async fn parts_and_fields_are_replaced_in_one_message_and_told_in_one_record() {
    let mut scene = scene(Rewriting::default()).await;
    let signature = "DKIM-Signature: v=1; h=from:to; b=x\r\n";
    let message = mail(&format!("From: <a@old.test>\r\n{signature}"), eicar().as_bytes());
    assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
    let deliveries = scene.hop.mail();
    let got = String::from_utf8(deliveries[0].octets.clone()).unwrap();
    let (trace, got) = got.split_at(got.find("From: <a").unwrap());
    assert!(
        trace.ends_with("X-Postern-Rewritten: part 2 replaced; From rewritten; no longer valid: dkim\r\n"),
        "{trace}"
    );
    assert!(got.starts_with(&format!("From: <a@new.test>\r\n{signature}Subject: x\r\n")), "{got}");
    assert!(!got.contains(&base64(eicar().as_bytes())), "{got}");
    let (changes, broken, sha256) = rewritten(&scene).unwrap();
    assert_eq!(changes[0], "part 2 (a.exe) removed by rule \"programs\"");
    assert_eq!(changes[1..], ["field From: a@old.test -> a@new.test"]);
    assert_eq!(
        (broken.as_slice(), sha256),
        (["dkim".to_owned()].as_slice(), hexadecimal(&Sha256::digest(got.as_bytes())))
    );
    assert_eq!(scene.kept(), [(true, message.into_bytes())]);
}

const PLAIN: &str = "From: <a@old.test>\r\nSubject: x\r\n\r\ntext";

#[tokio::test]
async fn the_original_of_another_header_is_kept_and_the_record_has_both_digests() {
    let mut scene = scene(Rewriting::default()).await;
    assert_eq!(scene.client.mail(PLAIN).await, "250 2.0.0 taken as 4711\r\n");
    let original = format!("{PLAIN}\r\n").into_bytes();
    assert_eq!(scene.kept(), [(true, original.clone())]);
    let entries = scene.store.list().unwrap().entries;
    let hash = |octets: &[u8]| hexadecimal(&Sha256::digest(octets));
    assert_eq!((&entries[0].sha256, &entries[0].decision.action), (&hash(&original), &MessageAction::Pass));
    assert_eq!(Duration::from_micros(entries[0].expires - entries[0].kept), Duration::from_hours(1));
    let events = scene.events();
    let judged = events.iter().find_map(|event| match event {
        SessionEvent::Judged { sha256, .. } => Some(sha256.clone()),
        _ => None,
    });
    assert_eq!(judged, Some(hash(&original)));
    let (changes, _, sha256) = rewritten(&scene).unwrap();
    assert_eq!(changes, ["field From: a@old.test -> a@new.test"]);
    let new = String::from_utf8(original).unwrap().replace("old.test", "new.test");
    assert_eq!(sha256, hash(new.as_bytes()));
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Quarantined { original: true, .. })));
    // What no rule is about goes on as it is, and there is no other form of it.
    scene.client.mail("From: <a@other.test>\r\n\r\ntext").await;
    assert_eq!(scene.kept().len(), 1);
}

#[tokio::test]
async fn who_wants_originals_of_parts_only_gets_no_others() {
    let change = |plan: &mut Plan| {
        plan.header = rules();
        let remedy = Arc::get_mut(plan.remedy.as_mut().unwrap()).unwrap();
        remedy.keeps_for_header = false;
    };
    let mut scene = Scene::planned(PartAction::Strip, Rewriting::default(), change).await;
    assert_eq!(scene.client.mail(PLAIN).await, "250 2.0.0 taken as 4711\r\n");
    assert_eq!(scene.kept(), []);
    assert_eq!(scene.hop.mail().len(), 1);
    let message = mail("From: <a@old.test>\r\n", eicar().as_bytes());
    assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
    assert_eq!(scene.kept(), [(true, message.into_bytes())]);
}

#[tokio::test]
async fn without_room_for_the_original_the_message_is_deferred() {
    let mut scene = scene(Rewriting::default()).await;
    std::fs::remove_dir_all(scene.folder.path().join("quarantine")).unwrap();
    let reply = scene.client.mail(PLAIN).await;
    assert!(reply.starts_with("451 "), "{reply}");
    assert!(scene.hop.mail().is_empty());
}

#[tokio::test]
async fn a_signature_counts_only_where_it_covers_what_changes() {
    let rewriting = Rewriting { dkim: MessageAction::Quarantine, ..Rewriting::default() };
    let mut scene = scene(rewriting).await;
    let signed = "Received: x\r\nFrom: <a@old.test>\r\nDKIM-Signature: h=from; b=x\r\nSubject: x\r\n\r\ntext";
    let reply = scene.client.mail(signed).await;
    assert!(reply.starts_with("250 2.0.0 Accepted, quarantined as "), "{reply}");
    assert_eq!(scene.kept(), [(false, format!("{signed}\r\n").into_bytes())]);
    let other = signed.replace("old.test", "other.test");
    assert_eq!(scene.client.mail(&other).await, "250 2.0.0 taken as 4711\r\n");
    let deliveries = scene.hop.mail();
    let got = String::from_utf8(deliveries[0].octets.clone()).unwrap();
    assert!(got.ends_with(&format!("{}\r\n", other.replace("Received: x", "X-Postern-Hops: 1"))), "{got}");
    assert!(got.contains("X-Postern-Rewritten: Received removed\r\n"), "{got}");
}

#[tokio::test]
async fn a_header_that_is_not_certain_is_not_rewritten() {
    let mut scene = scene(Rewriting::default()).await;
    let uncertain = "From: <a@old.test>\r\nSub ject: x\r\n\r\ntext";
    let reply = scene.client.mail(uncertain).await;
    let expected = "554 5.7.1 Message refused: the fields of its header are not certain (session ";
    assert!(reply.starts_with(expected), "{reply}");
    assert!(
        scene
            .events()
            .iter()
            .any(|event| matches!(event, SessionEvent::Note { what, .. } if what == "header_not_rewritten"))
    );
    // Where no rule is about anything in it, it passes as it is.
    let other = "To: <a@old.test>\r\nSub ject: x\r\n\r\ntext";
    assert_eq!(scene.client.mail(other).await, "250 2.0.0 taken as 4711\r\n");
    let looping = format!("{}\r\ntext", "Received: x\r\n".repeat(51));
    let reply = scene.client.mail(&looping).await;
    assert!(reply.starts_with("554 5.7.1 Message refused: it went through too many hosts"), "{reply}");
    assert_eq!(scene.hop.mail().len(), 1);
}
