//! What went wrong with a delivery, and for whom it is final.

use crate::model::queued_recipient::{RemoteReply, RemoteStage};
use crate::model::shortage::is_shortage;
use crate::transport::dial::DialError;
use crate::wire::smtp::reply::{Reply, ReplyError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the record and for reports; `by` is filled in by whoever knows it.
    pub reply: RemoteReply,
    /// Whether trying again is of no use.
    pub permanent: bool,
    /// Whether the system had no descriptors or memory for the call, so that it was not made.
    pub for_want: bool,
}

impl Failure {
    /// Of our own making.
    pub fn ours(stage: RemoteStage, permanent: bool, status: &str, text: impl Into<String>) -> Self {
        let reply = RemoteReply {
            by: String::new(),
            stage,
            code: 0,
            status: status.to_owned(),
            text: one_line(&text.into()),
        };
        Self { reply, permanent, for_want: false }
    }

    /// That may pass.
    pub fn transient(stage: RemoteStage, status: &str, text: impl Into<String>) -> Self {
        Self::ours(stage, false, status, text)
    }

    /// That stays.
    pub fn permanent(stage: RemoteStage, status: &str, text: impl Into<String>) -> Self {
        Self::ours(stage, true, status, text)
    }

    /// A next hop's negative reply. Every code that is not 5yz may pass, senseless ones too.
    pub fn replied(stage: RemoteStage, reply: &Reply) -> Self {
        let permanent = reply.code().is_permanent();
        Self { reply: remote_reply(stage, reply), permanent, for_want: false }
    }

    /// The gateway's own rules do not let it go there. What they say is nobody else's business.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::permanent(RemoteStage::None, FORBIDDEN, text)
    }

    /// The call was not answered.
    pub fn dial(error: &DialError) -> Self {
        let text = match error {
            // That says nothing of the next hop.
            DialError::Local(why) => {
                let failure = Self::transient(RemoteStage::None, "4.3.0", error.to_string());
                return Self { for_want: is_shortage(why), ..failure };
            }
            DialError::TimedOut => "the connection timed out".to_owned(),
            DialError::Refused => "connection refused".to_owned(),
            other => other.to_string(),
        };
        Self::transient(RemoteStage::Connect, "4.4.1", text)
    }

    /// The next hop ended the connection.
    pub fn closed(stage: RemoteStage) -> Self {
        Self::transient(stage, "4.4.2", format!("the connection was lost {}", lost_at(stage)))
    }

    /// The next hop took too long.
    pub fn timed_out(stage: RemoteStage) -> Self {
        Self::transient(stage, "4.4.2", format!("the next hop took too long {}", lost_at(stage)))
    }

    /// What the next hop said is no reply.
    pub fn garbled(stage: RemoteStage, error: ReplyError) -> Self {
        Self::transient(stage, "4.5.0", format!("{error} {}", lost_at(stage)))
    }

    /// The same, as something that may pass: another host may do better.
    #[must_use]
    pub fn but_transient(mut self) -> Self {
        self.permanent = false;
        if self.reply.code / 100 != 4 && self.reply.status.starts_with('5') {
            self.reply.status.replace_range(..1, "4");
        }
        self
    }
}

/// Whether it is the gateway's own rules that do not let mail go there.
pub fn is_forbidden(reply: &RemoteReply) -> bool {
    reply.stage == RemoteStage::None && reply.code == 0 && reply.status == FORBIDDEN
}

/// Not allowed by policy (RFC 3463 §3.8).
const FORBIDDEN: &str = "5.7.1";

/// A next hop's reply as it is kept: all of its lines in one, the status that each of them repeats only once.
pub fn remote_reply(stage: RemoteStage, reply: &Reply) -> RemoteReply {
    let class = reply.code().number() / 100;
    let status = enhanced_status(reply.first_line(), class);
    let mut lines = reply.lines().map(str::trim_end);
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let again = status.and_then(|status| line.strip_prefix(status));
        let line = again.filter(|rest| rest.is_empty() || rest.starts_with(' ')).unwrap_or(line).trim_start();
        if !line.is_empty() {
            text.push(' ');
            text.push_str(line);
        }
    }
    RemoteReply {
        by: String::new(),
        stage,
        code: reply.code().number(),
        status: status.map_or_else(|| format!("{class}.0.0"), str::to_owned),
        text: one_line(&text),
    }
}

