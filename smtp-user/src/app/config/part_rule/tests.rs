//! Tests of `[[inspection.rule]]`.

use std::time::Duration;

use crate::app::config::Config;
use crate::content::{Kind, Trait};
use crate::policy::part_action::PartAction;
use crate::policy::part_rule::DEFAULT_BAN;

const GATEWAY: &str = "[gateway]\ninterfaces = [\"eth0\"]\n";

fn parse(text: &str) -> Config {
    Config::parse(&format!("{GATEWAY}{text}"), "p.toml").unwrap()
}

fn errors(text: &str) -> Vec<(usize, String, Option<String>)> {
    let errors = Config::parse(&format!("{GATEWAY}{text}"), "p.toml").unwrap_err();
    errors.diagnostics.into_iter().map(|error| (error.line, error.problem, error.suggestion)).collect()
}

/// Those about rules on parts.
fn warnings(text: &str) -> Vec<String> {
    let warnings = parse(text).warnings;
    let about_parts = warnings.iter().filter(|warning| warning.problem.contains("rule on parts"));
    about_parts.map(|warning| format!("{}: {}", warning.line, warning.problem)).collect()
}

#[test]
fn every_key_is_read_and_the_order_stays() {
    let text = r#"
[[inspection.rule]]
name = "programs"
type = ["application/*"]
kind = ["programs", "pdf"]
file_name = ["*.e?e"]
extension = [".EXE", "*.scr", "tar.gz"]
min_size = "1KiB"
max_size = "1MiB"
verdict = ["infected", "clean"]
finding = ["Eicar*"]
trait = ["macros", "javascript"]
engine = ["clamd"]
encrypted = false
archive_member = false
action = "block"
ban_for = "1h"

[[inspection.rule]]
name = "rest"
action = "scan"

[[engine]]
name = "clamd"
address = "/run/clamd"
"#;
    let config = parse(text);
    let [programs, rest] = config.inspection.rules.as_slice() else { panic!("two rules") };
    assert_eq!((programs.action, rest.action), (PartAction::Block, PartAction::Scan));
    assert!(programs.kinds.contains(&Kind::Pe) && programs.kinds.contains(&Kind::Elf));
    assert!(programs.kinds.contains(&Kind::Pdf) && !programs.kinds.contains(&Kind::Batch));
    assert_eq!(programs.extensions, ["exe", "scr", "tar.gz"]);
    assert_eq!(programs.traits, [Trait::Macros, Trait::Javascript]);
    assert_eq!((programs.min_octets, programs.max_octets), (1024, 1 << 20));
    assert_eq!((programs.encrypted, programs.archive_member), (Some(false), Some(false)));
    assert_eq!((programs.ban_for, rest.ban_for), (Duration::from_hours(1), DEFAULT_BAN));
    assert!(rest.matches_everything() && !programs.matches_everything());
    assert_eq!(warnings(text), [""; 0]);
}

#[test]
fn slips_are_named_with_their_line_and_a_suggestion() {
    let text = r#"[[inspection.rule]]
name = "a"
kind = ["zp"]
verdict = ["infectd"]
trait = ["macro"]
action = "stripp"
extensions = ["x"]
[[inspection.rule]]
name = "b"
action = "strip"
ban_for = "1h"
min_size = "1000"
archive_member = "true"
[[inspection.rule]]
name = "b"
action = "scan"
type = []
[[inspection.rule]]
action = "block"
min_size = "2KiB"
max_size = "1KiB"
ban_for = "0s"
"#;
    let found = errors(text);
    let suggestion = |line: usize| {
        found.iter().find(|(at, ..)| *at == line).and_then(|(_, _, suggestion)| suggestion.as_deref())
    };
    for (line, wanted) in [
        (5, "zip"),
        (6, "infected"),
        (7, "macros"),
        (8, "strip"),
        (9, "extension"),
        (15, "archive_member = true"),
    ] {
        assert_eq!(suggestion(line), Some(wanted), "line {line} of {found:?}");
    }
    let has =
        |line: usize, text: &str| found.iter().any(|(at, problem, _)| *at == line && problem.contains(text));
    for (line, text) in [
        (13, "goes with the action `block`, not with `strip`"),
        (14, "is not a number of octets"),
        (17, "rule on parts `b` is already defined in line 11"),
        (19, "`type`"),
        (20, "has no `name`"),
        (23, "`min_size` is more than `max_size`"),
        (24, "`ban_for` takes a duration from 1s"),
    ] {
        assert!(has(line, text), "line {line}, {text}: {found:?}");
    }
    assert_eq!(found.len(), 13, "{found:?}");
}

#[test]
fn one_table_is_no_list_of_rules() {
    let found = errors("[inspection.rule]\nname = \"a\"\naction = \"scan\"\n");
    assert_eq!(found[0].2.as_deref(), Some("[[inspection.rule]]"), "{found:?}");
}

#[test]
fn doubtful_rules_are_warned_of() {
    let text = r#"[[inspection.rule]]
name = "all"
action = "scan"
[[inspection.rule]]
name = "never"
extension = ["exe"]
action = "strip"
"#;
    assert_eq!(
        warnings(text),
        ["7: rule on parts `never` is never reached: `all` matches everything that it does"]
    );
    let lost = "[[inspection.rule]]\nname = \"lost\"\nengine = [\"clamd\"]\naction = \"drop\"\n";
    assert!(warnings(lost)[0].contains("no engine named `clamd`"), "{:?}", warnings(lost));
    let open = "[[inspection.rule]]\nname = \"open\"\naction = \"allow\"\n";
    assert!(warnings(open)[0].contains("lets everything pass"), "{:?}", warnings(open));
    let typed =
        "[[inspection.rule]]\nname = \"typed\"\naction = \"drop\"\ntype = [\"a/b\"]\narchive_member = true\n";
    assert!(warnings(typed)[0].contains("declared type"), "{:?}", warnings(typed));
}
