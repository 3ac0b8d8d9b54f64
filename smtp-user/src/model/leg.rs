//! The two connections of a session.

use serde::{Deserialize, Serialize};

/// One of the two connections of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// From the originator to the gateway; the originator opened it.
    #[serde(rename = "client-leg")]
    Client,
    /// From the gateway to the next hop; the gateway opened it.
    #[serde(rename = "server-leg")]
    Server,
}

impl Leg {
    /// The word used in records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client-leg",
            Self::Server => "server-leg",
        }
    }

    /// The other leg.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
