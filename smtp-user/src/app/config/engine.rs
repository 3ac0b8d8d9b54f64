//! The `[[engine]]` tables: what else is asked about mail, and what follows when it cannot be asked.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::inspection::{ActionWord, flag};
use crate::app::config::problem::ConfigProblem;
use crate::engine::config::{Address, Config, IcapService, Protocol};
use crate::policy::action::UnknownWord;
use crate::policy::packet_rule::check_name;
use crate::policy::toml_table::TableReader;

/// An engine as it was read, and where its name stands.
#[derive(Debug)]
pub(crate) struct EngineTable {
    pub(crate) engine: Config,
    pub(crate) name_span: Range<usize>,
}

const KEYS: &[&str] = &[
    "name",
    "kind",
    "address",
    "rules",
    "deadline",
    "concurrency",
    "queue",
    "when_down",
    "pass_files",
    "self_test",
];

/// Shortest and longest time for an engine. Where somebody waits for the verdict, that ends it before; where the message was
/// taken over, a service may run what it is shown.
const DEADLINE: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(30)];
/// Most messages at an engine at a time, and most that wait.
const MAX_CONCURRENCY: u64 = 1000;
const MAX_QUEUE: u64 = 100_000;
/// Of ICAP, RFC 3507 §4.2.
const ICAP_PORT: u16 = 1344;

/// Reads one `[[engine]]` table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> EngineTable {
    let mut reader = TableReader::new(table, span, "[[engine]]", KEYS);
    reader.require("name");
    let is_yara = reader.word("kind").is_some_and(|Yara| true);
    reader.require(if is_yara { "rules" } else { "address" });
    for key in if is_yara { &["address", "pass_files", "self_test"][..] } else { &["rules"] } {
        if let Some(span) = reader.span_of(key) {
            notes.error(span, ConfigProblem::NotOfThisKind { key, is_yara });
        }
    }
    let name = reader
        .text("name")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let rules = if is_yara { rules(&mut reader, notes) } else { Vec::new() };
    let pass = flag(&mut reader, "pass_files").unwrap_or(true);
    let protocol = reader.text("address").and_then(|text| {
        let found = protocol(text.get_ref(), pass);
        if found.is_none() {
            let text_of = (*text.get_ref()).to_owned();
            notes.error(text.span(), ConfigProblem::NotAnEngineAddress { key: "address", text: text_of });
        }
        found
    });
    let protocol =
        protocol.unwrap_or(Protocol::Clamd { address: Address::Unix(PathBuf::new()), pass_files: pass });
    let protocol = if is_yara { Protocol::Yara { rules } } else { protocol };
    let mut engine = Config::new(&name.unwrap_or_default(), protocol);
    // Nobody has written a rule for the test file.
    engine.self_test &= !is_yara;
    if let Some(text) = reader.duration("deadline") {
        deadline(&text, &mut engine, notes);
    }
    if let Some(count) = reader.integer("concurrency", 1..=MAX_CONCURRENCY) {
        engine.concurrency = count as usize;
    }
    if let Some(count) = reader.integer("queue", 0..=MAX_QUEUE) {
        engine.queue = count as usize;
    }
    if let Some(ActionWord(action)) = reader.word("when_down") {
        engine.when_down = action;
    }
    engine.self_test = flag(&mut reader, "self_test").unwrap_or(engine.self_test);
    let name_span = reader.span_of("name").unwrap_or_else(|| reader.span());
    notes.adopt(reader.finish());
    EngineTable { engine, name_span }
}

/// The kind that has no address.
struct Yara;

impl FromStr for Yara {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        if text == "yara" {
            Ok(Self)
        } else {
            Err(UnknownWord::new(text, "a kind of engine without an address", &["yara"]))
        }
    }
}

