//! The account: every session that was opened, and the one thing that became of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::Serialize;
use smtp_common::packet_path::PathReason;

use crate::audit::reader::Reader;
use crate::audit::timestamp;
use crate::cli::sessions::SessionsArgs;
use crate::cli::{output, quantity, records_args};
use crate::event::session_event::SessionEvent;
use crate::model::session_id::SessionId;
use crate::packet_path::error::Result;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;
use crate::packet_path::stats;

/// Sessions of a time, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Balance {
    /// From this time on.
    pub(super) since: String,
    /// Sessions opened.
    pub(super) opened: u64,
    /// Of these, so many ended this way.
    pub(super) dispositions: BTreeMap<String, u64>,
    /// The same, by reason.
    pub(super) reasons: BTreeMap<String, u64>,
    /// Of these, so many have not ended.
    pub(super) open: u64,
    /// Whether they add up.
    pub(super) balances: bool,
    /// Accounts of sessions that were never opened, or that have one already: there are none.
    pub(super) stray_accounts: u64,
    /// Messages that next hops took, that were refused, that were put off, and that are in quarantine.
    pub(super) delivered: u64,
    pub(super) refused: u64,
    pub(super) deferred: u64,
    pub(super) quarantined: u64,
    /// What the kernel program counted since it was loaded; null when nothing is loaded.
    pub(super) kernel: Option<Kernel>,
}

/// The kernel program's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Kernel {
    /// Flows that an `inspect` rule handed to the inspector.
    pub(super) inspected_flows: u64,
    /// Flows refused since no inspector was alive.
    pub(super) refused_inspector_down: u64,
    /// Flows refused since the inspector had no socket for them.
    pub(super) refused_no_socket: u64,
    /// Flows accelerated since no inspector was alive.
    pub(super) bypassed_inspector_down: u64,
}

/// Prints the account.
pub(super) fn run(args: &SessionsArgs, reader: &mut Reader) -> anyhow::Result<()> {
    let mut balance = balance(reader, args.since.0)?;
    balance.kernel = Maps::open(&Pins::new(&args.pin_dir)).and_then(|maps| Kernel::read(&maps)).ok();
    if args.records.json {
        output::json(&balance)?;
    } else {
        output::text(&balance.text())?;
    }
    records_args::notice_unreadable(reader);
    Ok(())
}

/// Reads the records. A session belongs to the time in which it got its name.
pub(super) fn balance(reader: &mut Reader, since: u64) -> anyhow::Result<Balance> {
    // What the oldest file does not hold any more was not there.
    let kept = reader.begun().and_then(timestamp::parse).unwrap_or(0);
    let since = since.max(kept);
    let first_ms = since.div_ceil(1000);
    let mut balance = Balance { since: timestamp::format(since), ..Balance::default() };
    let mut open: HashSet<SessionId> = HashSet::new();
    while let Some(raw) = reader.next_record()? {
        if !matches!(raw.event(), "opened" | "account") {
            continue;
        }
        let Some(record) = raw.parse() else { continue };
        if record.session.unix_ms() < first_ms {
            continue;
        }
        match record.event {
            SessionEvent::Opened { .. } if open.insert(record.session) => balance.opened += 1,
            SessionEvent::Account { disposition, delivered, refused, deferred, quarantined, .. } => {
                if !open.remove(&record.session) {
                    balance.stray_accounts += 1;
                    continue;
                }
                let word = disposition.name();
                *balance.dispositions.entry(word.to_owned()).or_default() += 1;
                if let Some(reason) = disposition.reason() {
                    *balance.reasons.entry(format!("{word}({reason})")).or_default() += 1;
                }
                balance.delivered += u64::from(delivered);
                balance.refused += u64::from(refused);
                balance.deferred += u64::from(deferred);
                balance.quarantined += u64::from(quarantined);
            }
            _ => {}
        }
    }
    balance.open = open.len() as u64;
    let ended: u64 = balance.dispositions.values().sum();
    balance.balances = balance.opened == ended + balance.open && balance.stray_accounts == 0;
    Ok(balance)
}

impl Kernel {
    fn read(maps: &Maps) -> Result<Self> {
        let counts = stats::path_counts(maps)?;
        let sum = |reason: PathReason, of: fn(&stats::PathCount) -> u64| -> u64 {
            counts.iter().filter(|count| count.reason == reason).map(of).sum()
        };
        let flows = |count: &stats::PathCount| count.stats.flows;
        let packets = |count: &stats::PathCount| count.stats.packets;
        Ok(Self {
            inspected_flows: sum(PathReason::RULE_INSPECT, flows),
            // What is refused has no flow; each try is a packet.
            refused_inspector_down: sum(PathReason::INSPECTOR_DOWN_REFUSE, packets),
            refused_no_socket: sum(PathReason::NO_INSPECTOR_SOCKET, packets),
            bypassed_inspector_down: sum(PathReason::INSPECTOR_DOWN_ACCELERATE, flows),
        })
    }
}

impl Balance {
    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, number: u64| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{label:<28}{:>12}", quantity::count(number));
        };
        line("sessions opened", self.opened);
        for word in ["inspected", "bypassed", "refused", "failed"] {
            line(&format!("  {word}"), self.dispositions.get(word).copied().unwrap_or(0));
            for (reason, number) in self.reasons.iter().filter(|(reason, _)| reason.starts_with(word)) {
                let reason = reason.get(word.len()..).unwrap_or_default();
                line(&format!("    {}", reason.trim_matches(['(', ')'])), *number);
            }
        }
        line("  open", self.open);
        if self.stray_accounts > 0 {
            line("accounts of no session", self.stray_accounts);
        }
        line("messages delivered", self.delivered);
        line("messages refused", self.refused);
        line("messages deferred", self.deferred);
        line("messages quarantined", self.quarantined);
        if let Some(kernel) = &self.kernel {
            line("kernel: flows inspected", kernel.inspected_flows);
            line("kernel: refused, down", kernel.refused_inspector_down);
            line("kernel: refused, no socket", kernel.refused_no_socket);
            line("kernel: bypassed, down", kernel.bypassed_inspector_down);
        }
        let verdict = if self.balances { "The account balances" } else { "The account does NOT balance" };
        let _ = writeln!(text, "{verdict}, since {}.", self.since);
        if self.kernel.is_some() {
            text.push_str("The kernel counts since its programs were loaded, whatever --since says.\n");
        }
        text
    }
}
