//! Each finding, what sets it off and what does not.

use std::time::Instant;

use super::*;
use crate::policy::rule_text;

/// Lints rules written without ids; gives each finding as text.
fn lint_text(text: &str) -> Vec<String> {
    let interfaces = ["eth0".to_owned(), "eth1".to_owned()];
    let resources = ["inbound".to_owned()];
    let context = LintContext { interfaces: Some(&interfaces), resources: Some(&resources) };
    findings(text, &context).iter().map(|finding| format!("{:?}: {finding}", finding.severity())).collect()
}

fn findings(text: &str, context: &LintContext<'_>) -> Vec<Finding> {
    let mut id = 0;
    let with_ids: Vec<String> = text
        .lines()
        .map(|line| {
            if line.trim() == "[[rule]]" {
                id += 1;
                return format!("[[rule]]\nid = {id}");
            }
            line.to_owned()
        })
        .collect();
    lint(&rule_text::read(&with_ids.join("\n")).unwrap(), context)
}

const INSPECT: &str = r#"
[[rule]]
name = "inbound mail"
to = ["192.0.2.25", "2001:db8::25"]
service = ["smtp"]
action = "inspect"
resource = "inbound"
"#;

const TERMINAL: &str = r#"
[[rule]]
name = "everything else"
action = "accelerate"
"#;

fn middle(rule: &str) -> Vec<String> {
    lint_text(&format!("{INSPECT}[[rule]]\nname = \"r\"\n{rule}\n{TERMINAL}"))
}

#[test]
fn a_plain_policy_is_clean() {
    assert_eq!(lint_text(&format!("{INSPECT}{TERMINAL}")), [""; 0]);
}

#[test]
fn rules_behind_one_that_matches_the_same_are_shadowed() {
    assert_eq!(
        middle("to = [\"192.0.2.25\"]\nservice = [\"tcp/25\"]\ninterface = \"eth0\"\naction = \"drop\""),
        ["Warning: rule `r`: is never reached: `inbound mail` matched all its traffic before"]
    );
    // One port, one address or one family more is reached.
    assert_eq!(middle("to = [\"192.0.2.25\"]\nservice = [\"tcp/25-26\"]\naction = \"drop\""), [""; 0]);
    assert_eq!(middle("to = [\"192.0.2.24/31\"]\nservice = [\"smtp\"]\naction = \"drop\""), [""; 0]);
    assert_eq!(
        lint_text(&format!("{TERMINAL}{INSPECT}")),
        ["Warning: rule `inbound mail`: is never reached: `everything else` matched all its traffic before"]
    );
}

#[test]
fn a_rule_for_one_interface_shadows_only_that_interface() {
    let first = "[[rule]]\nname = \"a\"\ninterface = \"eth0\"\naction = \"drop\"\n";
    let second = |interface: &str| format!("[[rule]]\nname = \"b\"\n{interface}action = \"stack\"\n");
    assert_eq!(lint_text(&format!("{first}{}", second("interface = \"eth0\"\n"))).len(), 3);
    assert_eq!(lint_text(&format!("{first}{}{TERMINAL}", second("interface = \"eth1\"\n"))).len(), 1);
    assert_eq!(lint_text(&format!("{first}{}", second(""))).len(), 1);
}

#[test]
fn rules_can_be_shadowed_by_several_together() {
    let found = lint_text(
        r#"
[[rule]]
name = "low"
from = ["10.0.0.0/9"]
service = ["tcp"]
action = "drop"
[[rule]]
name = "high"
from = ["10.128.0.0/9"]
action = "drop"
[[rule]]
name = "whole"
from = ["10.0.0.0/8"]
service = ["tcp/80"]
action = "stack"
[[rule]]
name = "v4"
from = ["0.0.0.0/0"]
action = "accelerate"
[[rule]]
name = "v6"
to = ["::/0"]
action = "accelerate"
[[rule]]
name = "ping"
action = "stack"
"#,
    );
    assert_eq!(
        found,
        [
            "Warning: rule `whole`: is never reached: `low`, `high` matched all its traffic before",
            "Warning: rule `ping`: is never reached: `v4`, `v6` matched all its traffic before",
            "Warning: no rule uses the resource `inbound`",
        ]
    );
}

#[test]
fn a_policy_without_an_end_is_doubtful() {
    let open = "Warning: no rule matches everything at the end: what no rule matches is left to the kernel's own routing";
    assert_eq!(lint_text(INSPECT), [open]);
    assert!(lint_text("").contains(&open.to_owned()));
    let halves = "[[rule]]\nname = \"a\"\nfrom = [\"0.0.0.0/0\"]\naction = \"drop\"\n[[rule]]\nname = \"b\"\nfrom = [\"::/0\"]\naction = \"drop\"";
    assert_eq!(lint_text(&format!("{INSPECT}{halves}")), [""; 0]);
}

