//! What a command cannot do as asked, beside what the modules below say themselves.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::cli::exit_code::ExitCode;
use crate::cli::quantity::counted;
use crate::cli::word::WordError;

/// Why a command does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A tunable cannot have this value.
    #[error("{key}: {problem}")]
    Value {
        /// The tunable.
        key: &'static str,
        /// What is wrong with the value.
        problem: WordError,
    },
    /// Nothing bans exactly this prefix.
    #[error("there is no ban on {prefix}; `postern ban list` shows those there are")]
    NoBan {
        /// The prefix.
        prefix: IpNet,
    },
    /// A name that is misspelt, or a device Postern does not see packets on.
    #[error(
        "{name:?} is not one of the gateway's interfaces{}",
        suggestion.as_ref().map_or(String::new(), |s| format!("; did you mean {s:?}?"))
    )]
    NotAGatewayInterface {
        /// The name.
        name: String,
        /// One that is.
        suggestion: Option<String>,
    },
    /// Misspelt, or of another configuration.
    #[error(
        "the configuration has no resource {name:?}{}",
        suggestion.as_ref().map_or(String::new(), |s| format!("; did you mean {s:?}?"))
    )]
    NoResource {
        /// The name.
        name: String,
        /// One that there is.
        suggestion: Option<String>,
    },
    /// The kernel has no route back to the flow's source.
    #[error("cannot tell by which interface {address} comes in ({reason}); say --ingress NAME")]
    UnknownIngress {
        /// The source.
        address: IpAddr,
        /// What the kernel says.
        reason: String,
    },
    /// Mistyped, or its records are no longer kept.
    #[error("no record is kept of a session whose name begins with {id}")]
    NoSuchSession {
        /// What was looked for.
        id: String,
    },
    /// The session has fewer.
    #[error("session {session} has no message {number}")]
    NoSuchMessage {
        /// The session.
        session: String,
        /// What was looked for.
        number: u32,
    },
    /// Cut too short.
    #[error("the names of several sessions begin with {id}: {}", candidates.join(", "))]
    ManySessions {
        /// What was looked for.
        id: String,
        /// A few of them.
        candidates: Vec<String>,
    },
    /// The change would load rules that cannot do what they say.
    #[error("{} in the rules; the running policy stays", counted(findings.len(), "error"))]
    Refused {
        /// Each in a sentence.
        findings: Vec<String>,
    },
}

impl CommandError {
    /// How the command ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Value { .. }
            | Self::NotAGatewayInterface { .. }
            | Self::NoResource { .. }
            | Self::UnknownIngress { .. } => ExitCode::Usage,
            Self::NoBan { .. } | Self::Refused { .. } | Self::ManySessions { .. } => ExitCode::Data,
            Self::NoSuchSession { .. } | Self::NoSuchMessage { .. } => ExitCode::NoInput,
        }
    }
}
