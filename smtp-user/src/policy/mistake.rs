//! Mistakes in a text that holds rules: what is wrong, where, and what to write instead.

use std::ops::Range;

use crate::policy::action::UnknownWord;
use crate::policy::packet_rule::NameError;
use crate::policy::packet_rules::RulesError;
use crate::policy::prefix::PrefixError;
use crate::policy::service::ServiceError;

/// A problem and the octets of the text that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Offsets in the text.
    pub span: Range<usize>,
    /// What is wrong there.
    pub problem: Problem,
}

impl Mistake {
    /// A problem at a place.
    pub fn new(span: Range<usize>, problem: impl Into<Problem>) -> Self {
        Self { span, problem: problem.into() }
    }
}

/// What can be wrong with a text that holds rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML; the parser stops at the first such place.
    #[error("{message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// A key that this table does not have: a slip, or a key of another table.
    #[error("`{key}` is not a key of {place}; expected {expected}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table.
        place: &'static str,
        /// The keys there are.
        expected: String,
        /// The nearest of them.
        suggestion: Option<String>,
    },
    /// A key that has no default.
    #[error("{place} has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table.
        place: &'static str,
    },
    /// A value of another kind than the key takes.
    #[error("`{key}` takes {expected}, not {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What it takes.
        expected: &'static str,
        /// What was found.
        found: &'static str,
        /// The value in the right form.
        suggestion: Option<String>,
    },
    /// An empty list would match nothing, or everything; the reader cannot tell which was meant.
    #[error("`{key}` is an empty list; leave the key out if it shall not restrict anything")]
    EmptyList {
        /// The key.
        key: String,
    },
    /// A number that is too small or too large.
    #[error("`{key}` takes a number from {min} to {max}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Least value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A word that is not in a fixed list.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// No prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// No service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// No name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No interface name: 1 to 15 octets, no white space, `/` or `:`.
    #[error("`{name}` cannot be the name of a network interface")]
    InterfaceName {
        /// What was written.
        name: String,
    },
    /// The rules do not make a list.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

impl Problem {
    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::UnknownKey { suggestion, .. } | Self::WrongType { suggestion, .. } => suggestion.clone(),
            Self::Word(error) => error.suggestion.clone(),
            Self::Prefix(error) => error.suggestion(),
            Self::Service(error) => error.suggestion(),
            Self::Name(error) => error.suggestion(),
            Self::Rules(error) => error.suggestion(),
            Self::Syntax { .. }
            | Self::MissingKey { .. }
            | Self::EmptyList { .. }
            | Self::OutOfRange { .. }
            | Self::InterfaceName { .. } => None,
        }
    }
}

/// Line and column of an offset, both counted from 1, the column in characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&octet| octet == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
