//! Every mistake is found, at its place, with what to write instead where it can be told.

use std::path::PathBuf;

use super::{errors, one_error, places};
use crate::app::config::Config;
use crate::app::config::records::Records;

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
        ("[gateway.idle]\nudp = 30".to_owned(), 2, Some("udp = \"30s\"")),
        ("[spool]\nresend_period = 600".to_owned(), 2, Some("resend_period = \"600s\"")),
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
fn rule_ids_belong_into_no_file() {
    let (line, problem, _) = one_error("[[rule]]\nid = 3\nname = \"a\"\naction = \"drop\"\n");
    assert_eq!(line, 2);
    assert!(problem.starts_with("`id` is not a key of [[rule]]"));
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
        (
            "server_tls = \"dane\"\n[spool]\ndns_servers = [\"[::1]:53\"]",
            3,
            "`server_tls = \"dane\"` goes by",
        ),
        ("mode = \"spool\"\nserver_tls = \"dane\"", 4, "`server_tls = \"dane\"` believes"),
        (
            "mode = \"spool\"\nserver_tls = \"dane\"\n[spool]\ndns_servers = [\"127.0.0.1:53\", \"192.0.2.1:53\"]",
            4,
            "`server_tls = \"dane\"` believes",
        ),
        ("mode = \"spool\"\nmta_sts = true", 4, "`mta_sts` goes by"),
        ("mode = \"spool\"\nuse_mx = true\nmta_sts = true\nserver_tls = \"off\"", 5, "`mta_sts` goes by"),
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
