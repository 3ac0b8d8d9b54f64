//! A rule as it is listed: its place, its words, and what it matched.

use ipnet::IpNet;
use serde::Serialize;

use crate::cli::quantity;
use crate::cli::table::Column::{Number, Words};
use crate::cli::table::TextTable;
use crate::packet_path::error::Result;
use crate::packet_path::stats::RuleCounts;
use crate::policy::packet_rule::{PacketRule, TRACK_STARTTLS};
use crate::policy::packet_rules::PacketRules;
use crate::policy::service::Service;

/// A rule of the running gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRow {
    /// Counted from 1.
    pub position: usize,
    /// Stays with the rule.
    pub id: u16,
    /// Name.
    pub name: String,
    /// What it does.
    pub action: &'static str,
    /// Sources; empty: any.
    pub from: Vec<IpNet>,
    /// Destinations; empty: any.
    pub to: Vec<IpNet>,
    /// Services; empty: any.
    pub service: Vec<Service>,
    /// Ingress interface; null: any.
    pub interface: Option<String>,
    /// Without an inspector, for rules that need one.
    pub when_down: Option<&'static str>,
    /// What is followed.
    pub track: Option<&'static str>,
    /// What the inspector takes the flow for.
    pub resource: Option<String>,
    /// New flows and lone packets that it decided.
    pub hits: u64,
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub octets: u64,
}

impl RuleRow {
    /// Every rule with its counters.
    pub fn all(rules: &PacketRules, counts: &RuleCounts) -> Result<Vec<Self>> {
        rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                let count = counts.get(rule.id)?;
                let row = Self::new(index + 1, rule);
                Ok(Self { hits: count.hits, packets: count.packets, octets: count.octets, ..row })
            })
            .collect()
    }

    /// A rule that has matched nothing.
    pub fn new(position: usize, rule: &PacketRule) -> Self {
        // Guarded rules have a `when_down` whether or not it was written.
        let when_down = rule.when_down.or_else(|| rule.action.is_guarded().then(Default::default));
        Self {
            position,
            id: rule.id,
            name: rule.name.clone(),
            action: rule.action.name(),
            from: rule.from.clone(),
            to: rule.to.clone(),
            service: rule.service.clone(),
            interface: rule.interface.clone(),
            when_down: when_down.map(crate::policy::action::WhenDown::name),
            track: rule.track_starttls.then_some(TRACK_STARTTLS),
            resource: rule.resource.clone(),
            hits: 0,
            packets: 0,
            octets: 0,
        }
    }
}

/// Rules as a table. Columns that say nothing in any row are left out.
pub fn table(rows: &[RuleRow]) -> TextTable {
    let with_inspector = rows.iter().any(|row| row.when_down.is_some() || row.resource.is_some());
    let mut columns = vec![
        Number("#"),
        Words("name"),
        Words("action"),
        Words("from"),
        Words("to"),
        Words("service"),
        Words("interface"),
        Words("track"),
    ];
    if with_inspector {
        columns.extend([Words("when down"), Words("resource")]);
    }
    columns.extend([Number("hits"), Number("packets"), Number("octets")]);
    let mut table = TextTable::new(&columns);
    for row in rows {
        let mut cells = vec![
            row.position.to_string(),
            row.name.clone(),
            row.action.to_owned(),
            several(&row.from),
            several(&row.to),
            several(&row.service),
            row.interface.clone().unwrap_or_else(|| "any".to_owned()),
            row.track.unwrap_or("-").to_owned(),
        ];
        if with_inspector {
            cells.push(row.when_down.unwrap_or("-").to_owned());
            cells.push(row.resource.clone().unwrap_or_else(|| "-".to_owned()));
        }
        cells.extend([quantity::count(row.hits), quantity::count(row.packets), quantity::octets(row.octets)]);
        table.row(cells);
    }
    table
}

fn several<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "any".to_owned();
    }
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{}, and {more} more", shown.join(", ")) }
}

/// Elements of a list that a table shows.
const SHOWN: usize = 4;