/// The enhanced status code at the front of a reply's text (RFC 2034), if it is one and of the reply's class.
pub fn enhanced_status(text: &str, class: u16) -> Option<&str> {
    let word = text.split(' ').next()?;
    let mut parts = word.split('.');
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
    };
    let (first, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let is_sound =
        parts.next().is_none() && first == class.to_string() && digits(subject, 3) && digits(detail, 3);
    is_sound.then_some(word)
}

/// Where in the dialogue, in words.
pub const fn place(stage: RemoteStage) -> &'static str {
    match stage {
        RemoteStage::None => "before it was called",
        RemoteStage::Dns => "while its name was looked up",
        RemoteStage::Connect => "while it was called",
        RemoteStage::Greeting => "before its greeting",
        RemoteStage::Hello => "after EHLO",
        RemoteStage::Tls => "while TLS was negotiated",
        RemoteStage::Mail => "after MAIL",
        RemoteStage::Rcpt => "after RCPT",
        RemoteStage::Data => "while the message was sent",
        RemoteStage::Final => "after the message was sent",
    }
}

/// The same where the connection came to its end, and what follows from that.
fn lost_at(stage: RemoteStage) -> String {
    let follows = if stage == RemoteStage::Final { "; it may have been delivered" } else { "" };
    format!("{}{follows}", place(stage))
}

/// Bounded, and without anything that could begin another line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::smtp::reply::ReplyCode;

    #[test]
    fn a_call_that_the_system_had_too_little_for_says_nothing_of_the_next_hop() {
        let local = |errno: rustix::io::Errno| Failure::dial(&DialError::Local(errno.into()));
        assert!(local(rustix::io::Errno::MFILE).for_want);
        assert!(!local(rustix::io::Errno::ADDRNOTAVAIL).for_want);
        assert!(
            !Failure::dial(&DialError::Refused).for_want && !Failure::dial(&DialError::TimedOut).for_want
        );
    }

    #[test]
    fn enhanced_codes_are_believed_only_if_they_are_ones() {
        for (text, class, status) in [
            ("5.1.1 No such user", 5, Some("5.1.1")),
            ("5.1.1", 5, Some("5.1.1")),
            ("4.1.1 contradiction", 5, None),
            ("5.1.1.1 x", 5, None),
            ("5.1 x", 5, None),
            ("5.1.1000 x", 5, None),
            ("5..1 x", 5, None),
            ("<a@b>: no", 5, None),
            ("", 4, None),
        ] {
            assert_eq!(enhanced_status(text, class), status, "{text}");
        }
    }

    #[test]
    fn a_reply_of_several_lines_is_kept_whole() {
        for (text, kept) in [
            (
                "5.1.1 The account\n5.1.1 does not exist. \n5.1.1\n5.1.1 See here",
                "5.1.1 The account does not exist. See here",
            ),
            ("5.1.1 The account\n5.1.10 is another status\n", "5.1.1 The account 5.1.10 is another status"),
            ("No such user\n  Goodbye", "No such user Goodbye"),
            ("", ""),
        ] {
            let reply = Reply::new(ReplyCode::new(550).unwrap(), text);
            assert_eq!(remote_reply(RemoteStage::Rcpt, &reply).text, kept);
        }
    }

    #[test]
    fn a_reply_is_one_bounded_line() {
        let text = format!("5.7.1 {}\r\nTo: x", "long ".repeat(1000));
        let reply = Reply::new(ReplyCode::new(554).unwrap(), &text);
        let kept = remote_reply(RemoteStage::Rcpt, &reply);
        assert_eq!((kept.code, kept.status.as_str()), (554, "5.7.1"));
        assert!(kept.text.chars().count() <= 400 && !kept.text.contains(['\r', '\n']));
    }
}
