//! What `stat` shows, for people.

use std::fmt::Write as _;

use smtp_common::packet_path::PacketPath;

use crate::cli::quantity::{count, octets, percent};
use crate::cli::rules::row;
use crate::cli::stat::report::{FlowTable, InterfaceRow, PathShare, ReasonRow, Report};
use crate::cli::table::Column::{Number, Words};
use crate::cli::table::TextTable;

/// Writes the report. Writing to a string does not fail.
pub(super) fn write(report: &Report, with_rules: bool) -> String {
    let mut text = head(report);
    text.push_str("\nInterfaces\n");
    text.push_str(&interfaces(&report.interfaces));
    for row in &report.interfaces {
        let _ = writeln!(text, "  {}: {} ({}).", row.name, row.hook, row.why);
        if let Some(note) = &row.note {
            let _ = writeln!(text, "  {}: {}.", row.name, note.trim_end_matches('.'));
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  warning: {warning}.");
    }
    text.push_str("\nPackets by path\n");
    text.push_str(&paths(&report.paths));
    text.push_str(&not_accelerated(&report.reasons));
    let counters: Vec<_> = report.counters.iter().filter(|(_, number)| **number != 0).collect();
    if !counters.is_empty() {
        text.push_str("\nCounters\n");
        let mut table = TextTable::new(&[Words("counter"), Number("value")]);
        for (name, number) in counters {
            table.row([(*name).to_owned(), count(*number)]);
        }
        text.push_str(&table.text(2));
    }
    if with_rules {
        text.push_str("\nRules\n");
        text.push_str(&row::table(&report.rules).text(2));
    }
    text
}

fn head(report: &Report) -> String {
    let daemon = match report.daemon.pid {
        Some(pid) => format!("running (process {pid})"),
        None => "not running; the kernel goes on by what is pinned".to_owned(),
    };
    let policy = match report.policy_revision {
        0 => "none loaded".to_owned(),
        revision => format!("revision {revision}, {} rules", report.rules.len()),
    };
    let FlowTable { live, unconfirmed, capacity_v4, capacity_v6 } = report.flows;
    // Most gateways have none.
    let dequeuer =
        report.dequeuer.pid.map(|pid| format!("Dequeuer running (process {pid})\n")).unwrap_or_default();
    format!(
        "Daemon  {daemon}\n{dequeuer}Policy  {policy}; route generation {}\nFlows   {} live, {} of them unconfirmed; room for {} IPv4 and {} IPv6\n",
        report.route_generation,
        count(live.into()),
        count(unconfirmed.into()),
        count(capacity_v4.into()),
        count(capacity_v6.into()),
    )
}

fn interfaces(rows: &[InterfaceRow]) -> String {
    let mut table = TextTable::new(&[
        Words("name"),
        Number("index"),
        Words("hook"),
        Words("mode"),
        Number("xdp program"),
        Number("tc program"),
        Words("state"),
    ]);
    let id = |program: Option<u32>| program.map_or_else(|| "-".to_owned(), |id| id.to_string());
    for row in rows {
        table.row([
            row.name.clone(),
            row.index.to_string(),
            row.hook.to_owned(),
            row.mode.to_owned(),
            id(row.xdp_program),
            id(row.tc_program),
            if row.attached { "attached" } else { "NOT ATTACHED" }.to_owned(),
        ]);
    }
    table.text(2)
}

fn paths(shares: &[PathShare]) -> String {
    let columns = [Words("path"), Number("packets"), Number("%"), Number("octets"), Number("%")];
    let mut table = TextTable::new(&columns);
    for share in shares {
        table.row([
            share.path.to_owned(),
            count(share.packets),
            format!("{:.2}", share.percent),
            octets(share.octets),
            format!("{:.2}", share.percent_octets),
        ]);
    }
    table.text(2)
}

/// Reasons of packets that were not accelerated, most frequent first, interfaces taken together.
fn not_accelerated(rows: &[ReasonRow]) -> String {
    let accelerated = PacketPath::ACCELERATED.name();
    let all: u64 = rows.iter().map(|row| row.packets).sum();
    let mut sums: Vec<ReasonRow> = Vec::new();
    for row in rows.iter().filter(|row| row.path != accelerated) {
        match sums.iter_mut().find(|sum| sum.reason == row.reason) {
            Some(sum) => {
                sum.packets += row.packets;
                sum.percent = percent(sum.packets, all);
            }
            None => sums.push(row.clone()),
        }
    }
    if sums.is_empty() {
        return "\nEverything that was seen was accelerated.\n".to_owned();
    }
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.packets));
    let columns = [Words("path"), Words("reason"), Number("packets"), Number("%"), Words("explanation")];
    let mut table = TextTable::new(&columns);
    for sum in sums {
        table.row([
            sum.path.to_owned(),
            sum.reason.to_owned(),
            count(sum.packets),
            format!("{:.2}", sum.percent),
            sum.explanation.to_owned(),
        ]);
    }
    format!("\nWhy packets are not accelerated\n{}", table.text(2))
}
