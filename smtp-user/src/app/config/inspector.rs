//! The `[inspector]` table: names, bounds and time-outs of the inspector.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::problem::ConfigProblem;
use crate::app::config::size::parse_size;
use crate::gateway::timeouts::Timeouts;
use crate::limits::{self, Timeout};
use crate::policy::toml_table::TableReader;

/// The inspector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectorConfig {
    /// What the gateway calls itself in its own replies and trace fields. Default: the system's host name.
    pub hostname: Option<String>,
    /// Sessions in all. Default 10,000.
    pub max_connections: u32,
    /// Sessions of one source: an IPv4 address, or an IPv6 network of 64 bits. Default 500.
    pub max_per_source: u32,
    /// Octets of a message. Default 100 MiB.
    pub max_message: u64,
    /// Recipients of a message. Default 1,000.
    pub max_recipients: u32,
    /// Errors of an originator before its session is ended. Default 20.
    pub max_errors: u32,
    /// Messages in one session. Default 1,000.
    pub max_transactions: u32,
    /// How long sessions in flight may go on when the daemon is told to stop. Default `30s`.
    pub drain: Duration,
    /// How long the gateway waits for what.
    pub timeouts: Timeouts,
}

impl Default for InspectorConfig {
    fn default() -> Self {
        Self {
            hostname: None,
            max_connections: 10_000,
            max_per_source: 500,
            max_message: limits::MESSAGE_OCTETS,
            max_recipients: limits::RECIPIENTS,
            max_errors: limits::ERRORS,
            max_transactions: limits::TRANSACTIONS,
            drain: Duration::from_secs(30),
            timeouts: Timeouts::default(),
        }
    }
}

impl InspectorConfig {
    /// What the gateway calls itself: its configured name, or what the system calls itself if that can stand in a reply.
    pub fn name(&self) -> String {
        self.hostname.clone().unwrap_or_else(|| {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let name = name.trim();
            if is_domain(name) { name.to_owned() } else { "localhost".to_owned() }
        })
    }
}

/// Shortest time-out: less would end dialogues that are only slow.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// Longest time-out.
const MAX_WAIT: Duration = Duration::from_hours(24);
/// Longest drain: whoever stops a daemon waits for it.
const MAX_DRAIN: Duration = Duration::from_mins(10);
/// Smallest bound of a message (RFC 5321 §4.5.3.1.7).
const MIN_MESSAGE: u64 = 64 << 10;
/// Largest.
const MAX_MESSAGE: u64 = 4 << 30;
/// Most sessions.
const MAX_CONNECTIONS: u64 = 1_000_000;

const KEYS: &[&str] = &[
    "hostname",
    "max_connections",
    "max_per_source",
    "max_message",
    "max_recipients",
    "max_errors",
    "max_transactions",
    "minimum_rate",
    "drain",
    "timeouts",
];

