//! What a rule does, and what it does while no inspector is alive.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use smtp_common::heartbeat;
use smtp_common::rule::RuleAction;

use crate::policy::suggest;

/// What a rule does with the flows it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Forwarded in the kernel program; nobody reads the octets.
    Accelerate,
    /// Forwarded while the kernel program recognises the dialogue.
    Watch,
    /// Terminated by the inspector.
    Inspect,
    /// Dropped.
    Drop,
    /// Left to the kernel's own routing.
    Stack,
}

impl Action {
    /// Every action, in the order of the manual.
    pub const ALL: [Self; 5] = [Self::Accelerate, Self::Watch, Self::Inspect, Self::Drop, Self::Stack];

    /// The word in configuration and output.
    pub fn name(self) -> &'static str {
        RuleAction::from(self).name()
    }

    /// Whether traffic under this action must not pass unseen.
    pub fn is_guarded(self) -> bool {
        RuleAction::from(self).is_guarded()
    }
}

impl From<Action> for RuleAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Accelerate => Self::ACCELERATE,
            Action::Watch => Self::WATCH,
            Action::Inspect => Self::INSPECT,
            Action::Drop => Self::DROP,
            Action::Stack => Self::STACK,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Action {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == text)
            .ok_or_else(|| UnknownWord::new(text, "an action", Self::ALL.map(Self::name).as_slice()))
    }
}

/// What `inspect` and `watch` rules do with new flows while no inspector is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenDown {
    /// Refuse them: mail is late, never unseen. The default.
    #[default]
    Refuse,
    /// Forward them unseen, counted and reported.
    Accelerate,
}

impl WhenDown {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Accelerate];

    /// The word in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Accelerate => "accelerate",
        }
    }
}

impl From<WhenDown> for heartbeat::WhenDown {
    fn from(when_down: WhenDown) -> Self {
        match when_down {
            WhenDown::Refuse => Self::REFUSE,
            WhenDown::Accelerate => Self::ACCELERATE,
        }
    }
}

impl fmt::Display for WhenDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for WhenDown {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| UnknownWord::new(text, "a choice", Self::ALL.map(Self::name).as_slice()))
    }
}

/// A word that is not in a fixed list: usually a slip of the hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}; expected {expected}")]
pub struct UnknownWord {
    /// What was written.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The words there are.
    pub expected: String,
    /// The nearest of them.
    pub suggestion: Option<String>,
}

impl UnknownWord {
    /// Of a word that is none of `known`.
    pub fn new(text: &str, kind: &'static str, known: &[&str]) -> Self {
        Self {
            text: text.to_owned(),
            kind,
            expected: suggest::quoted_list(known.iter().copied()),
            suggestion: suggest::closest(text, known.iter().copied()).map(str::to_owned),
        }
    }
}
