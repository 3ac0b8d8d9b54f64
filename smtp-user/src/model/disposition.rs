//! How a flow ended: every one has exactly one of these.

use serde::{Deserialize, Serialize};

/// How a flow ended.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disposition", content = "reason", rename_all = "snake_case")]
pub enum Disposition {
    /// Everything that passed had been looked at.
    Inspected,
    /// Something passed that nobody looked at.
    Bypassed(String),
    /// The gateway ended it by policy or limit.
    Refused(String),
    /// It could not be carried to its end.
    Failed(String),
}

/// Why messages of a resource with `inspection = "none"` passed unseen.
pub const NOT_INSPECTED: &str = "not_inspected";

impl Disposition {
    /// The word used in records and output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Inspected => "inspected",
            Self::Bypassed(_) => "bypassed",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// Why, where the word alone does not say it.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Inspected => None,
            Self::Bypassed(reason) | Self::Refused(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests;
