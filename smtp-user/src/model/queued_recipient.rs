//! One recipient of a message in the gateway's care, and what became of it so far.

use serde::{Deserialize, Serialize};

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// Forward-path without angle brackets.
    pub path: String,
    /// As the originator gave it, where rules of the resource made it another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// ORCPT as it was written (RFC 3461 §4.2).
    pub orcpt: Option<String>,
    /// NOTIFY; `None` if nothing was said.
    pub notify: Option<Notify>,
    /// What became of it.
    pub state: RecipientState,
    /// What its sender was told of it.
    pub report: ReportState,
}

/// NOTIFY (RFC 3461 §4.1). All three unset is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}

/// What became of a recipient. The last three are final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RecipientState {
    /// To be tried, for the first time or again.
    Pending {
        /// Times it was tried.
        attempts: u32,
        /// Why the last time did not do.
        last: Option<RemoteReply>,
        /// When it is to be tried; 0 is at once.
        next_attempt: u64,
    },
    /// A next hop took it.
    Delivered {
        /// When.
        at: u64,
        /// What it said; `by` in it is who.
        reply: RemoteReply,
        /// Whether the next hop promised to report itself (RFC 3461 §5.2): it was given the DSN parameters.
        relayed_dsn: bool,
    },
    /// A next hop refused it for good, or it cannot be delivered by its nature.
    Failed {
        /// When.
        at: u64,
        /// What was said.
        reply: RemoteReply,
    },
    /// It was tried for as long as a message is kept.
    Expired {
        /// When.
        at: u64,
        /// Why the last time did not do.
        last: Option<RemoteReply>,
    },
    /// Somebody removed it, or the policy did after the message was accepted; nobody is told but the record.
    Discarded {
        /// When.
        at: u64,
        /// Who, or why.
        why: String,
    },
}

/// What a next hop said, or why it said nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteReply {
    /// Who, as in `mx1.example.org [192.0.2.1]:25`; empty if nobody was called.
    pub by: String,
    /// How far it had got.
    pub stage: RemoteStage,
    /// The reply's code; 0 if there was none.
    pub code: u16,
    /// Enhanced status code (RFC 3463), the next hop's or our own, as in `4.4.1`.
    pub status: String,
    /// The reply's text in one line, or in our own words what happened, as in `connection refused`.
    pub text: String,
}

impl RemoteReply {
    /// Code, status and text, as in `550 5.1.1 no such user`: the status once, whether the text begins with it or not.
    pub fn said(&self) -> String {
        let code = if self.code == 0 { String::new() } else { format!("{} ", self.code) };
        let rest = self.text.strip_prefix(self.status.as_str());
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) {
            format!("{code}{}", self.text)
        } else {
            format!("{code}{} {}", self.status, self.text)
        }
    }
}

/// How far a delivery got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteStage {
    /// Nobody was called yet.
    #[default]
    None,
    /// The name was looked up.
    Dns,
    /// The address was called.
    Connect,
    /// The greeting was awaited.
    Greeting,
    /// EHLO or HELO was said.
    Hello,
    /// TLS was negotiated.
    Tls,
    /// MAIL was said.
    Mail,
    /// RCPT was said.
    Rcpt,
    /// DATA was said, or the message was being sent.
    Data,
    /// The message was sent and its answer awaited: it may have been taken.
    Final,
}

impl RemoteStage {
    /// Whether nothing was said of a message by then: what went wrong is the host's, or the way to it.
    pub const fn is_about_host(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Greeting | Self::Hello | Self::Tls)
    }
}

/// What a sender was told of a recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportState {
    /// That it is delayed.
    pub delay: bool,
    /// How it ended, or that this is not to be told.
    pub ended: bool,
}

impl QueuedRecipient {
    /// A recipient that was never tried.
    pub fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            given: None,
            orcpt: None,
            notify: None,
            state: RecipientState::default(),
            report: ReportState::default(),
        }
    }

    /// Whether nothing is left to be done about it.
    pub const fn is_finished(&self) -> bool {
        !self.state.is_pending() && self.report.ended
    }
}

impl RecipientState {
    /// Whether it is still to be tried.
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }

    /// When it is to be tried.
    pub const fn next_attempt(&self) -> Option<u64> {
        match self {
            Self::Pending { next_attempt, .. } => Some(*next_attempt),
            _ => None,
        }
    }

    /// How often it was tried in vain, if it is still to be tried.
    pub const fn attempts(&self) -> u32 {
        match self {
            Self::Pending { attempts, .. } => *attempts,
            _ => 0,
        }
    }

    /// The word used in records and output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
            Self::Discarded { .. } => "discarded",
        }
    }
}

impl Default for RecipientState {
    fn default() -> Self {
        Self::Pending { attempts: 0, last: None, next_attempt: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_said_once() {
        for (code, status, text, said) in [
            (550, "5.1.1", "5.1.1 no such user", "550 5.1.1 no such user"),
            (550, "5.0.0", "no such user", "550 5.0.0 no such user"),
            (421, "4.3.2", "4.3.2", "421 4.3.2"),
            (421, "4.3.2", "4.3.20 x", "421 4.3.2 4.3.20 x"),
            (0, "4.4.1", "connection refused", "4.4.1 connection refused"),
        ] {
            let (status, text) = (status.to_owned(), text.to_owned());
            assert_eq!(RemoteReply { code, status, text, ..RemoteReply::default() }.said(), said);
        }
    }
}
