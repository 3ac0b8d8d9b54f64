//! The whole table of what the gateway says by itself.

use super::{Refusal as R, bounded, judged};
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::session_id::{MessageId, SessionId};

#[test]
fn codes_and_enhanced_codes_agree() {
    // A variant that is missing here is missing in the match below, which does not compile then.
    let all = [
        R::Unknown,
        R::NotImplemented,
        R::Argument,
        R::ReversePath,
        R::ForwardPath,
        R::ParameterUnknown,
        R::ParameterValue,
        R::ParameterTwice,
        R::NotOffered,
        R::Utf8,
        R::LineTooLong,
        R::HelloFirst,
        R::MailFirst,
        R::MailTwice,
        R::ChunksBegun,
        R::NoRecipients,
        R::TlsTwice,
        R::AuthInTransaction,
        R::AuthMechanism,
        R::AuthInPlaintext,
        R::TooManyRecipients,
        R::TooManyForAll,
        R::ServerTlsMissing,
        R::TooLarge,
        R::NoRoom,
        R::NotJudgedInTime,
        R::LineEnds,
        R::Nul,
        R::BadLine,
        R::ChunkSize,
        R::Pipelined,
        R::ForeignProtocol,
        R::TooManyErrors,
        R::TooMuchJunk,
        R::TooManyMessages,
        R::Draining,
        R::TimedOut,
        R::Unreachable,
        R::NextHopLost,
        R::NextHopMisbehaved,
        R::ServerTlsFailed,
    ];
    for refusal in all {
        let (code, text) = refusal.text();
        let expected = match refusal {
            R::Unknown | R::LineTooLong | R::BadLine => 500,
            R::Argument
            | R::ReversePath
            | R::ForwardPath
            | R::ParameterValue
            | R::ParameterTwice
            | R::ChunkSize => 501,
            R::NotImplemented => 502,
            R::HelloFirst
            | R::MailFirst
            | R::MailTwice
            | R::ChunksBegun
            | R::TlsTwice
            | R::AuthInTransaction => 503,
            R::AuthMechanism => 504,
            R::AuthInPlaintext => 538,
            R::TooLarge => 552,
            R::Utf8 => 553,
            R::NoRecipients | R::TooManyForAll | R::LineEnds | R::Nul | R::Pipelined | R::ForeignProtocol => {
                554
            }
            R::ParameterUnknown | R::NotOffered => 555,
            R::ServerTlsMissing | R::NotJudgedInTime => 451,
            R::TooManyRecipients | R::NoRoom => 452,
            R::TooManyErrors
            | R::TooMuchJunk
            | R::TooManyMessages
            | R::Draining
            | R::TimedOut
            | R::Unreachable
            | R::NextHopLost
            | R::NextHopMisbehaved
            | R::ServerTlsFailed => 421,
        };
        assert_eq!(code, expected, "{refusal:?}");
        assert_eq!(text.as_bytes()[0], b'0' + u8::try_from(code / 100).unwrap(), "{refusal:?}");
        assert!(refusal.reply().to_octets().len() < 100, "{refusal:?}");
    }
    let names: std::collections::HashSet<_> = all.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn a_refusal_is_one_line_whatever_was_found() {
    let why = format!("bad\r\n250 ok{}", "\u{e9}".repeat(600));
    let message = MessageId { session: SessionId::new(0, [0; 10]), number: 2 };
    let actions = [
        MessageAction::Refuse,
        MessageAction::Defer,
        MessageAction::Drop,
        MessageAction::Block,
        MessageAction::Pass,
        MessageAction::Rewrite,
    ];
    for action in actions {
        let decision = Decision { verdict: MessageVerdict::Infected, action, why: why.clone() };
        let octets = judged(&decision, message).to_octets();
        let line = std::str::from_utf8(octets.strip_suffix(b"\r\n").unwrap()).unwrap();
        assert!(!line.contains(['\r', '\n']) && octets.len() <= 512, "{line}");
        assert!(line.ends_with("(session 00000000-0000-7000-8000-000000000000)"), "{line}");
    }
}

#[test]
fn the_reply_follows_from_what_is_done() {
    let message = MessageId { session: SessionId::new(0, [0; 10]), number: 2 };
    for (action, reply) in [
        (MessageAction::Refuse, "554 5.7.1 Message refused: why (session "),
        (MessageAction::Drop, "554 5.7.1 Message refused: why (session "),
        (MessageAction::Block, "554 5.7.1 Message refused: why (session "),
        (MessageAction::Defer, "451 4.7.1 Message deferred: why (session "),
        (
            MessageAction::Quarantine,
            "250 2.0.0 Accepted, quarantined as 00000000-0000-7000-8000-000000000000.2\r\n",
        ),
    ] {
        let decision = Decision { verdict: MessageVerdict::Infected, action, why: "why".to_owned() };
        let octets = judged(&decision, message).to_octets();
        assert!(octets.starts_with(reply.as_bytes()), "{}", String::from_utf8_lossy(&octets));
    }
}

#[test]
fn text_is_cut_between_characters() {
    assert_eq!(bounded("a\u{e9}b", 2), "a");
    assert_eq!(bounded("a\nb", 9), "a");
    assert_eq!(bounded("abc", 0), "");
}
