//! Tests of header rules: what they name is changed, and everything else is there octet for octet.

use proptest::prelude::*;

use super::{HeaderError, HeaderRule, Rewritten, rewrite};
use crate::action::substitution::Substitution;

fn rule(field: &str, left: &str, right: &str) -> HeaderRule {
    HeaderRule { field: field.to_owned(), substitution: Substitution::parse(left, right).unwrap() }
}

fn made(header: &[u8], rewritten: &Rewritten) -> Vec<u8> {
    let (mut octets, mut at) = (Vec::new(), 0);
    for splice in &rewritten.splices {
        octets.extend_from_slice(&header[at..splice.range.start]);
        octets.extend_from_slice(&splice.with);
        at = splice.range.end;
    }
    octets.extend_from_slice(&header[at..]);
    octets
}

#[track_caller]
fn check(rules: &[HeaderRule], before: &str, after: &str) {
    let rewritten = rewrite(before.as_bytes(), rules).unwrap();
    assert_eq!(String::from_utf8(made(before.as_bytes(), &rewritten)).unwrap(), after);
    assert_eq!(rewritten.splices.is_empty(), before == after);
    let again = rewrite(after.as_bytes(), rules).unwrap();
    assert_eq!(again.splices, [], "what was rewritten matches again");
}

#[test]
fn addresses_become_others_and_nothing_around_them_changes() {
    let rules = [
        rule("From", "*@smtp.weirdal.com", "&@weirdal.com"),
        rule("Cc", "*@smtp.weirdal.com", "&@weirdal.com"),
    ];
    for (before, after) in [
        ("From: al@smtp.weirdal.com\r\n\r\n", "From: al@weirdal.com\r\n\r\n"),
        (
            "FROM:\t\"Al, at <al@smtp.weirdal.com>\"\r\n <Al@SMTP.weirdal.com> (al@smtp.weirdal.com) \r\n",
            "FROM:\t\"Al, at <al@smtp.weirdal.com>\"\r\n <Al@weirdal.com> (al@smtp.weirdal.com) \r\n",
        ),
        (
            "To: x@smtp.weirdal.com\r\ncc: a@smtp.weirdal.com,\r\n b@b.test, Us: c@smtp.weirdal.com;\r\nSubject: s\r\n",
            "To: x@smtp.weirdal.com\r\ncc: a@weirdal.com,\r\n b@b.test, Us: c@weirdal.com;\r\nSubject: s\r\n",
        ),
        (
            "From: al@weirdal.com\r\nX-From: al@smtp.weirdal.com\r\n",
            "From: al@weirdal.com\r\nX-From: al@smtp.weirdal.com\r\n",
        ),
        ("From: \"\r\n\r\nFrom: al@smtp.weirdal.com\r\n", "From: \"\r\n\r\nFrom: al@smtp.weirdal.com\r\n"),
        ("", ""),
        ("\r\n", "\r\n"),
        ("no field at all\r\nTo: x@smtp.weirdal.com\r\n", "no field at all\r\nTo: x@smtp.weirdal.com\r\n"),
    ] {
        check(&rules, before, after);
    }
}

#[test]
fn values_are_matched_unfolded_and_what_is_kept_keeps_its_folds() {
    let rules = [rule("Subject", "[SPAM] *", "&"), rule("X-Origin", "* via 10.*", "& via gateway")];
    check(
        &rules,
        "Subject: [SPAM]\r\n hello\r\n\tworld  \r\nX-Origin: a\r\n via 10.1.2.3\r\n",
        "Subject: hello\r\n\tworld  \r\nX-Origin: a via gateway\r\n",
    );
}

#[test]
fn every_instance_of_a_field_goes_with_its_folded_lines() {
    let rules = [rule("Received", "*", ""), rule("X-Seen", "*secret*", "")];
    check(
        &rules,
        "Received: a\r\n\tby b\r\n id 1\r\nReceived-SPF: pass\r\nreceived:\r\nX-Seen: a\r\n secret b\r\nX-Seen: c\r\n\
         RECEIVED: x\r\n\r\nReceived: y\r\n",
        "Received-SPF: pass\r\nX-Seen: c\r\n\r\nReceived: y\r\n",
    );
    check(&rules, "Received: a\r\n b", "");
}

