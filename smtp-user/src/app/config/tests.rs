//! Whole files: what is read, and that every mistake is reported at its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::app::config::gateway::Hook;
use crate::app::config::inspector::InspectorConfig;
use crate::app::config::records::Records;
use crate::app::config::resource::{ClientTls, ResourceMode, ServerTls, SourceAddress};
use crate::policy::action::Action;
use crate::policy::lint::Severity;
use crate::tls::config::MinVersion;

const SAMPLE: &str = include_str!("../postern.toml");

proptest! {
    /// Whatever a file says, it is answered, and the answer can be shown.
    #[test]
    fn no_text_is_beyond_an_answer(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,3}|[\\[\\]{}\"=\n\t.#']{0,3}"), 1..6)
    ) {
        let mut text: Vec<char> = SAMPLE.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = Config::parse(&text, "f") {
            prop_assert!(errors.of(Severity::Error).count() > 0);
            prop_assert!(errors.to_string().ends_with(" in f."));
        }
    }
}

/// Line, column, problem and suggestion of every error.
fn errors(text: &str) -> Vec<(usize, usize, String, Option<String>)> {
    let errors = Config::parse(text, "test.toml").unwrap_err();
    errors.of(Severity::Error).map(|d| (d.line, d.column, d.problem.clone(), d.suggestion.clone())).collect()
}

fn places(text: &str) -> Vec<(usize, usize)> {
    errors(text).into_iter().map(|(line, column, ..)| (line, column)).collect()
}

/// The one error of a file with a sound gateway and this text behind it.
fn one_error(text: &str) -> (usize, String, Option<String>) {
    let found = errors(&format!("[gateway]\ninterfaces = [\"eth0\"]\n{text}"));
    assert_eq!(found.len(), 1, "{found:?}");
    let (line, _, problem, suggestion) = found.into_iter().next().unwrap();
    (line - 2, problem, suggestion)
}

#[test]
fn the_sample_is_clean_and_says_the_defaults() {
    let config = Config::parse(SAMPLE, "postern.toml").unwrap();
    assert_eq!(config.warnings, []);
    let interfaces = vec!["eth0".to_owned(), "eth1".to_owned()];
    assert_eq!(config.records, Records::default());
    assert_eq!(config.inspection, crate::inspect::Config::default());
    assert_eq!(config.inspector, InspectorConfig::default());
    assert_eq!(config.gateway, GatewayConfig { interfaces, ..GatewayConfig::default() });
    for key in [
        "hook",
        "pin_dir",
        "data_dir",
        "flows_v4",
        "flows_v6",
        "tcp_established",
        "udp_stream",
        "max_file",
        "keep",
        "executables",
        "max_depth",
        "max_header",
        "unsupported",
        "max_connections",
        "max_message",
        "minimum_rate",
        "data_end",
        "session",
    ] {
        assert!(SAMPLE.contains(&format!("\n{key} = ")), "{key} is not written out");
    }
}

#[test]
fn the_samples_examples_are_clean_too() {
    let uncommented: Vec<&str> = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
            _ => line,
        })
        .collect();
    let config = Config::parse(&uncommented.join("\n"), "postern.toml").unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.rules.len(), 3);
    let clamd = crate::engine::config::Address::Unix("/run/clamav/clamd.ctl".into());
    assert_eq!(config.inspection.engines, [crate::engine::config::Config::clamd("clamd", clamd)]);
    assert_eq!(config.inspection.hash_lists, [Path::new("listed.txt")]);
    assert_eq!(
        config.resources,
        [Resource {
            name: "inbound".to_owned(),
            mode: ResourceMode::default(),
            client_tls: ClientTls::default(),
            server_tls: ServerTls::default(),
            server_ca: None,
            server_name: None,
            tls_min: MinVersion::default(),
            source: SourceAddress::default(),
            next_hop: None,
        }]
    );
}

