//! Rules on parts: which of them decides, and what the record says.

use super::{judge_in, with_attachment};
use crate::content::Kind;
use crate::content::fixture::program;
use crate::content::fixture::zip::{Entry, archive, encrypt, one};
use crate::engine::eicar::eicar;
use crate::inspect::{Config, Inspector, Judgement};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::policy::part_rule::{DEFAULT_BAN, PartRule};

fn rule(name: &str, action: PartAction, change: impl FnOnce(&mut PartRule)) -> PartRule {
    let mut rule = PartRule::new(name, action);
    change(&mut rule);
    rule
}

fn judge(rules: Vec<PartRule>, message: &[u8]) -> Judgement {
    judge_in(Config { rules, ..Config::default() }, message, 4096)
}

fn row(judgement: &Judgement, part: &str) -> String {
    let record = judgement.parts.iter().find(|record| record.part == part).unwrap();
    let (stage, result) = record.stages.last().unwrap();
    assert_eq!(stage, "policy");
    result.clone()
}

#[test]
fn the_rule_that_decided_stands_in_the_record() {
    for (action, expected) in [
        (PartAction::Allow, MessageAction::Pass),
        (PartAction::Scan, MessageAction::Pass),
        (PartAction::Lock, MessageAction::Rewrite),
        (PartAction::Strip, MessageAction::Rewrite),
        (PartAction::Drop, MessageAction::Drop),
        (PartAction::Block, MessageAction::Block),
        (PartAction::Quarantine, MessageAction::Quarantine),
    ] {
        for by_name in [false, true] {
            let programs = rule("no programs", action, |rule| {
                if by_name {
                    rule.file_names = vec![PartPattern::new("*.COM")];
                } else {
                    rule.kinds = vec![Kind::Pe, Kind::DosExecutable];
                }
            });
            let judgement = judge(vec![programs], &with_attachment(&program()));
            assert_eq!(judgement.decision.action, expected, "{action}");
            assert_eq!(row(&judgement, "1"), "ran(no rule)");
            assert_eq!(row(&judgement, "2"), format!("ran(rule no programs: {action})"));
            let decided = !matches!(action, PartAction::Allow | PartAction::Scan);
            assert_eq!(judgement.rule.as_deref(), decided.then_some("no programs"), "{action}");
            assert_eq!(judgement.ban_for, (action == PartAction::Block).then_some(DEFAULT_BAN));
            assert_eq!(judgement.changes.len(), usize::from(expected == MessageAction::Rewrite));
            if decided {
                assert_eq!(judgement.decision.why, "eicar.com (part 2) may not pass");
            }
        }
    }
}

#[test]
fn a_member_takes_its_archive_with_it() {
    let strip = rule("js", PartAction::Strip, |rule| {
        rule.extensions = vec!["js".to_owned()];
        rule.archive_member = Some(true);
    });
    let judgement = judge(vec![strip], &with_attachment(&one("a/b.js", b"x = 1;")));
    assert_eq!(judgement.decision.action, MessageAction::Rewrite);
    assert_eq!(row(&judgement, "2"), "ran(no rule)");
    assert_eq!(row(&judgement, "2/a/b.js"), "ran(rule js: strip)");
    assert_eq!((judgement.changes[0].part.as_str(), judgement.changes[0].name.as_str()), ("2", "a/b.js"));
}

#[test]
fn an_archive_is_known_by_what_is_in_it() {
    let by_verdict = |verdict| {
        rule("bad zips", PartAction::Lock, |rule| {
            rule.extensions = vec!["com".to_owned()];
            rule.verdicts = vec![verdict];
        })
    };
    let infected = with_attachment(&one("a.txt", &eicar()));
    let judgement = judge(vec![by_verdict(MessageVerdict::Infected)], &infected);
    assert_eq!(judgement.decision.action, MessageAction::Rewrite);
    assert_eq!(judgement.decision.why, "Eicar-Test-Signature found in eicar.com (part 2)");
    assert_eq!(
        judge(vec![by_verdict(MessageVerdict::Clean)], &infected).decision.action,
        MessageAction::Refuse
    );

    let sealed =
        with_attachment(&archive(&[encrypt(&Entry::stored("a.txt", b"secret"), "no word of the mail")]));
    let encrypted = rule("sealed", PartAction::Quarantine, |rule| {
        rule.encrypted = Some(true);
        rule.archive_member = Some(false);
    });
    let judgement = judge(vec![encrypted], &sealed);
    assert_eq!(judgement.decision.action, MessageAction::Quarantine);
    assert_eq!(judgement.decision.verdict, MessageVerdict::Encrypted);
    assert_eq!(row(&judgement, "2"), "ran(rule sealed: quarantine)");
}