#[test]
fn of_the_rules_on_a_field_the_first_that_matches_counts() {
    let rules =
        [rule("To", "root@*", "postmaster@&"), rule("To", "*@old.test", "&@new.test"), rule("To", "*", "")];
    let rewritten = rewrite(b"To: root@old.test, al@old.test\r\nTo: c@c.test\r\n", &rules).unwrap();
    let header = b"To: root@old.test, al@old.test\r\nTo: c@c.test\r\n";
    assert_eq!(made(header, &rewritten), b"To: postmaster@old.test, al@new.test\r\n");
    let told: Vec<_> = rewritten
        .changes
        .iter()
        .map(|change| change.replaced.as_ref().map(|(old, _)| old.as_str()))
        .collect();
    assert_eq!(told, [Some("root@old.test"), Some("al@old.test"), None]);
}

#[test]
fn what_two_programs_may_read_differently_is_left_alone() {
    let rules = [rule("From", "*@a.test", "&@b.test"), rule("Received", "*", "")];
    for (header, error) in [
        ("From: x@a.test\r\nnonsense\r\n", HeaderError::Form),
        (" folded\r\nFrom: x@a.test\r\n", HeaderError::Form),
        ("From : x@a.test\r\n", HeaderError::Form),
        ("From: x@c.test\r\nSub ject: y\r\n", HeaderError::Form),
        ("Received: x\r\n  \r\n y\r\n", HeaderError::Form),
        ("From: \"x <x@a.test>\r\n", HeaderError::Addresses),
    ] {
        assert_eq!(rewrite(header.as_bytes(), &rules), Err(error), "{header:?}");
    }
    let long = format!("From: {}x@a.test\r\n", "x@c.test, ".repeat(98));
    let longer = [rule("From", "*@a.test", "&@very.much.longer.test")];
    assert_eq!(rewrite(long.as_bytes(), &longer), Err(HeaderError::Line));
    let folded = long.replacen("x@c.test, ", "x@c.test,\r\n ", 1);
    assert!(rewrite(folded.as_bytes(), &longer).is_ok());
    // Quotes that are not closed matter only where something could match.
    assert_eq!(rewrite(b"From: \"x <x@c.test>\r\n", &rules), Ok(Rewritten::default()));
}

fn field() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["From", "TO", "cc", "Received", "X-Trace", "Subject", "Received-SPF", "X"]);
    let line = "[ -~]{0,30}";
    let more = prop::collection::vec("[ \t][!-~][ -~]{0,20}", 0..3);
    (name, line, more).prop_map(|(name, line, more)| {
        let folded: String = more.iter().flat_map(|line| ["\r\n", line]).collect();
        format!("{name}: {line}{folded}\r\n")
    })
}

proptest! {
    #[test]
    fn nothing_but_the_named_fields_changes(
        fields in prop::collection::vec(field(), 0..12),
        hits in prop::collection::vec((0_usize..12, "[a-z]{1,8}"), 0..4),
    ) {
        let mut fields = fields;
        for (at, local) in hits {
            let name = if at % 2 == 0 { "From" } else { "Cc" };
            fields.insert(at.min(fields.len()), format!("{name}: {local}@old.test\r\n"));
        }
        let header = fields.concat() + "\r\n";
        let rules = [
            rule("from", "*@old.test", "&@new.test"),
            rule("Cc", "*@old.test", "&@new.test"),
            rule("Received", "*", ""),
            rule("X-Trace", "*a*", "b&"),
        ];
        let Ok(rewritten) = rewrite(header.as_bytes(), &rules) else { return Ok(()) };
        let after = String::from_utf8(made(header.as_bytes(), &rewritten)).unwrap();
        let named = |field: &str| {
            let name = field.split(':').next().unwrap_or_default();
            rules.iter().any(|rule| rule.field.eq_ignore_ascii_case(name))
        };
        let split = |text: &str| -> Vec<String> {
            let mut all: Vec<String> = Vec::new();
            for line in text.split_inclusive("\r\n") {
                match all.last_mut() {
                    Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
                    _ => all.push(line.to_owned()),
                }
            }
            all
        };
        let others = |text: &str| -> Vec<String> { split(text).into_iter().filter(|field| !named(field)).collect() };
        prop_assert_eq!(others(&header), others(&after));
        prop_assert!(!split(&after).iter().any(|field| field.to_lowercase().starts_with("received:")));
        let count = |text: &str, name: &str| {
            split(text).iter().filter(|field| field.to_lowercase().starts_with(&format!("{name}:"))).count()
        };
        for name in ["from", "cc", "x-trace", "to"] {
            prop_assert_eq!(count(&header, name), count(&after, name));
        }
        prop_assert_eq!(others(&header).len() + count(&after, "from") + count(&after, "cc") + count(&after, "x-trace"), split(&after).len());
    }
}