#[test]
fn every_value_is_read() {
    let config = Config::parse(
        r#"
[gateway]
interfaces = ["pgw0", "pgw1.100"]
hook = "tc"
pin_dir = "/sys/fs/bpf/other"
data_dir = "/srv/postern"
flows_v4 = 65_536
flows_v6 = 0x400
idle = { tcp_established = "1h", udp = "5s" }

[[rule]]
name = "inbound"
from = ["10.0.0.0/8", "2001:db8::1"]
service = ["smtp"]
interface = "pgw0"
action = "watch"
resource = "in"
when_down = "accelerate"

[[rule]]
name = "rest"
action = "stack"

[[resource]]
name = "in"
mode = "spool"
client_tls = { certificate = "mx.pem", key = "mx.key" }
server_tls = "verified"
server_ca = "/etc/ssl/ours.pem"
server_name = "mx.example.com"
tls_min = "1.3"
source = "gateway"
next_hop = "[2001:db8::25]:25"
"#,
        "test.toml",
    )
    .unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.gateway.hook, Hook::Tc);
    assert_eq!(config.gateway.interfaces, ["pgw0", "pgw1.100"]);
    assert_eq!(config.gateway.flow_slots_v4(), 131_072);
    assert_eq!(config.gateway.flow_slots_v6(), 2048);
    assert_eq!(config.gateway.idle.tcp_established.as_secs(), 3600);
    assert_eq!(config.gateway.idle.udp.as_secs(), 5);
    assert_eq!(config.gateway.idle.udp_stream.as_secs(), 180);
    assert_eq!(config.rules.len(), 2);
    assert_eq!(config.rules.as_slice()[0].action, Action::Watch);
    assert_eq!(config.resources[0].mode, ResourceMode::Spool);
    let files =
        ClientTls::Imported { certificate: "mx.pem".into(), key: Some("mx.key".into()), password_file: None };
    assert_eq!(config.resources[0].client_tls, files);
    assert_eq!(config.resources[0].server_tls, ServerTls::Verified);
    assert_eq!(config.resources[0].server_ca, Some("/etc/ssl/ours.pem".into()));
    assert_eq!(config.resources[0].server_name.as_deref(), Some("mx.example.com"));
    assert_eq!(config.resources[0].tls_min, MinVersion::Tls13);
    assert_eq!(config.resources[0].source, SourceAddress::Gateway);
    assert_eq!(config.resources[0].next_hop, Some("[2001:db8::25]:25".parse().unwrap()));
}

