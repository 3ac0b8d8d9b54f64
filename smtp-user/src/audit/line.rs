//! Lines of a record file: records, and now and then the list of sessions that are open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::session_id::SessionId;

/// Says at the beginning of a file which sessions are open, so that no older file need be read to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenSessions {
    pub(crate) time: String,
    pub(crate) open: BTreeMap<SessionId, Tally>,
}

/// What is known of an open session's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// When it was opened, microseconds since 1970.
    pub(crate) opened: u64,
    /// When something was last recorded of it.
    pub(crate) last: u64,
    pub(crate) delivered: u32,
    pub(crate) refused: u32,
    pub(crate) deferred: u32,
    #[serde(default)]
    pub(crate) quarantined: u32,
    /// The message that is to be answered next is in quarantine.
    #[serde(default)]
    pub(crate) is_kept: bool,
}
