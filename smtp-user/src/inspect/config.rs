//! What an inspector is built from.

use std::path::PathBuf;

use crate::model::decision::{MessageAction, MessageVerdict};

/// What an inspector is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Files of digests of what nobody wants.
    pub hash_lists: Vec<PathBuf>,
    /// Whether programs for an operating system count as infected (off by default).
    pub executables: bool,
    /// What follows from each verdict.
    pub actions: Actions,
}

/// What follows from each verdict. A clean message always passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// Something was found. Default: refuse.
    pub infected: MessageAction,
    /// It can be read in more than one way. Default: refuse, because passing it means that the reader may
    /// see what nothing here saw.
    pub ambiguous: MessageAction,
    /// It cannot be read without a key. Default: pass.
    pub encrypted: MessageAction,
    /// Larger or deeper than what is looked at. Default: refuse; a later attempt would be as large.
    pub limit_exceeded: MessageAction,
    /// In a form that nothing here can read. Default: refuse.
    pub unsupported: MessageAction,
    /// An engine could not be asked. Default: defer, so that no mail is lost for an engine's fault.
    pub engine_error: MessageAction,
}

impl Default for Actions {
    fn default() -> Self {
        Self {
            infected: MessageAction::Refuse,
            ambiguous: MessageAction::Refuse,
            encrypted: MessageAction::Pass,
            limit_exceeded: MessageAction::Refuse,
            unsupported: MessageAction::Refuse,
            engine_error: MessageAction::Defer,
        }
    }
}

impl Actions {
    /// What follows from a verdict.
    pub fn of(&self, verdict: MessageVerdict) -> MessageAction {
        match verdict {
            MessageVerdict::Clean => MessageAction::Pass,
            MessageVerdict::Infected => self.infected.clone(),
            MessageVerdict::Ambiguous => self.ambiguous.clone(),
            MessageVerdict::Encrypted => self.encrypted.clone(),
            MessageVerdict::LimitExceeded => self.limit_exceeded.clone(),
            MessageVerdict::Unsupported => self.unsupported.clone(),
            MessageVerdict::EngineError => self.engine_error.clone(),
        }
    }
}
