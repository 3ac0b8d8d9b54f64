//! Rules on header fields, beside what is done about parts and signatures.

use sha2::{Digest as _, Sha256};

use super::{Scene, mail};
use crate::action::header::HeaderRule;
use crate::action::substitution::Substitution;
use crate::content::fixture::other::base64;
use crate::engine::hash_list::to_hex;
use crate::event::session_event::SessionEvent;
use crate::gateway::tests::dialogue::eicar;
use crate::inspect::config::Rewriting;
use crate::model::decision::MessageAction;
use crate::policy::part_action::PartAction;

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
        (["dkim".to_owned()].as_slice(), to_hex(&Sha256::digest(got.as_bytes())))
    );
    assert_eq!(scene.kept(), [(true, message.into_bytes())]);
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