/// Names of the time-outs, and `session`, which is none of a single wait.
const WAIT_KEYS: &[&str] = &[
    "command",
    "data",
    "client_handshake",
    "connect",
    "greeting",
    "reply",
    "mail",
    "rcpt",
    "data_start",
    "data_block",
    "data_end",
    "quit",
    "server_handshake",
    "judgement",
    "session",
];

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> InspectorConfig {
    let mut reader = TableReader::new(table, span, "[inspector]", KEYS);
    let mut inspector = InspectorConfig::default();
    if let Some(text) = reader.text("hostname") {
        if is_domain(text.get_ref()) {
            inspector.hostname = Some((*text.get_ref()).to_owned());
        } else {
            let text_owned = (*text.get_ref()).to_owned();
            notes.error(text.span(), ConfigProblem::NotADomain { key: "hostname", text: text_owned });
        }
    }
    let counts: [(&'static str, &mut u32, u64); 5] = [
        ("max_connections", &mut inspector.max_connections, MAX_CONNECTIONS),
        ("max_per_source", &mut inspector.max_per_source, MAX_CONNECTIONS),
        ("max_recipients", &mut inspector.max_recipients, 100_000),
        ("max_errors", &mut inspector.max_errors, 10_000),
        ("max_transactions", &mut inspector.max_transactions, 1_000_000),
    ];
    for (key, place, max) in counts {
        if let Some(count) = reader.integer(key, 1..=max) {
            *place = count as u32;
        }
    }
    if let Some(text) = reader.text("max_message") {
        match size("max_message", &text) {
            Ok(octets) => inspector.max_message = octets,
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if let Some(rate) = reader.integer("minimum_rate", 0..=1_000_000) {
        inspector.timeouts.minimum_rate = rate;
    }
    if let Some(drain) = wait(&mut reader, "drain", Duration::ZERO, MAX_DRAIN, notes) {
        inspector.drain = drain;
    }
    if let Some(value) = reader.value("timeouts") {
        if let DeValue::Table(table) = value.get_ref() {
            read_timeouts(table, value.span(), &mut inspector.timeouts, notes);
        } else {
            reader.wrong_type("timeouts", "a table", value, Some("[inspector.timeouts]".to_owned()));
        }
    }
    notes.adopt(reader.finish());
    inspector
}

fn read_timeouts(table: &DeTable<'_>, span: Range<usize>, timeouts: &mut Timeouts, notes: &mut Notes) {
    let mut reader = TableReader::new(table, span, "[inspector.timeouts]", WAIT_KEYS);
    for timeout in Timeout::ALL {
        if let Some(duration) = wait(&mut reader, timeout.name(), MIN_WAIT, MAX_WAIT, notes) {
            timeouts.set(timeout, duration);
        }
    }
    if let Some(duration) = wait(&mut reader, "session", MIN_WAIT, MAX_WAIT, notes) {
        timeouts.session = duration;
    }
    notes.adopt(reader.finish());
}

fn size(key: &'static str, text: &Spanned<&str>) -> Result<u64, ConfigProblem> {
    let octets = parse_size(text.get_ref())?;
    if (MIN_MESSAGE..=MAX_MESSAGE).contains(&octets) {
        Ok(octets)
    } else {
        Err(ConfigProblem::SizeOutOfRange { key, min: MIN_MESSAGE, max: MAX_MESSAGE })
    }
}

fn wait(
    reader: &mut TableReader<'_>,
    key: &'static str,
    min: Duration,
    max: Duration,
    notes: &mut Notes,
) -> Option<Duration> {
    let text = reader.duration(key)?;
    match in_range(key, &text, min, max) {
        Ok(duration) => Some(duration),
        Err(problem) => {
            notes.error(text.span(), problem);
            None
        }
    }
}

fn in_range(
    key: &'static str,
    text: &Spanned<&str>,
    min: Duration,
    max: Duration,
) -> Result<Duration, ConfigProblem> {
    let duration = parse_duration(text.get_ref())?;
    if (min..=max).contains(&duration) {
        Ok(duration)
    } else {
        Err(ConfigProblem::DurationOutOfRange { key, min, max })
    }
}

/// Whether a text is a domain name as it stands in replies (RFC 5321 §4.1.2).
pub(crate) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    text.len() <= limits::DOMAIN_OCTETS && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{WAIT_KEYS, is_domain};
    use crate::app::config::Config;
    use crate::limits::Timeout;

    #[test]
    fn every_value_is_read() {
        let config = Config::parse(
            "[gateway]\ninterfaces = [\"eth0\"]\n[inspector]\nhostname = \"gw.example.org\"\n\
             max_connections = 5\nmax_per_source = 4\nmax_message = \"64KiB\"\nmax_recipients = 3\n\
             max_errors = 2\nmax_transactions = 1\nminimum_rate = 0\ndrain = \"0s\"\n\
             [inspector.timeouts]\ncommand = \"1m\"\nsession = \"1h\"\n",
            "f",
        )
        .unwrap()
        .inspector;
        assert_eq!(config.hostname.as_deref(), Some("gw.example.org"));
        assert_eq!((config.max_connections, config.max_per_source), (5, 4));
        assert_eq!((config.max_message, config.max_recipients), (65_536, 3));
        assert_eq!((config.max_errors, config.max_transactions), (2, 1));
        assert_eq!((config.timeouts.minimum_rate, config.drain), (0, Duration::ZERO));
        assert_eq!(config.timeouts.of(Timeout::Command), Duration::from_mins(1));
        assert_eq!(config.timeouts.of(Timeout::Data), Timeout::Data.duration());
        assert_eq!(config.timeouts.session, Duration::from_hours(1));
    }

    #[test]
    fn mistakes_have_their_places() {
        let error = Config::parse(
            "[gateway]\ninterfaces = [\"eth0\"]\n[inspector]\nhostname = \"gw example\"\nmax_errors = 0\n\
             drain = \"1d\"\n[inspector.timeouts]\ncomand = \"1m\"\nquit = \"10ms\"\n",
            "f",
        )
        .unwrap_err();
        let places: Vec<_> = error.diagnostics.iter().map(|d| (d.line, d.column)).collect();
        assert_eq!(places, [(4, 12), (5, 14), (6, 9), (8, 1), (9, 8)]);
    }

    #[test]
    fn every_wait_has_a_key() {
        for timeout in Timeout::ALL {
            assert!(WAIT_KEYS.contains(&timeout.name()), "{timeout:?}");
        }
        assert_eq!(WAIT_KEYS.len(), Timeout::ALL.len() + 1);
    }

    #[test]
    fn names_of_hosts_are_told_from_other_texts() {
        for name in ["gw", "gw.example.org", "a-b.c1"] {
            assert!(is_domain(name), "{name}");
        }
        for name in ["", ".", "gw.", "-a", "a b", "a\r\nb", "ä.example"] {
            assert!(!is_domain(name), "{name:?}");
        }
    }
}
