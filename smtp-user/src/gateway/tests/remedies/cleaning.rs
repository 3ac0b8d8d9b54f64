//! Safe copies in place of parts.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Plan, Scene, from_base64, mail};
use crate::content::container::zip::layout::layout;
use crate::content::fixture::zip::{Entry, archive};
use crate::content::{ContentLimits, fixture};
use crate::event::session_event::SessionEvent;
use crate::inspect::config::{PageCopy, Rewriting};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::wire::hexadecimal::hexadecimal;
use crate::worker::pool::Pool;
use crate::worker::protocol::{self, Unpacked};

const PAGE: &str = "<html><body onload=\"x()\"><p>Caf\u{e9}</p><script>alert(1)</script></body></html>";
const COPY: &str = "<html><body><p>Caf\u{e9}</p></body></html>";

/// What was rewritten, as the record says.
fn changes(scene: &Scene) -> Vec<String> {
    let changes = |event| match event {
        SessionEvent::Rewritten { changes, .. } => Some(changes),
        _ => None,
    };
    scene.events().into_iter().find_map(changes).unwrap_or_default()
}

/// The octets of the second part.
fn second(got: &str) -> Vec<u8> {
    let (_, part) = got.split_once("base64\r\n\r\n").unwrap();
    from_base64(part.split_once("\r\n--b").unwrap().0)
}

#[tokio::test]
async fn a_copy_goes_on_under_the_same_fields_and_the_original_is_kept() {
    let mut scene = Scene::of(PartAction::Clean).await;
    let message = mail("", PAGE.as_bytes());
    assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
    let (trace, got) = scene.got();
    assert!(trace.ends_with("X-Postern-Rewritten: part 2 replaced\r\n"), "{trace}");
    assert_eq!(String::from_utf8(second(&got)).unwrap(), COPY);
    let (before, rest) = message.split_once("Content-Transfer-Encoding").unwrap();
    let (_, after) = rest.split_once("\r\n--b\r\n").unwrap();
    assert!(got.starts_with(before) && got.ends_with(after), "{got}");
    assert_eq!(scene.kept(), [(true, message.into_bytes())]);
    let sha256 = hexadecimal(&Sha256::digest(COPY.as_bytes()));
    assert_eq!(
        changes(&scene),
        [format!(
            "part 2 (a.exe) cleaned by rule \"programs\": without attribute onload, script; the copy has SHA-256 {sha256}"
        )]
    );
}

#[tokio::test]
async fn of_a_page_its_text_goes_on_where_that_is_asked_for() {
    let rewriting = Rewriting { pages: PageCopy::Text, ..Rewriting::default() };
    let mut scene = Scene::new(PartAction::Clean, rewriting).await;
    let message = mail("", PAGE.as_bytes());
    assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
    let (_, got) = scene.got();
    let text = "Caf\u{e9}\r\n";
    let fields = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\
                  Content-Disposition: inline; filename=\"a.exe.txt\"\r\n\r\n";
    let (_, part) = got.split_once(fields).expect(&got);
    let (part, _) = part.split_once("\r\n--b").unwrap();
    assert_eq!(String::from_utf8(from_base64(part)).unwrap(), text);
    let sha256 = hexadecimal(&Sha256::digest(text.as_bytes()));
    let expected =
        format!("part 2 (a.exe) cleaned by rule \"programs\": as plain text; the copy has SHA-256 {sha256}");
    assert_eq!(changes(&scene), [expected]);
}

#[tokio::test]
async fn an_archive_goes_on_with_its_documents_cleaned_and_the_record_says_which() {
    let page = PAGE.as_bytes();
    let original = archive(&[
        Entry::deflated("docs/p.html", page),
        Entry::deflated("notes.txt", b"as it was"),
        Entry::deflated("q.htm", page),
    ]);
    let (was, is) = (hexadecimal(&Sha256::digest(page)), hexadecimal(&Sha256::digest(COPY.as_bytes())));
    // A rule on the archive is about all that is in it, and one on members about those.
    for (pattern, cleaned) in [("*.exe", &["docs/p.html", "q.htm"][..]), ("*.html", &["docs/p.html"])] {
        let change = |plan: &mut Plan| plan.inspection.rules[0].file_names = vec![PartPattern::new(pattern)];
        let mut scene = Scene::planned(PartAction::Clean, Rewriting::default(), change).await;
        let message = mail("", &original);
        assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
        let copy = second(&scene.got().1);
        let mut left = 1 << 20;
        let limits = ContentLimits::default();
        for (old, new) in layout(&original, 9).unwrap().members.iter().zip(layout(&copy, 9).unwrap().members)
        {
            if cleaned.contains(&new.names[0].as_str()) {
                assert_eq!(new.unpack(&limits, &mut left).unwrap(), COPY.as_bytes());
            } else {
                assert_eq!(old.own, new.own);
            }
        }
        let told = changes(&scene);
        let sha256 = hexadecimal(&Sha256::digest(&copy));
        assert!(told[0].ends_with(&format!("; the copy has SHA-256 {sha256}")), "{told:?}");
        let each = |place: &&str| {
            format!("part 2/{place}: without attribute onload, script; SHA-256 {was}, of the copy {is}")
        };
        assert_eq!(told[1..], cleaned.iter().map(each).collect::<Vec<_>>());
        assert_eq!(scene.kept(), [(true, message.into_bytes())]);
    }
}

