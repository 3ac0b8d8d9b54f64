//! A story is found by any name that is long enough, and told in order.

use super::*;
use crate::audit::fixture::{self, Fact, account, envelope, judged, opened, part, replied, session, tls};
use crate::audit::reader::Reader;
use crate::cli::mistake::CommandError;
use crate::event::session_event::SessionEvent;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;

fn facts() -> Vec<Fact> {
    let (one, other) = (session(1), session(300_000));
    let hello = SessionEvent::Hello {
        verb: "EHLO".to_owned(),
        name: "client\u{1b}[31m.example".to_owned(),
        removed: vec!["XCLIENT".to_owned()],
        starttls_offered: true,
    };
    let engine = SessionEvent::Engine {
        engine: "clamd".to_owned(),
        version: None,
        result: "infected".to_owned(),
        detail: Some("Eicar-Test-Signature".to_owned()),
        micros: 1_234,
    };
    vec![
        (one, None, opened()),
        (one, None, SessionEvent::NextHop { outcome: "connected".to_owned(), greeting: None }),
        (one, None, hello),
        (one, None, tls(Leg::Server)),
        (one, None, tls(Leg::Client)),
        (one, Some(1), envelope("a@example.org", &["b@example.net"])),
        (one, Some(1), part("1", "text/plain", &[("hashes", "ran(no match)"), ("clamd", "ran(clean)")])),
        (
            one,
            Some(1),
            part("2", "application/pdf", &[("hashes", "ran(eicar)"), ("url", "skipped(decided)")]),
        ),
        (one, Some(1), engine),
        (one, Some(1), judged(MessageVerdict::Infected, MessageAction::Refuse)),
        (one, Some(1), replied(554)),
        (one, Some(2), envelope("a@example.org", &["c@example.net"])),
        (one, Some(2), replied(250)),
        (one, None, account(Disposition::Inspected, [1, 1, 0])),
        (other, None, opened()),
        (other, None, account(Disposition::Inspected, [0; 3])),
    ]
}

fn story(id: &str) -> anyhow::Result<Story> {
    let (_guard, folder) = fixture::write(facts());
    let wanted: Wanted = id.parse()?;
    // The fixture's names are of later times than its records.
    let found = find::find(&mut Reader::open(&folder, 0)?, &wanted)?;
    Ok(Story::new(found.session, wanted.message(), found.records))
}

#[test]
fn a_story_is_told_in_order_with_reasons_and_times() {
    let text = story(&session(1).to_string()).unwrap().text();
    let places: Vec<usize> = [
        "inspected\n",
        "client-leg  opened by the originator 10.77.1.2:40000 by pgw0",
        "server-leg  opened by the gateway to 10.77.2.2:25",
        "rule        \"inbound mail\" (id 3, policy revision 7)",
        "not passed on: XCLIENT",
        "TLS on the server-leg: TLSv1.3",
        "TLS on the client-leg",
        ".1\n",
        "from <a@example.org> to <b@example.net>",
        "part 2: application/pdf \"a.pdf\", 10 octets",
        "hashes ran(eicar), url skipped(decided)\n",
        "engine clamd: infected, Eicar-Test-Signature, 1.234 ms",
        "infected, refused: Eicar-Test-Signature in part 2",
        "replied 554 text (our own), 1.500 ms",
        ".2\n",
        "1 delivered, 1 refused, 0 deferred, 42 ms",
    ]
    .iter()
    .map(|words| text.find(words).unwrap_or_else(|| panic!("{words:?} is not in {text}")))
    .collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("         5.000 ms  from <a@"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_message_is_told_without_the_others() {
    let story = story(&format!("{}.2", session(1))).unwrap();
    let text = story.text();
    assert!(text.contains("c@example.net") && !text.contains("b@example.net"), "{text}");
    assert!(text.contains("pgw0, TLSv1.3 ") && text.contains("10.77.2.2:25, TLSv1.3 "), "{text}");
    assert!(!text.contains("XCLIENT") && !text.contains("\nsession\n"), "{text}");
    assert!(text.starts_with(&format!("session {}: inspected\n", session(1))), "{text}");
    let json = serde_json::to_value(&story).unwrap();
    assert_eq!((&json["message"], &json["disposition"]), (&2.into(), &"inspected".into()));
    assert_eq!(json["records"][0]["event"], "opened");
}

#[test]
fn the_beginning_of_a_name_is_enough_if_no_other_begins_so() {
    let name = session(1).to_string();
    assert_eq!(story(&name[..14]).unwrap().session, session(1));
    assert_eq!(story(&name.to_uppercase()).unwrap().session, session(1));
    let mistake = |id: &str| story(id).unwrap_err().downcast::<CommandError>().unwrap();
    assert!(
        matches!(mistake(&name[..5]), CommandError::ManySessions { candidates, .. } if candidates.len() == 2)
    );
    assert!(matches!(mistake(&format!("{name}.9")), CommandError::NoSuchMessage { number: 9, .. }));
    assert!(matches!(mistake("0193a5e8-7c1d"), CommandError::NoSuchSession { .. }));
}

#[test]
fn other_names_are_refused() {
    for id in
        ["", "019", "0193a5e8x", "0193a5e87", "0193a5e8-7c1d.x", "0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17a"]
    {
        assert!(id.parse::<Wanted>().is_err(), "{id}");
    }
    let wanted: Wanted = "0193a5e8".parse().unwrap();
    assert_eq!(wanted.earliest(), 0x0193_a5e8_0000 * 1000);
}
