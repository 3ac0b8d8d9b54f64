mod ruled;

use super::{Finding, FoundIn, Seen, combine};
use crate::engine::outcome::{EngineError, EngineOutcome, EngineReport};
use crate::inspect::config::{Actions, Rewriting};
use crate::model::decision::MessageAction::{self, Defer, Pass, Refuse};
use crate::model::decision::MessageVerdict::{
    self, Ambiguous, Clean, Encrypted, EngineError as Error, Infected, LimitExceeded, Unsupported,
};
use crate::wire::mime::defect::Defect;

fn engine(outcome: EngineOutcome, when_down: MessageAction) -> (EngineReport, MessageAction) {
    let engine = "secret-engine".to_owned();
    (EngineReport { engine, version: None, outcome, micros: 1 }, when_down)
}

fn down(when_down: MessageAction) -> (EngineReport, MessageAction) {
    engine(EngineOutcome::Error(EngineError::TimedOut), when_down)
}

fn decide(
    names: &[&str],
    defects: &[Defect],
    engines: &[(EngineReport, MessageAction)],
    actions: &Actions,
) -> (MessageVerdict, MessageAction, String) {
    let findings: Vec<_> =
        names.iter().map(|name| Finding { name: (*name).to_owned(), part: None }).collect();
    let defects: Vec<_> = defects.iter().map(|defect| (*defect, "1".to_owned())).collect();
    let seen = Seen { findings: &findings, defects: &defects, engines, ..Seen::default() };
    let decision = combine(seen, actions, &Rewriting::default()).decision;
    assert!(!decision.why.contains("secret-engine") && !decision.why.is_empty());
    (decision.verdict, decision.action, decision.why)
}

#[test]
fn every_line_of_the_table() {
    let (limit, key) = (EngineOutcome::LimitExceeded("x".into()), EngineOutcome::Encrypted("x".into()));
    let found = EngineOutcome::Infected("X".into());
    for (names, defects, engines, verdict, action) in [
        (&[][..], &[][..], vec![], Clean, Pass),
        (&[], &[], vec![engine(EngineOutcome::Clean, Defer)], Clean, Pass),
        (&["X"], &[], vec![], Infected, Refuse),
        (&[], &[], vec![engine(found.clone(), Defer)], Infected, Refuse),
        (&[], &[], vec![engine(limit.clone(), Pass)], LimitExceeded, Refuse),
        (&[], &[], vec![engine(key, Pass)], Encrypted, Refuse),
        (&[], &[], vec![down(Defer)], Error, Defer),
        (&[], &[], vec![down(Refuse)], Error, Refuse),
        (&[], &[], vec![down(Pass)], Error, Pass),
        (&[], &[Defect::TwoContentTypes], vec![], Ambiguous, Refuse),
        (&[], &[Defect::PartialMessage], vec![], Unsupported, Refuse),
        (&[], &[Defect::TooDeep], vec![], LimitExceeded, Refuse),
        // Several at once.
        (&["X"], &[Defect::TooDeep], vec![down(Defer)], Infected, Refuse),
        (&[], &[], vec![down(Defer), engine(found.clone(), Defer)], Infected, Refuse),
        (&[], &[], vec![down(Pass), down(Defer)], Error, Defer),
        (&[], &[], vec![down(Pass), engine(EngineOutcome::Clean, Defer)], Error, Pass),
        (&[], &[Defect::TwoContentTypes, Defect::TooDeep], vec![engine(limit, Defer)], LimitExceeded, Refuse),
        (&[], &[Defect::TwoContentTypes, Defect::PartialMessage], vec![down(Defer)], Unsupported, Refuse),
    ] {
        let decided = decide(names, defects, &engines, &Actions::default());
        assert_eq!((decided.0, decided.1), (verdict, action), "{names:?} {defects:?} {engines:?}");
    }
}

#[test]
fn milder_actions_do_not_hide_stricter_ones() {
    let actions = Actions { infected: Pass, ambiguous: Defer, ..Actions::default() };
    assert_eq!(decide(&["X"], &[], &[], &actions).1, Pass);
    assert_eq!(decide(&["X"], &[Defect::TwoContentTypes], &[], &actions).0, Ambiguous);
    assert_eq!(decide(&["X"], &[Defect::TwoContentTypes], &[], &actions).1, Defer);
    assert_eq!(decide(&["X"], &[], &[down(Refuse)], &actions).1, Refuse);
}

#[test]
fn reasons_are_one_short_line() {
    let why = |name: &str, file: Option<&str>| {
        let part = Some(FoundIn { number: "2".into(), name: file.map(str::to_owned) });
        let findings = [Finding { name: name.to_owned(), part }];
        let seen = Seen { findings: &findings, ..Seen::default() };
        combine(seen, &Actions::default(), &Rewriting::default()).decision.why
    };
    assert_eq!(
        why("Eicar-Test-Signature", Some("eicar.com")),
        "Eicar-Test-Signature found in eicar.com (part 2)"
    );
    assert_eq!(why("X", None), "X found in part 2");
    assert_eq!(why("X\r\n250 OK", Some("a\u{202e}b\0é")), "X??250 OK found in a?b?? (part 2)");
    assert!(why(&"x".repeat(8000), Some(&"y".repeat(8000))).len() <= 220);
}