/// E16: what a scanner cannot read has three reasons, and each may have an action of its own.
#[test]
fn sealed_damaged_and_oversized_archives_are_told_apart() {
    let verdicts = [MessageVerdict::Encrypted, MessageVerdict::Unsupported, MessageVerdict::LimitExceeded];
    let actions = [PartAction::Lock, PartAction::Quarantine, PartAction::Drop];
    let rules: Vec<PartRule> = verdicts
        .into_iter()
        .zip(actions)
        .map(|(verdict, action)| rule(action.name(), action, |rule| rule.verdicts = vec![verdict]))
        .collect();
    let sealed = archive(&[encrypt(&Entry::stored("a.txt", b"secret"), "no word of the mail")]);
    let mut damaged = crate::content::fixture::gzip("a", &[b'x'; 5000]);
    damaged.truncate(20);
    let large = archive(&[Entry::deflated("a", &vec![0; 6 << 20])]);
    let mut config = Config { rules, ..Config::default() };
    config.contents.max_member = 1 << 20;
    for (content, verdict, action) in [
        (sealed, MessageVerdict::Encrypted, MessageAction::Rewrite),
        (damaged, MessageVerdict::Unsupported, MessageAction::Quarantine),
        (large, MessageVerdict::LimitExceeded, MessageAction::Drop),
    ] {
        let judgement = judge_in(config.clone(), &with_attachment(&content), 4096);
        assert_eq!((judgement.decision.verdict, judgement.decision.action), (verdict, action));
    }
}

#[test]
fn the_last_of_many_members_is_asked_about_too() {
    let mut entries: Vec<Entry> =
        (0..1200).map(|index| Entry::stored(&format!("{index}.txt"), b"text")).collect();
    entries.push(Entry::stored("last.exe", &program()));
    let strip = rule("programs", PartAction::Strip, |rule| rule.kinds = vec![Kind::Pe, Kind::DosExecutable]);
    let judgement = judge(vec![strip], &with_attachment(&archive(&entries)));
    assert_eq!(judgement.decision.action, MessageAction::Rewrite);
    assert_eq!(row(&judgement, "2/last.exe"), "ran(rule programs: strip)");
    assert_eq!(judgement.parts.len(), 2 + 1000 + 1);
}

#[test]
fn what_was_allowed_counts_no_more_and_what_is_elsewhere_does() {
    let allow =
        || rule("samples", PartAction::Allow, |rule| rule.file_names = vec![PartPattern::new("eicar.*")]);
    let judgement = judge(vec![allow()], &with_attachment(&eicar()));
    assert_eq!(judgement.decision.action, MessageAction::Pass);
    assert_eq!(row(&judgement, "2"), "ran(rule samples: allow)");
    // It was looked at all the same, and what was found is told.
    assert_eq!(
        (judgement.decision.verdict, judgement.rule.as_deref()),
        (MessageVerdict::Infected, Some("samples"))
    );
    assert!(judgement.parts[1].stages.iter().any(|(_, result)| result.contains("Eicar-Test-Signature")));
    let mut elsewhere = b"Comments: ".to_vec();
    elsewhere.extend_from_slice(&eicar());
    elsewhere.extend_from_slice(b"\r\n");
    elsewhere.extend_from_slice(&with_attachment(b"x"));
    assert_eq!(judge(vec![allow()], &elsewhere).decision.action, MessageAction::Refuse);
}

#[test]
fn text_without_any_header_is_text_and_nothing_else() {
    let destructive = || {
        vec![
            rule("programs", PartAction::Block, |rule| rule.kinds = vec![Kind::Pe, Kind::Elf]),
            rule("names", PartAction::Strip, |rule| rule.file_names = vec![PartPattern::new("*")]),
            rule("binary", PartAction::Strip, |rule| rule.types = vec![PartPattern::new("application/*")]),
            rule("doubtful", PartAction::Drop, |rule| {
                rule.verdicts = vec![MessageVerdict::Unsupported, MessageVerdict::Ambiguous];
            }),
        ]
    };
    for message in [
        &b"Hello"[..],
        b"Hello\r\nworld",
        b"Subject: x\r\n\r\nno MIME-Version\r\n",
        b"Subject: \xe4\r\n\r\n8-bit \xf6\xfc \x80\r\n",
        b"",
        b"\r\n",
        b"Content-Type: text/plain\r\n\r\nno final line end",
    ] {
        let judgement = judge(destructive(), message);
        assert_eq!(judgement.decision.action, MessageAction::Pass, "{message:?}: {judgement:?}");
        assert_eq!(row(&judgement, "1"), "ran(no rule)");
    }
}

#[test]
fn a_program_between_the_parts_is_an_attachment() {
    let hidden = [
        &b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"[..],
        &program(),
        b"\r\n--b\r\n\r\ntext\r\n--b--\r\n",
    ]
    .concat();
    let strip = rule("programs", PartAction::Strip, |rule| rule.kinds = vec![Kind::Pe, Kind::DosExecutable]);
    assert_eq!(judge(vec![strip.clone()], &hidden).changes[0].part, "preamble");
    let plain =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\nThis is MIME.\r\n--b\r\n\r\ntext\r\n--b--\r\n";
    let all = rule("all", PartAction::Strip, |_| {});
    let judgement = judge(vec![all], plain.as_bytes());
    assert_eq!(judgement.changes.iter().map(|change| change.part.as_str()).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn what_stands_for_a_replaced_part_is_under_no_rule() {
    let all = Config { rules: vec![rule("all", PartAction::Strip, |_| {})], ..Config::default() };
    let message = with_attachment(b"x");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut inspection = Inspector::new(all).unwrap().begin_again(vec!["1".to_owned(), "2".to_owned()]);
    inspection.push(&message);
    let judgement = runtime.block_on(inspection.judge(&message));
    assert_eq!(judgement.decision.action, MessageAction::Pass);
    assert_eq!(row(&judgement, "2"), "skipped(stands for a replaced part)");
}
