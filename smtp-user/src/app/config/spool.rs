//! The `[spool]` table: store-and-forward, under the names that its parameters have always had.
//!
//! What was one number of seconds or kilobytes is written with its unit here. `timeout` was one timer for two jobs, so
//! that a slow scan left no time to deliver; each has its own now, and `timeout` bounds their sum.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::problem::ConfigProblem;
use crate::app::config::size::parse_size;
use crate::delivery::settings::Settings;
use crate::policy::action::UnknownWord;
use crate::policy::toml_table::TableReader;
use crate::wire::smtp::mailbox::is_mailbox;

/// Store-and-forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// Folder of the messages. Default: `spool` in the data folder. It must exist if it is named.
    pub rundir: Option<PathBuf>,
    /// Messages there may be; with more, senders are told to come again. Default 100,000.
    pub spool_limit: u64,
    /// How often it is said that the limit is reached, or no longer. It is exact at every message.
    pub spool_limit_scan_period: Duration,
    /// For scan and delivery together. Default 90 s.
    pub timeout: Duration,
    /// For the verdict on a message. Default 30 s.
    pub scan_timeout: Duration,
    /// Octets of a message, in its encoding. Default 1,000 KiB.
    pub max_mail_size: u64,
    /// Recipients of a message. Default 1,000.
    pub maxrecipients: u32,
    /// What becomes of a message with more.
    pub maxrecipients_mode: RecipientsMode,
    /// How messages are delivered.
    pub delivery: Settings,
}

/// What becomes of a message with too many recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecipientsMode {
    /// Each one above the limit is put off with 452, and the sender's host sends them another message.
    #[default]
    Rfc,
    /// The whole message is refused.
    Compat,
}

impl FromStr for RecipientsMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "rfc" => Ok(Self::Rfc),
            "compat" => Ok(Self::Compat),
            _ => Err(UnknownWord::new(text, "a mode", &["rfc", "compat"])),
        }
    }
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            rundir: None,
            spool_limit: 100_000,
            spool_limit_scan_period: Duration::from_secs(10),
            timeout: Duration::from_secs(90),
            scan_timeout: Duration::from_secs(30),
            max_mail_size: 1000 << 10,
            maxrecipients: 1000,
            maxrecipients_mode: RecipientsMode::default(),
            delivery: Settings::default(),
        }
    }
}

