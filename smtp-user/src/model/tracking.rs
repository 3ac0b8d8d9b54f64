//! How much is made of something that went wrong.

use serde::{Deserialize, Serialize};

/// How much is made of something that went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tracking {
    /// It stands in the records.
    None,
    /// The log says it, too.
    #[default]
    Log,
    /// The log says it as an error, for whoever is to be woken by that.
    Alert,
}

impl Tracking {
    /// Whether nothing is said of it.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What records say that do not mention it.
    pub const fn none() -> Self {
        Self::None
    }
}
