//! What an inspector is built from.

use std::path::PathBuf;

use crate::action::extract::Weeds;
use crate::action::notice::Template;
use crate::content::ContentLimits;
use crate::engine;
use crate::engine::hash_list::DigestKinds;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_rule::PartRule;
use crate::wire::mime::walk::WalkLimits;

/// What an inspector is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// How far the parts of a message are followed.
    pub limits: WalkLimits,
    /// How far what is in a part is followed.
    pub contents: ContentLimits,
    /// Files of digests of what nobody wants.
    pub hash_lists: Vec<PathBuf>,
    /// Files of domains and addresses that nobody should be led to.
    pub link_lists: Vec<PathBuf>,
    /// Digests of every part in the records besides SHA-256; what the lists need is made anyway.
    pub digests: DigestKinds,
    /// Whether programs for an operating system count as infected (off by default).
    pub executables: bool,
    /// Engines in other processes; all of them are asked about every message.
    pub engines: Vec<engine::config::Config>,
    /// What follows from each verdict.
    pub actions: Actions,
    /// What is done about parts, in the order in which the rules are asked.
    pub rules: Vec<PartRule>,
    /// How messages are rewritten of which a part may not pass.
    pub rewriting: Rewriting,
}

/// How messages are rewritten of which a part may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewriting {
    /// What follows if a message cannot be rewritten: it is ambiguous, or the part has no place of its own. Default: refuse.
    pub not_possible: MessageAction,
    /// What follows if the part is covered by a signature of S/MIME or PGP. Default: it is rewritten, and the record says
    /// what no longer holds.
    pub signed: MessageAction,
    /// The same of a message with a signature of DKIM, which most mail has.
    pub dkim: MessageAction,
    /// What stands in place of a part.
    pub notice: Template,
    /// What goes from pages and pictures of which a safe copy is made.
    pub weeds: Weeds,
    /// What the safe copy of a page is. Default: a page.
    pub pages: PageCopy,
}

/// What the safe copy of a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageCopy {
    /// A page, without what runs in it.
    #[default]
    Page,
    /// Its text.
    Text,
}

impl Default for Rewriting {
    fn default() -> Self {
        Self {
            not_possible: MessageAction::Refuse,
            signed: MessageAction::Rewrite,
            dkim: MessageAction::Rewrite,
            notice: Template::default(),
            weeds: Weeds::default(),
            pages: PageCopy::default(),
        }
    }
}

/// What follows from each verdict. A clean message always passes, and what follows from an engine that
/// cannot be asked stands with the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// Something was found. Default: refuse.
    pub infected: MessageAction,
    /// It can be read in more than one way. Default: refuse, because passing it means that the reader may
    /// see what nothing here saw.
    pub ambiguous: MessageAction,
    /// It cannot be read without a key, and the message names none. Default: refuse.
    pub encrypted: MessageAction,
    /// Larger or deeper than what is looked at. Default: refuse; a later attempt would be as large.
    pub limit_exceeded: MessageAction,
    /// In a form that nothing here can read. Default: refuse.
    pub unsupported: MessageAction,
}

impl Default for Actions {
    fn default() -> Self {
        Self {
            infected: MessageAction::Refuse,
            ambiguous: MessageAction::Refuse,
            encrypted: MessageAction::Refuse,
            limit_exceeded: MessageAction::Refuse,
            unsupported: MessageAction::Refuse,
        }
    }
}

impl Actions {
    /// What follows from a verdict. An engine error defers unless its engine says otherwise.
    pub fn of(&self, verdict: MessageVerdict) -> MessageAction {
        match verdict {
            MessageVerdict::Clean | MessageVerdict::NotInspected => MessageAction::Pass,
            MessageVerdict::Infected => self.infected.clone(),
            MessageVerdict::Ambiguous => self.ambiguous.clone(),
            MessageVerdict::Encrypted => self.encrypted.clone(),
            MessageVerdict::LimitExceeded => self.limit_exceeded.clone(),
            MessageVerdict::Unsupported => self.unsupported.clone(),
            MessageVerdict::EngineError | MessageVerdict::NoRoom => MessageAction::Defer,
        }
    }
}
