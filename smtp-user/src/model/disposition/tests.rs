//! The README's tables of reasons are those of the code: no word is missing there, and none is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::limits::Timeout;

/// Where sessions get their dispositions.
const SESSIONS: [&str; 3] = ["session", "gateway", "audit"];
/// What gives one a reason, each with its reason among its arguments.
const CALLS: [&str; 5] =
    ["Disposition::Refused(", "Disposition::Failed(", "misbehaved(", "violation(", "turn_away("];
/// Files of words that are handed on as reasons, one an enum's variant.
const WORDS: [&str; 6] = [
    "wire/smtp/line.rs",
    "wire/smtp/data.rs",
    "wire/smtp/reply.rs",
    "transport/dial.rs",
    "gateway/admission.rs",
    "session/replies.rs",
];
/// Words that are found and are no reasons: of waits and of a defect that end no session, of notes, of files, of
/// signatures.
const OTHERS: [&str; 10] = [
    "no_room",
    "time_out_judgement",
    "time_out_quit",
    "time_out",
    "records_lost",
    "records",
    "dequeuer",
    "jsonl",
    "dkim",
    "signed",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !["tests.rs", "chaos.rs", "fixture.rs"].contains(&name.as_str())
        {
            found.push(path);
        }
    }
}

/// The code of a file up to its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_')
}

/// String literals that are words.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|literal| is_word(literal))
}

/// What stands between a parenthesis and the one that closes it.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}

/// The words of an enum's variants, as in `Self::NoCode => "reply_without_code"`.
fn variants(path: &str) -> BTreeMap<String, String> {
    let text = code(&root().join(path));
    let arm = |line: &str| {
        let (variant, word) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
        let variant = variant.split(['(', ' ']).next()?;
        let word = word.strip_suffix("\",")?;
        is_word(word).then(|| (variant.to_owned(), word.to_owned()))
    };
    text.lines().filter_map(arm).collect()
}

/// Reasons that the code gives.
fn given() -> BTreeSet<String> {
    let refusals = variants("session/replies.rs");
    let mut reasons: BTreeSet<String> = Timeout::ALL.map(|wait| format!("time_out_{}", wait.name())).into();
    for path in WORDS.iter().filter(|path| **path != "session/replies.rs") {
        reasons.extend(variants(path).into_values());
    }
    let mut paths = Vec::new();
    for folder in SESSIONS {
        files(&root().join(folder), &mut paths);
    }
    for path in paths {
        let text = code(&path);
        for call in CALLS {
            for (at, _) in text.match_indices(call) {
                let arguments = arguments(&text[at + call.len()..]);
                reasons.extend(literals(arguments).map(str::to_owned));
                let named =
                    arguments.split("Refusal::").skip(1).filter_map(|rest| rest.split_once(".name()"));
                reasons.extend(named.filter_map(|(variant, _)| refusals.get(variant).cloned()));
            }
        }
        // Words that have a name before they become a reason.
        for line in text.lines().map(str::trim) {
            let constant = line.contains("const ") && line.contains(": &str = \"");
            if constant || line.starts_with("let reason = ") {
                reasons.extend(literals(line).map(str::to_owned));
            }
            let variant =
                line.strip_prefix("let what = Refusal::").or(line.strip_prefix("let many = Refusal::"));
            reasons.extend(variant.and_then(|variant| refusals.get(variant.trim_end_matches(';')).cloned()));
        }
        reasons.extend(what_is_matched(&text));
    }
    for word in OTHERS {
        reasons.remove(word);
    }
    reasons
}

/// The words in `let what = match … { … };`, which come before the call that takes them.
fn what_is_matched(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (_, rest) in text.match_indices("let what = match ").map(|(at, _)| text.split_at(at)) {
        let block = rest.split("};").next().unwrap_or_default();
        // Those that are only noted are named where they are noted.
        let behind = rest.get(block.len()..).unwrap_or_default();
        if !behind.get(..120).unwrap_or(behind).contains("ledger.note") {
            words.extend(literals(block).map(str::to_owned));
        }
    }
    words
}

/// The words in the first columns of the tables under these headings of the README.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("../../README.md")).unwrap();
    let mut words = BTreeSet::new();
    for heading in ["**Refused by the gateway**", "**Failed**"] {
        let (_, rest) = text.split_once(heading).unwrap();
        let rows =
            rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        for row in rows.skip(2) {
            let cell = row.split('|').nth(1).unwrap();
            words.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_readme_has_every_reason_and_no_other() {
    let (given, documented) = (given(), documented());
    let missing: Vec<_> = given.difference(&documented).collect();
    let left_over: Vec<_> = documented.difference(&given).collect();
    assert!(given.len() > 40, "{given:?}");
    assert!(missing.is_empty() && left_over.is_empty(), "missing {missing:?}, left over {left_over:?}");
}