#[test]
fn guarded_rules_are_for_tcp() {
    let resource = "resource = \"inbound\"";
    for action in ["inspect", "watch"] {
        for (services, wrong) in [
            ("service = [\"udp/53\", \"smtps\"]", "udp/53"),
            ("service = [\"any\"]", "any"),
            ("", "any"),
            ("service = [\"udp\"]", "udp"),
        ] {
            // A guarded rule for everything shadows what comes behind it, too.
            assert_eq!(
                middle(&format!("action = \"{action}\"\n{services}\n{resource}"))[0],
                format!("Error: rule `r`: `{action}` works on TCP ports only, not on `{wrong}`")
            );
        }
        assert_eq!(middle(&format!("action = \"{action}\"\nservice = [\"tcp\"]\n{resource}")), [""; 0]);
    }
}

#[test]
fn guarded_rules_need_a_resource_that_exists() {
    assert_eq!(
        middle("action = \"inspect\"\nservice = [\"smtps\"]"),
        ["Error: rule `r`: `inspect` needs a `resource` that says how to inspect"]
    );
    assert_eq!(
        middle("action = \"watch\"\nservice = [\"smtps\"]"),
        ["Warning: rule `r`: `watch` needs a `resource` that says how to inspect"]
    );
    let text = "[[rule]]\nname = \"r\"\naction = \"inspect\"\nservice = [\"smtp\"]\nresource = \"inbuond\"\n";
    let resources = ["inbound".to_owned(), "outbound".to_owned()];
    let context = LintContext { interfaces: None, resources: Some(&resources) };
    let found = findings(&format!("{text}{TERMINAL}"), &context);
    assert_eq!(found[0].severity(), Severity::Error);
    assert_eq!(found[0].key, "resource");
    assert_eq!(found[0].kind.suggestion().as_deref(), Some("inbound"));
    assert_eq!(found.len(), 3, "both resources are unused");
    assert_eq!(findings(&format!("{text}{TERMINAL}"), &LintContext::default()), []);
}

#[test]
fn interfaces_must_be_the_gateways() {
    assert_eq!(
        middle("action = \"stack\"\ninterface = \"eth2\""),
        ["Error: rule `r`: `eth2` is not one of the gateway's interfaces"]
    );
}

#[test]
fn settings_without_effect_are_doubtful() {
    assert_eq!(
        middle(
            "action = \"drop\"\nservice = [\"tcp/80\"]\ntrack = \"starttls\"\nwhen_down = \"refuse\"\nresource = \"inbound\""
        ),
        [
            "Warning: rule `r`: `track` has no effect on `drop`",
            "Warning: rule `r`: `when_down` has no effect on `drop`",
            "Warning: rule `r`: `resource` has no effect on `drop`",
        ]
    );
    assert_eq!(
        middle(
            "action = \"watch\"\nservice = [\"smtps\"]\nresource = \"inbound\"\nwhen_down = \"accelerate\""
        ),
        [""; 0]
    );
}

#[test]
fn accelerated_smtp_that_nobody_tracks_is_doubtful() {
    assert_eq!(
        middle("action = \"accelerate\"\nservice = [\"tcp/1-465\"]"),
        [
            "Warning: rule `r`: mail on `smtp`, `smtps` is forwarded unseen (`bypassed`), and its dialogue is not even tracked"
        ]
    );
    for fine in [
        "service = [\"smtp\"]\ntrack = \"starttls\"",
        "service = [\"tcp/80\"]",
        "service = [\"udp/25\"]",
        "service = [\"tcp\"]",
    ] {
        assert_eq!(middle(&format!("action = \"accelerate\"\n{fine}")), [""; 0], "{fine}");
    }
}

#[test]
fn prefixes_and_services_that_say_nothing_new_are_doubtful() {
    assert_eq!(
        middle(
            "action = \"drop\"\nfrom = [\"10.1.0.0/16\", \"10.0.0.0/8\", \"192.0.2.1\", \"192.0.2.1\"]\n\
             service = [\"smtp\", \"tcp/20-30\", \"udp/1\", \"udp/1\", \"udp/1\"]"
        ),
        [
            "Warning: rule `r`: `10.1.0.0/16` is already in `10.0.0.0/8`",
            "Warning: rule `r`: `192.0.2.1/32` is already in `192.0.2.1/32`",
            "Warning: rule `r`: `smtp` is already in `tcp/20-30`",
            "Warning: rule `r`: `udp/1` is already in `udp/1`",
            "Warning: rule `r`: `udp/1` is already in `udp/1`",
        ]
    );
}

#[test]
fn families_must_meet() {
    assert_eq!(
        middle("action = \"drop\"\nfrom = [\"10.0.0.0/8\"]\nto = [\"2001:db8::/32\"]"),
        ["Error: rule `r`: matches nothing: `from` and `to` have no address family in common"]
    );
}

#[test]
fn a_thousand_rules_are_linted_at_once() {
    let text: Vec<String> = (0..1000)
        .map(|i| {
            format!(
                "[[rule]]\nname = \"rule {i}\"\nfrom = [\"10.{}.{}.0/24\", \"2001:db8:{i:x}::/48\"]\n\
                 service = [\"tcp/{}-{}\"]\naction = \"drop\"\n",
                i / 250,
                i % 250,
                i * 60,
                i * 60 + 90
            )
        })
        .collect();
    let start = Instant::now();
    assert_eq!(findings(&text.concat(), &LintContext::default()).len(), 1);
    // A hang is what this must catch, not a slow machine.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
