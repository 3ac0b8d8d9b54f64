//! A reason for leaving a case out, told apart from a failure.

use std::fmt;

/// Something optional is missing.
#[derive(Debug)]
pub(crate) struct Skipped(String);

impl Skipped {
    /// As an error, to be found again by [`reason_of`].
    pub(crate) fn because(reason: impl Into<String>) -> anyhow::Error {
        Self(reason.into()).into()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// The reason, when an error is one for skipping.
pub(crate) fn reason_of(error: &anyhow::Error) -> Option<String> {
    error.downcast_ref::<Skipped>().map(ToString::to_string)
}
