//! Whose fault an error is.

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