/// Files of rules, where this program can read them.
fn rules(reader: &mut TableReader<'_>, notes: &mut Notes) -> Vec<PathBuf> {
    if !cfg!(feature = "yara") {
        let span = reader.span_of("kind").unwrap_or_else(|| reader.span());
        notes.error(span, ConfigProblem::NoYara);
    }
    let mut paths = Vec::new();
    // That there are none is told already.
    if reader.value("rules").is_some() {
        for text in reader.texts("rules") {
            if text.get_ref().is_empty() {
                notes.error(text.span(), ConfigProblem::EmptyPath { key: "rules" });
            } else {
                paths.push(PathBuf::from(*text.get_ref()));
            }
        }
    }
    paths
}

fn deadline(text: &Spanned<&str>, engine: &mut Config, notes: &mut Notes) {
    let [min, max] = DEADLINE;
    match parse_duration(text.get_ref()) {
        Ok(deadline) if (min..=max).contains(&deadline) => engine.deadline = deadline,
        Ok(_) => {
            notes.error(text.span(), ConfigProblem::DurationOutOfRange { key: "deadline", min, max });
        }
        Err(problem) => notes.error(text.span(), problem),
    }
}

/// A path and `HOST:PORT` are clamd's, `icap://HOST[:PORT]/SERVICE` is ICAP's.
fn protocol(address: &str, pass_files: bool) -> Option<Protocol> {
    if let Some(rest) = address.strip_prefix("icap://") {
        return icap(rest).map(Protocol::Icap);
    }
    let address = if address.starts_with('/') {
        Address::Unix(PathBuf::from(address))
    } else {
        host_and_port(address, None)?;
        Address::Tcp(address.to_owned())
    };
    Some(Protocol::Clamd { address, pass_files })
}

fn icap(rest: &str) -> Option<IcapService> {
    let (authority, path) = rest.split_once('/')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~?=&%".contains(c);
    if path.is_empty() || !path.chars().all(is_plain) {
        return None;
    }
    let (host, port) = host_and_port(authority, Some(ICAP_PORT))?;
    Some(IcapService { host, port, path: path.to_owned() })
}

/// Host without brackets, and port.
fn host_and_port(authority: &str, default: Option<u16>) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return Some((host.to_owned(), port(rest.strip_prefix(':'), default)?));
    }
    let (host, text) = match authority.rsplit_once(':') {
        Some((host, text)) => (host, Some(text)),
        None => (authority, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let fits = !host.is_empty() && host.chars().all(is_name);
    fits.then(|| Some((host.to_owned(), port(text, default)?))).flatten()
}

fn port(text: Option<&str>, default: Option<u16>) -> Option<u16> {
    text.map_or(default, |text| text.parse().ok()).filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_the_protocol() {
        let icap = |host: &str, port, path: &str| {
            Some(Protocol::Icap(IcapService { host: host.to_owned(), port, path: path.to_owned() }))
        };
        let clamd = |address| Some(Protocol::Clamd { address, pass_files: true });
        for (text, expected) in [
            ("/run/clamd", clamd(Address::Unix("/run/clamd".into()))),
            ("av.example:3310", clamd(Address::Tcp("av.example:3310".to_owned()))),
            ("[::1]:3310", clamd(Address::Tcp("[::1]:3310".to_owned()))),
            ("icap://av.example/avscan", icap("av.example", 1344, "avscan")),
            ("icap://[::1]:11344/srv/clam?mode=x", icap("::1", 11344, "srv/clam?mode=x")),
            ("icap://192.0.2.1:1344/a", icap("192.0.2.1", 1344, "a")),
            ("icap://av.example", None),
            ("icap://av.example/", None),
            ("icap://:1344/a", None),
            ("icap://[::1/a", None),
            ("icap://av.example:0/a", None),
            ("icap://av.example/a b", None),
            ("icap://av\r\n.example/a", None),
            ("clamd", None),
            ("clamd:", None),
            ("", None),
        ] {
            assert_eq!(protocol(text, true), expected, "{text}");
        }
    }
}
