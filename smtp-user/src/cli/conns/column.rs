//! The columns in which flows are listed.

use std::time::Duration;

use crate::cli::conns::row::FlowRow;
use crate::cli::table::Column::{self, Number, Words};
use crate::cli::table::TextTable;
use crate::cli::{quantity, word};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowColumn {
    /// Protocol.
    Proto,
    /// Who opened it.
    Initiator,
    /// The other end.
    Responder,
    /// Path of its packets.
    Path,
    /// Why that path.
    Reason,
    /// Rule.
    Rule,
    /// Where it is in its life.
    State,
    /// How far its dialogue got.
    Stage,
    /// What was seen of STARTTLS.
    Starttls,
    /// Packets from the initiator.
    Packets,
    /// Octets from the initiator.
    Octets,
    /// Packets from the responder.
    BackPackets,
    /// Octets from the responder.
    BackOctets,
    /// Time since it began.
    Age,
    /// Time since its last packet.
    Idle,
    /// Session of an inspected flow.
    Session,
}

impl FlowColumn {
    /// All of them, in the order in which they stand unless told otherwise.
    pub const ALL: [Self; 16] = [
        Self::Proto,
        Self::Initiator,
        Self::Responder,
        Self::Path,
        Self::Reason,
        Self::Rule,
        Self::State,
        Self::Stage,
        Self::Starttls,
        Self::Packets,
        Self::Octets,
        Self::BackPackets,
        Self::BackOctets,
        Self::Age,
        Self::Idle,
        Self::Session,
    ];

    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proto => "proto",
            Self::Initiator => "initiator",
            Self::Responder => "responder",
            Self::Path => "path",
            Self::Reason => "reason",
            Self::Rule => "rule",
            Self::State => "state",
            Self::Stage => "stage",
            Self::Starttls => "starttls",
            Self::Packets => "packets",
            Self::Octets => "octets",
            Self::BackPackets => "back-packets",
            Self::BackOctets => "back-octets",
            Self::Age => "age",
            Self::Idle => "idle",
            Self::Session => "session",
        }
    }

    /// A column by its word.
    pub fn parse(text: &str) -> Result<Self, word::WordError> {
        word::one_of(text, "a column", &Self::ALL, Self::name)
    }

    fn column(self) -> Column {
        match self {
            Self::BackPackets => Number("back packets"),
            Self::BackOctets => Number("back octets"),
            Self::Packets | Self::Octets | Self::Age | Self::Idle => Number(self.name()),
            _ => Words(self.name()),
        }
    }

    fn cell(self, row: &FlowRow) -> String {
        match self {
            Self::Proto => row.protocol.to_owned(),
            Self::Initiator => row.initiator.to_string(),
            Self::Responder => row.responder.to_string(),
            Self::Path => row.path.to_owned(),
            Self::Reason => row.reason.to_owned(),
            Self::Rule => rule_name(row),
            Self::State => row.state.to_owned(),
            Self::Stage => row.stage.to_owned(),
            Self::Starttls => row.starttls.to_string(),
            Self::Packets => quantity::count(row.to_responder.packets.into()),
            Self::Octets => quantity::octets(row.to_responder.octets),
            Self::BackPackets => quantity::count(row.to_initiator.packets.into()),
            Self::BackOctets => quantity::octets(row.to_initiator.octets),
            Self::Age => quantity::age(Duration::from_secs_f64(row.age_seconds)),
            Self::Idle => quantity::age(Duration::from_secs_f64(row.idle_seconds)),
            Self::Session => row.session.map_or_else(|| "-".to_owned(), |session| session.to_string()),
        }
    }
}

fn rule_name(row: &FlowRow) -> String {
    match (&row.rule, row.rule_id) {
        (Some(name), _) => name.clone(),
        (None, Some(id)) => format!("(gone, id {id})"),
        (None, None) => "-".to_owned(),
    }
}

/// Flows as a table with these columns; with all there are that say anything if there are none.
pub fn table(rows: impl IntoIterator<Item = FlowRow>, columns: &[FlowColumn]) -> TextTable {
    let rows: Vec<FlowRow> = rows.into_iter().collect();
    let mut columns = columns.to_vec();
    if columns.is_empty() {
        columns = FlowColumn::ALL.to_vec();
        // A column that is empty for every flow only pushes the others apart.
        columns
            .retain(|column| *column != FlowColumn::Session || rows.iter().any(|row| row.session.is_some()));
    }
    let mut table = TextTable::new(&columns.iter().map(|column| column.column()).collect::<Vec<_>>());
    for row in &rows {
        table.row(columns.iter().map(|column| column.cell(row)));
    }
    table
}