#[test]
fn three_mistakes_give_three_errors_with_the_right_lines() {
    let text = r#"[gateway]
interfaces = ["eth0"]
hok = "auto"

[[rule]]
name = "a"
from = ["10.0.0.0/8", "10.0.9.7/24"]
action = "accelerate"

[[rule]]
name = "b"
service = ["smpt"]
action = "accelerate"
"#;
    let found = errors(text);
    let suggestions: Vec<_> =
        found.iter().map(|(line, column, _, s)| (*line, *column, s.as_deref())).collect();
    assert_eq!(suggestions, [(3, 1, Some("hook")), (7, 23, Some("10.0.9.0/24")), (12, 12, Some("smtp"))]);
    assert_eq!(
        Config::parse(text, "test.toml").unwrap_err().to_string(),
        "\
test.toml:3:1: error: `hok` is not a key of [gateway]; expected `interfaces`, `hook`, `pin_dir`, `data_dir`, \
`flows_v4`, `flows_v6`, `idle`
 3 | hok = \"auto\"
   | ^^^
   = write `hook`
test.toml:7:23: error: `10.0.9.7/24` has bits set behind its prefix length
 7 | from = [\"10.0.0.0/8\", \"10.0.9.7/24\"]
   |                       ^^^^^^^^^^^^^
   = write `10.0.9.0/24`
test.toml:12:12: error: `smpt` is not a service; expected `smtp`, `smtps`, `submission`, `tcp/PORT`, \
`tcp/FIRST-LAST`, the same with `udp`, or `any`
 12 | service = [\"smpt\"]
    |            ^^^^^^
    = write `smtp`
3 errors in test.toml."
    );
}

#[test]
fn a_mistake_of_every_kind_is_found_in_one_run() {
    let text = r#"extra = 1
[gateway]
interfaces = ["eth0", "eth0", "no/name", 3]
hook = "xpd"
pin_dir = "bpf"
data_dir = 7
flows_v4 = 0
flows_v6 = "1000"
[gateway.idle]
udp = "30"
udp_stream = "0s"
tcp_closing = 10
tcp_opening = "1s"
[[rule]]
action = "dorp"
from = "10.0.0.0/8"
to = []
service = ["tcp/70000"]
when_down = "refus"
track = "tls"
[[rule]]
name = "a"
action = "inspect"
service = ["smtp"]
resource = "inbuond"
interface = "eth7"
[[rule]]
name = "a"
action = "drop"
[[resource]]
name = "inbound"
mode = "relay"
client_tls = { certificate = "" }
server_tls = true
[[resource]]
name = "inbound"
client_tls = "minted"
"#;
    let expected = [
        (1, 1),  // unknown key of the file
        (3, 23), // duplicate interface
        (3, 31), // bad interface name
        (3, 42), // wrong type in the list
        (4, 8),
        (5, 11),
        (6, 12),
        (7, 12),
        (8, 12),
        (10, 7),
        (11, 14),
        (12, 15),
        (13, 1),
        (14, 1), // rule without a name
        (15, 10),
        (16, 8),
        (17, 6),
        (18, 12),
        (19, 13),
        (20, 9),
        (25, 12), // no such resource
        (26, 13), // no such interface
        (28, 8),  // duplicate rule
        (32, 8),
        (33, 30), // empty path
        (34, 14),
        (36, 8), // duplicate resource
        (37, 14),
    ];
    assert_eq!(places(text), expected, "{:#?}", errors(text));
}

#[test]
fn suggestions_are_given_where_they_can_be_told() {
    let rule = "[[rule]]\nname = \"r\"\naction = \"drop\"\n";
    let resource = "[[resource]]\nname = \"r\"\n";
    for (text, line, suggestion) in [
        (format!("{rule}from = \"10.0.0.0/8\""), 4, Some("from = [\"10.0.0.0/8\"]")),
        (format!("{rule}interfaces = \"eth0\""), 4, Some("interface")),
        (format!("{rule}from = [\"10.0.0/24\"]"), 4, Some("10.0.0.0/24")),
        (format!("{rule}track = \"starttsl\""), 4, Some("starttls")),
        (format!("{rule}interface = \"eth1\""), 4, Some("eth0")),
        ("[rule]\nname = \"r\"\naction = \"drop\"".to_owned(), 1, Some("[[rule]]")),
        ("hook = \"xpd\"".to_owned(), 1, Some("xdp")),
        ("flows_v4 = \"1000\"".to_owned(), 1, Some("flows_v4 = 1000")),
        ("pin_dir = \"./x\"".to_owned(), 1, Some("/x")),
        ("idle = \"30s\"".to_owned(), 1, Some("[gateway.idle]")),
        ("[gateway.idle]\nudp = \"30\"".to_owned(), 2, Some("30s")),
        ("[[rules]]\nname = \"r\"".to_owned(), 1, Some("rule")),
        (format!("{resource}tls_min = \"1.1\""), 3, Some("1.2")),
        (format!("{resource}tls_min = 1.2"), 3, Some("tls_min = \"1.2\"")),
    ] {
        let (at, problem, suggested) = one_error(&text);
        assert_eq!((at, suggested.as_deref()), (line, suggestion), "{text}: {problem}");
    }
}

#[test]
fn a_mistake_in_one_rule_hides_no_dangling_reference_and_invents_no_shadow() {
    // Without its bad prefix the first rule would match everything.
    let text = r#"[gateway]
interfaces = ["eth0"]
[[rule]]
name = "a"
from = ["10.0.0.1/8"]
action = "accelerate"
[[rule]]
name = "b"
service = ["smpt"]
action = "inspect"
resource = "missing"
[[rule]]
name = "c"
action = "accelerate"
"#;
    assert_eq!(places(text), [(5, 9), (9, 12), (11, 12)]);
    assert_eq!(Config::parse(text, "f").unwrap_err().diagnostics.len(), 3);
}

#[test]
fn text_that_is_not_toml_gives_the_parsers_one_error() {
    let found = errors("[gateway]\ninterfaces = [\"eth0\"\nhook = \"auto\"\n");
    assert_eq!(found.len(), 1);
    assert_eq!(errors("[gateway]\nhook = \"a\"\nhook = \"b\"\n")[0].0, 3);
}

#[test]
fn an_empty_file_lacks_its_gateway() {
    assert_eq!(errors(""), [(1, 1, "the file has no `gateway`".to_owned(), None)]);
    assert_eq!(errors("[gateway]"), [(1, 1, "[gateway] has no `interfaces`".to_owned(), None)]);
    assert_eq!(places("gateway = 1"), [(1, 11)]);
}

#[test]
fn warnings_have_places_and_do_not_stop() {
    let config = Config::parse(
        "[gateway]\ninterfaces = [\"eth0\"]\n\n[[rule]]\nname = \"all\"\naction = \"stack\"\n\n[[rule]]\nname = \"more\"\naction = \"drop\"\n\n[[resource]]\nname = \"idle\"\n",
        "f",
    )
    .unwrap();
    let places: Vec<_> = config.warnings.iter().map(|w| (w.line, w.column)).collect();
    assert_eq!(places, [(9, 8), (13, 8)]);
}

#[test]
fn columns_and_carets_count_characters() {
    let text = "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"größe\"\n\tfrom = [\"ü\"]\naction = \"drop\"\n";
    let errors = Config::parse(text, "f").unwrap_err();
    assert_eq!((errors.diagnostics[0].line, errors.diagnostics[0].column), (5, 10));
    assert!(errors.to_string().contains(" 5 | \tfrom = [\"ü\"]\n   | \t        ^^^\n"), "{errors}");
}

#[test]
fn long_lines_are_shown_in_part() {
    let list = vec!["\"192.0.2.1/32\""; 5000].join(", ");
    let text = format!(
        "[gateway]\ninterfaces = [\"e\"]\n[[rule]]\nname = \"r\"\naction = \"drop\"\nfrom = [{list}, \"10.0.0.1/8\"]\n"
    );
    let shown = Config::parse(&text, "f").unwrap_err().to_string();
    assert!(shown.len() < 1000 && shown.contains("^^^^^^^^^^^^"), "{shown}");
    let source: Vec<&str> = shown.lines().collect();
    let caret = source[2].find('^').unwrap();
    assert_eq!(&source[1][caret..caret + 12], "\"10.0.0.1/8\"");
}

#[test]
fn limits_are_named() {
    let many: Vec<String> = (0..65).map(|i| format!("\"eth{i}\"")).collect();
    assert_eq!(
        errors(&format!("[gateway]\ninterfaces = [{}]", many.join(", ")))[0].2,
        "there are 65 interfaces, more than 64"
    );
    let rules: Vec<_> =
        (0..1025).map(|i| format!("[[rule]]\nname = \"r{i}\"\naction = \"drop\"\n")).collect();
    assert_eq!(one_error(&rules.concat()).1, "there are 1025 rules, more than 1024");
}

#[test]
fn a_file_of_rules_needs_no_gateway() {
    let rules = "[[rule]]\nname = \"a\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"in\"\n\
                 [[rule]]\nname = \"b\"\ninterface = \"eth0\"\naction = \"drop\"\n[[rule]]\nname = \"c\"\naction = \"stack\"\n";
    let read = RuleFile::parse(rules, "f").unwrap();
    assert_eq!(read.rules.len(), 3);
    assert_eq!(read.warnings, []);
    // What a whole configuration lacks, it lacks still.
    assert_eq!(places(rules), [(1, 1), (5, 12)]);
    // What is there is checked.
    let more = format!("{rules}[[resource]]\nname = \"inn\"\n[gateway]\ninterfaces = [\"eth1\"]\n");
    let errors = RuleFile::parse(&more, "f").unwrap_err();
    let lines: Vec<_> = errors.of(Severity::Error).map(|d| (d.line, d.suggestion.as_deref())).collect();
    assert_eq!(lines, [(5, Some("inn")), (8, Some("eth1"))]);
    assert!(RuleFile::parse(&rules.replace("drop", "dorp"), "f").is_err());
    // A configuration is a file of rules too.
    assert_eq!(RuleFile::parse(SAMPLE, "f").unwrap().rules, Config::parse(SAMPLE, "f").unwrap().rules);
}

#[test]
fn rule_ids_belong_into_no_file() {
    let (line, problem, _) = one_error("[[rule]]\nid = 3\nname = \"a\"\naction = \"drop\"\n");
    assert_eq!(line, 2);
    assert!(problem.starts_with("`id` is not a key of [[rule]]"));
}

#[test]
fn errors_are_data_too() {
    let errors = Config::parse("[gateway]\ninterfaces = [\"eth0\"]\nhok = 1\n", "f").unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["file"], "f");
    assert_eq!(json["diagnostics"][0]["severity"], "error");
    assert_eq!(json["diagnostics"][0]["line"], 3);
    assert_eq!(json["diagnostics"][0]["suggestion"], "hook");
    assert_eq!(json["diagnostics"][0]["source_line"], "hok = 1");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    assert!(matches!(Config::load(&path), Err(LoadError::NotFound { .. })));
    fs::write(&path, SAMPLE).unwrap();
    assert_eq!(Config::load(&path).unwrap().file, path.display().to_string());
    assert!(matches!(Config::load(folder.path()), Err(LoadError::Read { .. })));
    fs::write(&path, b"[gateway]\n# \xff\n").unwrap();
    assert!(matches!(Config::load(&path), Err(LoadError::Encoding { line: 2, .. })));
    fs::write(&path, vec![b'#'; MAX_CONFIG_BYTES as usize + 1]).unwrap();
    assert!(matches!(Config::load(&path), Err(LoadError::TooLarge { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it nevertheless.
    if fs::read(&path).is_err() {
        assert!(matches!(Config::load(&path), Err(LoadError::Permission { .. })));
    }
}

#[test]
fn records_have_bounds_that_make_sense() {
    let with = |table: &str| format!("[gateway]\ninterfaces = [\"a\"]\n[records]\n{table}");
    let config = Config::parse(&with("max_file = \"1MiB\"\nkeep = \"8MiB\""), "f").unwrap();
    assert_eq!(config.records, Records { max_file: 1 << 20, keep: 8 << 20 });
    let within = config.records.within(&config.gateway.data_dir);
    assert_eq!(within.folder, PathBuf::from("/var/lib/postern/records"));
    for (table, problem) in [
        ("max_file = \"64\"", "`64` is not a number of octets such as `64MiB` or `4GiB`"),
        ("max_file = \"1KiB\"", "`max_file` takes a number of octets from 64KiB to 1GiB"),
        ("keep = \"65MiB\"", "`keep` takes a number of octets from 128MiB to 1024TiB"),
        ("days = 7", "`days` is not a key of [records]"),
    ] {
        let errors = errors(&with(table));
        assert!(errors.len() == 1 && errors[0].2.starts_with(problem), "{errors:?}");
    }
}

#[test]
fn contradictions_of_tls_are_errors() {
    let resource = "[[resource]]\nname = \"r\"\n";
    for (keys, line, start) in [
        ("client_tls = \"mint\"\nserver_tls = \"off\"", 3, "`client_tls = \"mint\"` copies"),
        ("server_name = \"not a name\"", 3, "`server_name` takes"),
        (
            "tls_min = \"SSLv3\"",
            3,
            "`tls_min` takes `1.2` or `1.3`, not `SSLv3`: SSL, TLS 1.0 and TLS 1.1 are withdrawn",
        ),
        ("server_ca = \"\"", 3, "`server_ca` takes the path of a file"),
    ] {
        let (at, problem, _) = one_error(&format!("{resource}{keys}"));
        assert_eq!(at, line, "{problem}");
        assert!(problem.starts_with(start), "{problem}");
    }
    let (at, problem, _) = one_error("[inspection_ca]\ncertificate = \"ca.pem\"");
    assert_eq!((at, problem.as_str()), (1, "[inspection_ca] has no `key`"));
}
