//! What the gateway answers in the next hop's place.

use super::{Acceptor, NotTaken};
use crate::model::queued_message::{BodyKind, ReturnPart};
use crate::model::queued_recipient::Notify;
use crate::model::session_id::{MessageId, SessionId};
use crate::session::effect::Effect;
use crate::session::input::Input;
use crate::session::relay::Relay;
use crate::session::relay::tests::config;

fn code(acceptor: &mut Acceptor, line: &str) -> u16 {
    acceptor.answer(line.as_bytes(), |_| Ok(())).code().number()
}

#[test]
fn the_envelope_has_everything_that_was_said() {
    let mut acceptor = Acceptor::new("gw.example", 1000);
    let mail = "MAIL FROM:<a@b.example> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=hdrs ENVID=x+2By";
    assert_eq!(code(&mut acceptor, mail), 250);
    let rcpt = "RCPT TO:<c@d.example> NOTIFY=success,DELAY ORCPT=rfc822;e@f.example";
    assert_eq!(code(&mut acceptor, rcpt), 250);
    assert_eq!(code(&mut acceptor, "RCPT TO:<g@h.example> NOTIFY=NEVER"), 250);
    assert_eq!(code(&mut acceptor, "RCPT TO:<i@j.example>"), 250);
    assert_eq!(code(&mut acceptor, "DATA"), 354);
    let envelope = acceptor.take_envelope().unwrap();
    assert_eq!(envelope.sender.path, "a@b.example");
    assert_eq!((envelope.sender.size, envelope.sender.body), (Some(7), BodyKind::EightBitMime));
    assert_eq!(envelope.sender.ret, Some(ReturnPart::Headers));
    assert_eq!(envelope.sender.envid.as_deref(), Some("x+2By"));
    assert!(envelope.sender.smtputf8);
    let [first, second, third] = envelope.recipients.as_slice() else { panic!("{envelope:?}") };
    assert_eq!(first.orcpt.as_deref(), Some("rfc822;e@f.example"));
    assert_eq!(first.notify, Some(Notify { success: true, failure: false, delay: true }));
    assert_eq!(second.notify, Some(Notify::default()));
    assert_eq!(third.notify, None);
    assert!(acceptor.take_envelope().is_none());
}

#[test]
fn room_is_asked_for_before_the_message_comes() {
    let mut acceptor = Acceptor::new("gw.example", 1000);
    let reply = acceptor.answer(b"MAIL FROM:<> SIZE=9", |size| {
        assert_eq!(size, Some(9));
        Err(NotTaken::NoRoom)
    });
    assert_eq!(reply.to_octets(), b"452 4.3.1 Too much mail is waiting here; try again later\r\n");
    assert_eq!(code(&mut acceptor, "RCPT TO:<a@b.example>"), 503);
    assert_eq!(code(&mut acceptor, "DATA"), 503);
}

#[test]
fn what_ends_a_transaction_ends_it() {
    for line in ["RSET", "EHLO x", "HELO x"] {
        let mut acceptor = Acceptor::new("gw.example", 1000);
        code(&mut acceptor, "MAIL FROM:<a@b.example>");
        code(&mut acceptor, "RCPT TO:<a@b.example>");
        assert_eq!(code(&mut acceptor, line), 250);
        assert!(acceptor.take_envelope().is_none(), "{line}");
    }
}

#[test]
fn a_relay_goes_through_a_whole_session_with_it() {
    let mut relay_config = config();
    relay_config.server_tls = crate::model::server_tls::ServerTls::Off;
    let mut relay = Relay::new(relay_config);
    let mut acceptor = Acceptor::new("gw.example", 1000);
    let id = MessageId { session: SessionId::new(0, [0; 10]), number: 1 };
    let mut said = String::new();
    let mut effects = Vec::new();
    relay.handle(Input::NextHopConnected, &mut effects);
    relay.handle(Input::Reply(&acceptor.greeting()), &mut effects);
    let decision = crate::model::decision::Decision {
        verdict: crate::model::decision::MessageVerdict::Clean,
        action: crate::model::decision::MessageAction::Pass,
        why: String::new(),
    };
    let lines = ["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA", "VRFY a", "QUIT"];
    for line in lines {
        relay.handle(Input::Command { line: line.as_bytes(), more: false }, &mut effects);
        if line == "DATA" {
            relay.handle(Input::DataEnd { octets: 2 }, &mut effects);
            relay.handle(Input::Judged(&decision), &mut effects);
        }
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Command(octets) => {
                        let reply = acceptor.answer(octets.trim_ascii_end(), |_| Ok(()));
                        relay.handle(Input::Reply(&reply), &mut effects);
                    }
                    Effect::Reply(octets) => said.push_str(&String::from_utf8(octets).unwrap()),
                    Effect::SendMessage { number, .. } => {
                        assert_eq!(acceptor.take_envelope().unwrap().recipients.len(), 1);
                        relay.handle(Input::MessageSent { number }, &mut effects);
                        relay.handle(Input::Reply(&acceptor.taken(id)), &mut effects);
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(relay.is_closed());
    let codes: Vec<_> =
        said.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "252", "221"], "{said}");
    for offer in [
        "PIPELINING",
        "SIZE 1000",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "STARTTLS",
    ] {
        assert!(
            said.contains(&format!("250-{offer}\r\n")) || said.contains(&format!("250 {offer}\r\n")),
            "{offer}: {said}"
        );
    }
    assert!(said.contains(&format!("250 2.0.0 queued as {id}\r\n")), "{said}");
}