const KEYS: &[&str] = &[
    "rundir",
    "spool_limit",
    "spool_limit_scan_period",
    "timeout",
    "scan_timeout",
    "delivery_timeout",
    "scan_period",
    "resend_period",
    "abandon_time",
    "delay_warning",
    "max_mail_size",
    "maxrecipients",
    "maxrecipients_mode",
    "max_conns",
    "max_conns_per_site",
    "max_mails_per_conn",
    "max_mx_node_per_mail",
    "max_ips_per_mx_node",
    "max_load",
    "max_hops",
    "detailed_smtp_err_mail",
    "detailed_av_err_mail",
    "detailed_rb_err_mail",
    "postmaster",
    "default_server",
    "dns_servers",
    "dns_trusted",
];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// A month: nobody waits for mail that long.
const MONTH: Duration = Duration::from_hours(30 * 24);
/// Smallest and largest bound of a message, as in `[inspector]`.
const MAIL_SIZE: [u64; 2] = [64 << 10, 4 << 30];

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> SpoolConfig {
    let mut reader = TableReader::new(table, span.clone(), "[spool]", KEYS);
    let mut spool = SpoolConfig::default();
    let delivery = &mut spool.delivery;
    let durations: [(&'static str, &mut Duration, Duration, Duration); 8] = [
        ("timeout", &mut spool.timeout, SECOND, DAY),
        ("scan_timeout", &mut spool.scan_timeout, SECOND, HOUR),
        ("delivery_timeout", &mut delivery.delivery_timeout, SECOND, HOUR),
        ("scan_period", &mut delivery.scan_period, Duration::from_millis(100), HOUR),
        ("resend_period", &mut delivery.resend_period, SECOND, DAY),
        ("abandon_time", &mut delivery.abandon_time, SECOND, MONTH),
        ("delay_warning", &mut delivery.delay_warning, Duration::ZERO, MONTH),
        ("spool_limit_scan_period", &mut spool.spool_limit_scan_period, SECOND, DAY),
    ];
    for (key, place, min, max) in durations {
        if let Some(duration) = duration(&mut reader, key, min, max, notes) {
            *place = duration;
        }
    }
    let counts: [(&'static str, &mut u32, u64); 8] = [
        ("maxrecipients", &mut spool.maxrecipients, 100_000),
        ("max_conns", &mut delivery.max_conns, 10_000),
        ("max_conns_per_site", &mut delivery.max_conns_per_site, 10_000),
        ("max_mails_per_conn", &mut delivery.max_mails_per_conn, 1_000_000),
        ("max_mx_node_per_mail", &mut delivery.max_mx_node_per_mail, 100),
        ("max_ips_per_mx_node", &mut delivery.max_ips_per_mx_node, 100),
        ("max_load", &mut delivery.max_load, 1_000_000),
        ("max_hops", &mut delivery.max_hops, 1000),
    ];
    for (key, place, max) in counts {
        if let Some(count) = reader.integer(key, 1..=max) {
            *place = count as u32;
        }
    }
    let switches: [(&'static str, &mut bool); 4] = [
        ("detailed_smtp_err_mail", &mut delivery.detail.smtp),
        ("detailed_av_err_mail", &mut delivery.detail.scan),
        ("detailed_rb_err_mail", &mut delivery.detail.rules),
        ("dns_trusted", &mut delivery.dns_trusted),
    ];
    for (key, place) in switches {
        if let Some(on) = reader.switch(key) {
            *place = on;
        }
    }
    if let Some(limit) = reader.integer("spool_limit", 1..=100_000_000) {
        spool.spool_limit = limit;
    }
    if let Some(mode) = reader.word("maxrecipients_mode") {
        spool.maxrecipients_mode = mode;
    }
    if let Some(text) = reader.text("max_mail_size") {
        match size("max_mail_size", &text) {
            Ok(octets) => spool.max_mail_size = octets,
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if let Some(text) = reader.text("rundir") {
        let path = PathBuf::from(*text.get_ref());
        if path.is_absolute() {
            spool.rundir = Some(path);
        } else {
            let path = (*text.get_ref()).to_owned();
            notes.error(text.span(), ConfigProblem::RelativePath { key: "rundir", path });
        }
    }
    if let Some(text) = reader.text("postmaster") {
        let address = (*text.get_ref()).to_owned();
        if is_mailbox(&address) {
            spool.delivery.postmaster = Some(address);
        } else {
            notes.error(text.span(), ConfigProblem::NotAMailbox { key: "postmaster", text: address });
        }
    }
    if let Some(text) = reader.text("default_server") {
        match text.get_ref().parse() {
            Ok(host) => spool.delivery.default_server = Some(host),
            Err(problem) => notes.error(text.span(), ConfigProblem::NotAHost(problem)),
        }
    }
    spool.delivery.dns_servers = dns_servers(&mut reader, notes);
    let sum = spool.scan_timeout + spool.delivery.delivery_timeout;
    if sum > spool.timeout {
        let at = ["delivery_timeout", "scan_timeout", "timeout"].iter().find_map(|key| reader.span_of(key));
        notes.error(at.unwrap_or(span), ConfigProblem::TimersTooLong { sum, timeout: spool.timeout });
    }
    notes.adopt(reader.finish());
    spool
}

fn dns_servers(reader: &mut TableReader<'_>, notes: &mut Notes) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for text in reader.texts("dns_servers") {
        if let Ok(address) = text.get_ref().parse() {
            servers.push(address);
        } else {
            let text_owned = (*text.get_ref()).to_owned();
            let suggestion = text_owned.parse().ok().map(|ip| SocketAddr::new(ip, 53).to_string());
            let problem =
                ConfigProblem::NotASocketAddress { key: "dns_servers", text: text_owned, suggestion };
            notes.error(text.span(), problem);
        }
    }
    servers
}

/// A duration within bounds.
pub(crate) fn duration(
    reader: &mut TableReader<'_>,
    key: &'static str,
    min: Duration,
    max: Duration,
    notes: &mut Notes,
) -> Option<Duration> {
    let text = reader.duration(key)?;
    match parse_duration(text.get_ref()) {
        Ok(duration) if (min..=max).contains(&duration) => return Some(duration),
        Ok(_) => notes.error(text.span(), ConfigProblem::DurationOutOfRange { key, min, max }),
        Err(problem) => notes.error(text.span(), problem),
    }
    None
}

fn size(key: &'static str, text: &Spanned<&str>) -> Result<u64, ConfigProblem> {
    let octets = parse_size(text.get_ref())?;
    let [min, max] = MAIL_SIZE;
    if (min..=max).contains(&octets) {
        Ok(octets)
    } else {
        Err(ConfigProblem::SizeOutOfRange { key, min, max })
    }
}

#[cfg(test)]
mod tests;