#[tokio::test]
async fn what_was_found_in_an_archive_beside_what_is_cleaned_still_counts() {
    let original = archive(&[
        Entry::deflated("p.html", PAGE.as_bytes()),
        Entry::deflated("bad.txt", super::eicar().as_bytes()),
    ]);
    let change = |plan: &mut Plan| {
        plan.inspection.rules[0].verdicts = vec![MessageVerdict::Infected];
    };
    let mut scene = Scene::planned(PartAction::Clean, Rewriting::default(), change).await;
    let reply = scene.client.mail(mail("", &original).trim_end()).await;
    assert!(reply.starts_with("554 5.7.1"), "{reply}");
    assert!(scene.hop.mail().is_empty());
}

#[tokio::test]
async fn a_part_with_nothing_to_take_out_passes_octet_for_octet() {
    for content in [COPY.as_bytes(), b"plain text", b"\x89PNG\r\n\x1a\n"] {
        let mut scene = Scene::of(PartAction::Clean).await;
        let message = mail("", content);
        assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
        let (trace, got) = scene.got();
        assert!(!trace.contains("Rewritten"), "{trace}");
        assert_eq!(got, message);
        assert!(scene.kept().is_empty() && changes(&scene).is_empty());
    }
}

#[tokio::test]
async fn a_notice_stands_for_what_no_copy_can_be_made_of() {
    for (content, why) in [(fixture::program(), "it is pe"), (b"%PDF-1.4 cut".to_vec(), "it is damaged")] {
        let mut scene = Scene::of(PartAction::Clean).await;
        let message = mail("", &content);
        let reply = scene.client.mail(message.trim_end()).await;
        if !reply.starts_with("250") {
            // What is in it has a verdict of its own, and that is stricter.
            assert!(why.contains("damaged"), "{reply}");
            continue;
        }
        let (_, got) = scene.got();
        assert!(got.contains(&format!("Cause:        no safe copy can be made of it: {why}")), "{got}");
        assert_eq!(scene.kept(), [(true, message.into_bytes())]);
        assert!(changes(&scene)[0].contains("removed by rule"), "{:?}", changes(&scene));
    }
}

#[tokio::test]
async fn what_was_found_in_a_part_is_not_cleaned_away() {
    let mut scene = Scene::of(PartAction::Clean).await;
    let reply = scene.client.mail(mail("", super::eicar().as_bytes()).trim_end()).await;
    assert!(reply.starts_with("554 5.7.1"), "{reply}");
    assert!(scene.hop.mail().is_empty());
}

#[tokio::test]
async fn files_within_a_document_do_not_reach_the_next_hop() {
    let mut scene = Scene::of(PartAction::Clean).await;
    let reply = scene.client.mail(mail("", &fixture::pdf("a.txt", b"harmless")).trim_end()).await;
    assert_eq!(reply, "250 2.0.0 taken as 4711\r\n");
    let copy = second(&scene.got().1);
    assert!(copy.starts_with(b"%PDF-") && memchr::memmem::find(&copy, b"harmless").is_none());
    assert!(changes(&scene)[0].contains("without embedded file"), "{:?}", changes(&scene));
}

/// Workers that unpack, and end over what they are to copy.
fn workers_that_cannot_copy() -> Arc<Pool> {
    let mut answer = Vec::new();
    protocol::write(&mut answer, &vec![Unpacked::default()]).unwrap();
    let octal: Vec<String> = answer.iter().map(|octet| format!("\\{octet:03o}")).collect();
    let octal = octal.concat();
    // The first line ends within the part.
    let script = format!(
        "printf r; read -r line; case $line in *Unpack*) printf '{octal}'; read -r line; exit 3; esac; exit 3"
    );
    Arc::new(Pool::new("/bin/sh".into(), vec!["-c".to_owned(), script]))
}

#[tokio::test]
async fn a_part_that_ends_whoever_copies_it_follows_what_is_configured() {
    for (action, code) in
        [(MessageAction::Refuse, "554"), (MessageAction::Defer, "451"), (MessageAction::Quarantine, "250")]
    {
        let rewriting = Rewriting { not_possible: action, ..Rewriting::default() };
        let change = |plan: &mut super::Plan| plan.workers = Some(workers_that_cannot_copy());
        let mut scene = Scene::planned(PartAction::Clean, rewriting, change).await;
        let message = mail("", format!("{PAGE}\n\n").as_bytes());
        for why in [
            "a worker ended over the safe copy of a part",
            "a worker ended over the safe copy of a part",
            "the safe copy of a part has ended workers before",
        ] {
            let reply = scene.client.mail(message.trim_end()).await;
            assert!(reply.starts_with(code), "{reply}");
            let last = scene.events().into_iter().rev().find_map(|event| match event {
                SessionEvent::Note { what, detail, .. } if what == "not_rewritten" => detail,
                _ => None,
            });
            assert_eq!(last.as_deref(), Some(why));
        }
        assert!(scene.hop.mail().is_empty());
        assert_eq!(scene.kept().len(), if code == "250" { 3 } else { 0 });
    }
}
