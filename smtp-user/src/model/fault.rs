//! Whose fault an error is, and whether trying again may help.

use serde::{Deserialize, Serialize};

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The host that sends mail.
    Originator,
    /// The host that mail is sent to.
    NextHop,
    /// A scanner.
    Engine,
    /// The gateway itself, its configuration or its machine.
    Local,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Later it may be otherwise: a 4yz reply.
    Transient,
    /// The same will happen again: a 5yz reply.
    Permanent,
}
