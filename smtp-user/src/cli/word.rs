//! Words of the command line that must be one of a known list, with what was probably meant.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use smtp_common::packet_path::{PacketPath, PathReason};

use crate::app::config::duration::{DurationError, parse_duration};
use crate::policy::action::{Action, UnknownWord, WhenDown};
use crate::policy::prefix::parse_prefix;
use crate::policy::service::Service;

/// Why a word cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError {
    problem: String,
    suggestion: Option<String>,
}

impl WordError {
    /// With what to write instead, where that can be told.
    pub fn new(problem: &impl fmt::Display, suggestion: Option<String>) -> Self {
        Self { problem: problem.to_string(), suggestion }
    }
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        self.suggestion.as_ref().map_or(Ok(()), |word| write!(f, "; did you mean `{word}`?"))
    }
}

impl std::error::Error for WordError {}

impl From<UnknownWord> for WordError {
    fn from(error: UnknownWord) -> Self {
        Self::new(&error, error.suggestion.clone())
    }
}

impl From<DurationError> for WordError {
    fn from(error: DurationError) -> Self {
        let suggestion = match &error {
            DurationError::Malformed { suggestion, .. } => suggestion.clone(),
            DurationError::TooLong { .. } => None,
        };
        Self::new(&error, suggestion)
    }
}

/// One of a list of named things.
pub fn one_of<T: Copy>(
    text: &str,
    kind: &'static str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, WordError> {
    all.iter().copied().find(|item| name(*item) == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().copied().map(&name).collect();
        UnknownWord::new(text, kind, &names).into()
    })
}

/// A packet path.
pub fn packet_path(text: &str) -> Result<PacketPath, WordError> {
    one_of(text, "a packet path", &PacketPath::ALL, PacketPath::name)
}

/// A reason.
pub fn path_reason(text: &str) -> Result<PathReason, WordError> {
    one_of(text, "a reason", PathReason::ALL, PathReason::name)
}

/// A rule's action.
pub fn action(text: &str) -> Result<Action, WordError> {
    Ok(text.parse::<Action>()?)
}

/// What a rule does without an inspector.
pub fn when_down(text: &str) -> Result<WhenDown, WordError> {
    Ok(text.parse::<WhenDown>()?)
}

/// A prefix or an address.
pub fn prefix(text: &str) -> Result<IpNet, WordError> {
    parse_prefix(text).map_err(|error| WordError::new(&error, error.suggestion()))
}

/// A service.
pub fn service(text: &str) -> Result<Service, WordError> {
    text.parse::<Service>().map_err(|error| WordError::new(&error, error.suggestion()))
}

/// A duration.
pub fn duration(text: &str) -> Result<Duration, WordError> {
    Ok(parse_duration(text)?)
}

/// A protocol of flows, by its name.
pub fn protocol(text: &str) -> Result<u8, WordError> {
    one_of(text, "a protocol of flows", &[smtp_common::flow::TCP, smtp_common::flow::UDP], protocol_name)
}

/// Name of a protocol of flows.
pub const fn protocol_name(protocol: u8) -> &'static str {
    match protocol {
        smtp_common::flow::TCP => "tcp",
        smtp_common::flow::UDP => "udp",
        _ => "other",
    }
}
