//! Commands that move no mail, and QUIT (RFC 5321 §4.1.1.6 to §4.1.1.10).

use crate::model::disposition::Disposition;
use crate::session::client::Owed;
use crate::session::relay::Relay;
use crate::session::replies::Refusal;
use crate::session::server::Server;
use crate::wire::smtp::command::{Command, CommandError};
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// NOOP, VRFY, EXPN, HELP: the next hop answers.
    pub(super) fn other(&mut self, command: Result<Command<'_>, CommandError>) {
        if self.is_junk() {
            return;
        }
        if let Ok(command) = command {
            self.pass_on(command, Owed::Other);
            self.server = Server::Answer;
        }
    }

    /// The next hop answered one of them.
    pub(in crate::session) fn other_answered(&mut self, reply: &Reply) {
        if reply.code().is_intermediate() {
            return self.misbehaved("answer_3yz");
        }
        self.server = Server::Commands;
        self.relay(reply);
    }

    /// The originator leaves. Whatever it sent behind QUIT is not read.
    pub(super) fn quit(&mut self) {
        self.drop_transaction();
        self.pass_on(Command::Quit, Owed::Quit);
        self.server = Server::Answer;
    }

    /// The next hop answered QUIT.
    pub(in crate::session) fn quit_answered(&mut self, reply: &Reply) {
        self.relay(reply);
        self.hang_up();
        self.close(Disposition::Inspected);
    }

    /// Counts a command that moves no mail; true when it was one too many, and the session has ended.
    pub(super) fn is_junk(&mut self) -> bool {
        self.count.junk += 1;
        let too_much = self.count.junk > self.config.limits.max_junk;
        if too_much {
            self.end_with(Refusal::TooMuchJunk, Disposition::Refused(Refusal::TooMuchJunk.name().to_owned()));
        }
        too_much
    }

    /// The gateway stops, and the originator is between transactions.
    pub(in crate::session) fn shut_down(&mut self) {
        self.end_with(Refusal::Draining, Disposition::Inspected);
    }
}
