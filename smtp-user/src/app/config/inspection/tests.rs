use std::path::Path;
use std::time::Duration;

use crate::app::config::Config;
use crate::engine::config::{Address, Protocol};
use crate::engine::hash_list::DigestKinds;
use crate::inspect;
use crate::model::decision::MessageAction;

const GATEWAY: &str = "[gateway]\ninterfaces = [\"eth0\"]\n";

fn errors(text: &str) -> Vec<String> {
    let text = format!("{GATEWAY}{text}");
    let errors = Config::parse(&text, "test.toml").unwrap_err();
    errors.diagnostics.iter().map(|error| format!("{}: {}", error.line, error.problem)).collect()
}

#[test]
fn without_tables_the_defaults_hold() {
    assert_eq!(Config::parse(GATEWAY, "test.toml").unwrap().inspection, inspect::Config::default());
}

#[test]
fn every_value_is_read() {
    let text = r#"
[inspection]
hash_lists = ["listed.txt", "/srv/listed.txt"]
digests = ["sha256", "md5"]
executables = true
max_depth = 10
max_parts = 20
max_header = "64KiB"
archives = { max_part = "1MiB", max_member = "2MiB", max_octets = "3MiB", max_ratio = 4, max_members = 5, max_depth = 6, deadline = "7s", max_passwords = 0 }
actions = { infected = "pass", ambiguous = "defer" }

[[engine]]
name = "one"
address = "/run/clamav/clamd.ctl"
deadline = "30s"
concurrency = 3
queue = 0
when_down = "refuse"
pass_files = false
self_test = false

[[engine]]
name = "two"
address = "[::1]:3310"
"#;
    let config = Config::parse(&format!("{GATEWAY}{text}"), "test.toml").unwrap();
    let inspection = super::within(&config.inspection, Path::new("/etc/postern/postern.toml"));
    assert_eq!(inspection.hash_lists[0], Path::new("/etc/postern/listed.txt"));
    assert_eq!(inspection.hash_lists[1], Path::new("/srv/listed.txt"));
    assert_eq!(inspection.digests, DigestKinds { sha1: false, md5: true });
    assert!(inspection.executables);
    assert_eq!((inspection.limits.max_depth, inspection.limits.max_parts), (10, 20));
    assert_eq!(inspection.limits.max_header_octets, 64 << 10);
    let contents = crate::content::ContentLimits {
        max_part: 1 << 20,
        max_member: 2 << 20,
        max_octets: 3 << 20,
        max_ratio: 4,
        max_members: 5,
        max_depth: 6,
        deadline: Duration::from_secs(7),
        max_passwords: 0,
    };
    assert_eq!(inspection.contents, contents);
    assert_eq!(inspection.actions.infected, MessageAction::Pass);
    assert_eq!(inspection.actions.ambiguous, MessageAction::Defer);
    assert_eq!(inspection.actions.unsupported, MessageAction::Refuse);
    let [one, two] = &inspection.engines[..] else { panic!("{inspection:?}") };
    let address = Address::Unix("/run/clamav/clamd.ctl".into());
    assert_eq!(one.protocol, Protocol::Clamd { address, pass_files: false });
    assert_eq!((one.deadline, one.concurrency, one.queue), (Duration::from_secs(30), 3, 0));
    assert_eq!((one.when_down.clone(), one.self_test), (MessageAction::Refuse, false));
    let address = Address::Tcp("[::1]:3310".to_owned());
    assert_eq!(two.protocol, Protocol::Clamd { address, pass_files: true });
    assert_eq!(two.when_down, MessageAction::Defer);
}

#[test]
fn mistakes_about_archives_have_their_lines() {
    let text = "[inspection.archives]\nmax_part = \"1KiB\"\nmax_depth = 33\nmax_ratio = 0\ndeadline = \"1h\"\nmax_size = 1\n";
    let found = errors(text);
    let lines: Vec<_> = found.iter().map(|error| error.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(lines.len(), 5, "{found:#?}");
    assert_eq!(errors("[inspection]\narchives = 1\n").len(), 1);
}

#[test]
fn rules_of_yara_are_an_engine_without_an_address() {
    let engine = |lines: &str| format!("[[engine]]\nname = \"rules\"\n{lines}");
    if cfg!(not(feature = "yara")) {
        let found = errors(&engine("kind = \"yara\"\nrules = [\"a.yar\"]\n"));
        let [error] = &found[..] else { panic!("{found:#?}") };
        assert!(error.starts_with("5:") && error.contains("--features yara"), "{error}");
    }
    for (lines, expected) in [
        ("kind = \"yare\"\naddress = \"/run/clamd\"\n", "`yara`"),
        ("address = \"/run/clamd\"\nrules = [\"a.yar\"]\n", "`rules` says nothing"),
        ("kind = \"yara\"\nrules = [\"\"]\n", "`rules` takes the path of a file"),
        ("kind = \"yara\"\naddress = \"/run/clamd\"\nrules = [\"a.yar\"]\n", "`address` says nothing"),
        ("kind = \"yara\"\n", "`rules`"),
    ] {
        let found = errors(&engine(lines));
        assert!(found.iter().any(|error| error.contains(expected)), "{lines}: {found:#?}");
    }
}

#[test]
fn mistakes_have_their_lines() {
    let text = "[inspection]\ndigests = [\"sha512\"]\nexecutables = \"on\"\nmax_header = \"1KiB\"\nactions = { infected = \"drop\" }\n\
                [[engine]]\nname = \"a\"\naddress = \"clamd\"\ndeadline = \"1h\"\n\
                [[engine]]\nname = \"a\"\n";
    let found = errors(text);
    let lines: Vec<_> = found.iter().map(|error| error.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["4", "5", "6", "7", "10", "11", "12", "13"], "{found:#?}");
}
