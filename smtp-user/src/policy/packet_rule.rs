//! One packet rule as data.

use ipnet::IpNet;
use serde::Serialize;

use crate::policy::action::{Action, WhenDown};
use crate::policy::service::Service;

/// Octets of a rule's name at most.
pub const MAX_NAME_BYTES: usize = 64;

/// A packet rule. Of each list, one element that matches is enough; an empty list matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PacketRule {
    /// Stays with the rule's name while the rules around it change; counters go by it.
    pub id: u16,
    /// Unique in its list.
    pub name: String,
    /// Source prefixes. Prefixes of one family only match no packet of the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<IpNet>,
    /// Destination prefixes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<IpNet>,
    /// Protocols and destination ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// Where the flow's first packet comes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What it does.
    pub action: Action,
    /// What it does while no inspector is alive, where the rule says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_down: Option<WhenDown>,
    /// `track = "starttls"`: the stage of SMTP dialogues is followed.
    #[serde(rename = "track", serialize_with = "track_word", skip_serializing_if = "is_false")]
    pub track_starttls: bool,
    /// Name of the resource that the inspector takes the flow for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl PacketRule {
    /// A rule for everything, with id 0 until it is put into a list.
    pub fn new(name: impl Into<String>, action: Action) -> Self {
        Self {
            id: 0,
            name: name.into(),
            from: Vec::new(),
            to: Vec::new(),
            service: Vec::new(),
            interface: None,
            action,
            when_down: None,
            track_starttls: false,
            resource: None,
        }
    }
}

/// Whether a name can be used for a rule or a resource.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { length: name.len() });
    }
    if name.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(NameError::Number { name: name.to_owned() });
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return Err(NameError::Characters { name: name.to_owned(), corrected: corrected_name(name) });
    }
    Ok(())
}

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing to call it by.
    #[error("the name is empty")]
    Empty,
    /// It would not fit into tables and records.
    #[error("the name has {length} octets, more than {MAX_NAME_BYTES}")]
    TooLong {
        /// Its octets.
        length: usize,
    },
    /// Commands could not tell it from a position.
    #[error("the name `{name}` is a number, which commands take for a position")]
    Number {
        /// The name.
        name: String,
    },
    /// It would look like another name, or break lines of output.
    #[error("the name {name:?} has a control character, or white space at an end")]
    Characters {
        /// The name.
        name: String,
        /// The name without them.
        corrected: String,
    },
}

impl NameError {
    /// A name that could be used instead.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Number { name } => Some(format!("rule {name}")),
            Self::Characters { corrected, .. } if check_name(corrected).is_ok() => Some(corrected.clone()),
            _ => None,
        }
    }
}

fn corrected_name(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn track_word<S: serde::Serializer>(_: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(TRACK_STARTTLS)
}

/// The one value of `track`.
pub const TRACK_STARTTLS: &str = "starttls";
