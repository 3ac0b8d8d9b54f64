//! AUTH (RFC 4954): passed through, never looked into, never recorded.

use crate::event::session_event::SessionEvent;
use crate::session::client::Owed;
use crate::session::effect::Effect;
use crate::session::relay::Relay;
use crate::session::replies::Refusal;
use crate::session::server::Server;
use crate::wire::smtp::command::{Command, CommandError, is_auth_line};
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// The originator authenticates itself.
    pub(super) fn auth(&mut self, command: Result<Command<'_>, CommandError>, mechanism: &str) {
        let Some(hello) = &self.hello else { return self.refuse(Refusal::HelloFirst) };
        if self.transaction.is_some() {
            return self.refuse(Refusal::AuthInTransaction);
        }
        if self.hides_auth() {
            return self.refuse(Refusal::AuthInPlaintext);
        }
        if !hello.mechanisms.iter().any(|offered| offered.eq_ignore_ascii_case(mechanism)) {
            return self.refuse(Refusal::AuthMechanism);
        }
        if self.is_junk() {
            return;
        }
        if let Ok(command) = command {
            self.pass_on(command, Owed::Auth { mechanism: mechanism.to_ascii_uppercase() });
            self.server = Server::Answer;
        }
    }

    /// The originator sent a line of the exchange. What is no such line gives the exchange up, so that the next hop says
    /// how it ended.
    pub(super) fn auth_line(&mut self, line: &[u8]) {
        let Server::AuthLine { mechanism } = std::mem::replace(&mut self.server, Server::Answer) else {
            return;
        };
        let line = if is_auth_line(line) { line } else { b"*" };
        let mut octets = Vec::with_capacity(line.len() + 2);
        octets.extend_from_slice(line);
        octets.extend_from_slice(b"\r\n");
        self.out.push(Effect::Command(octets));
        self.owed.push_back(Owed::Auth { mechanism });
    }

    /// The next hop wants more, or says how it ended.
    pub(in crate::session) fn auth_answered(&mut self, mechanism: String, reply: &Reply) {
        let code = reply.code().number();
        if reply.code().is_intermediate() {
            self.server = Server::AuthLine { mechanism };
        } else {
            self.event(SessionEvent::Auth { mechanism, code }, None);
            self.server = Server::Commands;
        }
        self.relay(reply);
    }
}
