//! The side toward the originator: its states, and what each command does.

mod auth;
mod bdat;
mod data;
mod ehlo;
mod envelope;
mod greeting;
mod other;
mod starttls;

pub(super) use bdat::IncomingChunk;
pub(super) use ehlo::Hello;

use crate::limits::{COMMAND_OCTETS, Timeout};
use crate::wire::smtp::command::{Command, CommandError};
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::line::LineDefect;

use super::input::Reading;
use super::relay::Relay;
use super::replies::Refusal;

/// Where the originator stands.
#[derive(Debug)]
pub(super) enum Server {
    /// The next hop has not greeted yet.
    ///
    /// Entered from: the beginning. Leaves to: `Commands`, `Closed`. The originator may send nothing.
    /// Time-outs: connect, greeting.
    Greeting,
    /// Commands are read. Replies to commands that were passed on may be outstanding.
    ///
    /// Entered from: `Greeting`, `Answer`, `AuthLine`, `Upgrading`, `Data`, `Chunk`, `Judging`, `Sending`.
    /// Leaves to: all but `Greeting`. The originator may send any command. Time-outs: command, and that of
    /// the oldest outstanding reply.
    Commands,
    /// A command that ends its group was passed on: nothing is read before its answer.
    ///
    /// Entered from: `Commands`, `AuthLine`. Leaves to: `Commands`, `AuthLine`, `Upgrading`, `Closed`.
    /// The originator may send nothing. Time-out: that of the outstanding reply, or the server leg's handshake.
    Answer,
    /// The next hop wants a line of an authentication exchange.
    ///
    /// Entered from: `Answer`. Leaves to: `Answer`, `Closed`. The originator may send base64, or `*`.
    /// Time-out: command.
    AuthLine {
        /// SASL mechanism, for the record.
        mechanism: String,
    },
    /// The originator was told to begin the handshake.
    ///
    /// Entered from: `Commands`, `Answer`. Leaves to: `Commands`, `Closed`. The originator may send TLS.
    /// Time-out: the client leg's handshake.
    Upgrading,
    /// Mail data is read.
    ///
    /// Entered from: `Commands`. Leaves to: `Judging`, `Commands`, `Closed`. The originator may send mail data.
    /// Time-out: data.
    Data {
        /// What is wrong with the message.
        defect: Option<DataDefect>,
    },
    /// A chunk is read.
    ///
    /// Entered from: `Commands`. Leaves to: `Judging`, `Commands`, `Closed`. The originator may send the chunk.
    /// Time-out: data.
    Chunk(IncomingChunk),
    /// The message is complete and not yet judged.
    ///
    /// Entered from: `Data`, `Chunk`. Leaves to: `Sending`, `Commands`, `Closed`. The originator may send
    /// nothing that is read. Time-out: judgement.
    Judging {
        /// It came in chunks.
        chunked: bool,
    },
    /// The message was passed, and the next hop is being given it.
    ///
    /// Entered from: `Judging`. Leaves to: `Commands`, `Closed`. The originator may send nothing that is read.
    /// Time-outs: data start, data block, data end.
    Sending {
        /// All of it was written.
        sent: bool,
        /// The originator hung up while it was too late to take the message back.
        gone: bool,
    },
    /// The session has ended.
    ///
    /// Entered from: all. Leaves to: none.
    Closed,
}

impl Server {
    /// The word used in tests and traces.
    #[cfg(test)]
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "Greeting",
            Self::Commands => "Commands",
            Self::Answer => "Answer",
            Self::AuthLine { .. } => "AuthLine",
            Self::Upgrading => "Upgrading",
            Self::Data { .. } => "Data",
            Self::Chunk(_) => "Chunk",
            Self::Judging { .. } => "Judging",
            Self::Sending { .. } => "Sending",
            Self::Closed => "Closed",
        }
    }

    /// Whether a final reply to a message is owed.
    pub(super) const fn owes_final(&self) -> bool {
        matches!(self, Self::Judging { .. } | Self::Sending { gone: false, .. })
    }

    /// What is read in this state.
    pub(super) const fn reading(&self) -> Reading {
        match self {
            Self::Commands | Self::AuthLine { .. } => Reading::Command,
            Self::Data { .. } => Reading::Data,
            Self::Chunk(chunk) => Reading::Chunk { octets: chunk.octets, keep: chunk.problem.is_none() },
            Self::Greeting
            | Self::Answer
            | Self::Upgrading
            | Self::Judging { .. }
            | Self::Sending { .. }
            | Self::Closed => Reading::Nothing,
        }
    }

    /// Which wait for the originator runs.
    pub(super) const fn waiting(&self) -> Option<Timeout> {
        match self {
            Self::Commands | Self::AuthLine { .. } => Some(Timeout::Command),
            Self::Data { .. } | Self::Chunk(_) => Some(Timeout::Data),
            Self::Upgrading => Some(Timeout::ClientHandshake),
            Self::Greeting | Self::Answer | Self::Judging { .. } | Self::Sending { .. } | Self::Closed => {
                None
            }
        }
    }
}

/// A line that was read before its turn: earlier commands are not answered yet.
#[derive(Debug)]
pub(super) enum Held {
    /// A command.
    Line {
        /// Without CRLF.
        line: Vec<u8>,
        /// More had been received behind it.
        more: bool,
    },
    /// A line that was too long.
    TooLong,
}

impl Relay {
    /// The originator sent a line.
    pub(super) fn line(&mut self, line: &[u8], more: bool) {
        if self.reading() != Reading::Command {
            return;
        }
        if matches!(self.server, Server::AuthLine { .. }) {
            return self.auth_line(line);
        }
        if line.len() > COMMAND_OCTETS
            && !line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
        {
            return self.bad_line(LineDefect::TooLong);
        }
        let command = Command::parse(line);
        if self.owed.is_empty() || self.may_be_pipelined(command) {
            self.execute(command, more);
        } else {
            self.held = Some(Held::Line { line: line.to_vec(), more });
        }
    }

    /// The originator sent what is no line.
    pub(super) fn bad_line(&mut self, defect: LineDefect) {
        if self.reading() != Reading::Command {
            return;
        }
        if defect.is_recoverable() {
            if matches!(self.server, Server::AuthLine { .. }) {
                self.auth_line(b" ");
            } else if self.owed.is_empty() {
                self.refuse(Refusal::LineTooLong);
            } else {
                self.held = Some(Held::TooLong);
            }
            return;
        }
        let refusal =
            if defect == LineDefect::TlsHello { Refusal::ForeignProtocol } else { Refusal::BadLine };
        self.violation(refusal, defect.name());
    }

    /// All replies are in: whatever was read before its turn has it now.
    pub(super) fn resume(&mut self) {
        if !self.owed.is_empty() || !matches!(self.server, Server::Commands) {
            return;
        }
        self.settle();
        match self.held.take() {
            Some(Held::Line { line, more }) => self.execute(Command::parse(&line), more),
            Some(Held::TooLong) => self.refuse(Refusal::LineTooLong),
            None => {}
        }
    }

    /// Whether a command may be passed on while replies are outstanding: what RFC 2920 §3.1 allows within a group,
    /// if nothing speaks against it. All else waits, so that it is looked at with full knowledge.
    fn may_be_pipelined(&self, command: Result<Command<'_>, CommandError>) -> bool {
        let pipelining = self.hello.as_ref().is_some_and(Hello::has_pipelining);
        pipelining
            && match command {
                Ok(Command::Mail { path, parameters, .. }) => {
                    !self.draining && self.mail_refusal(path, parameters).is_none()
                }
                Ok(Command::Rcpt { path, parameters, .. }) => self.rcpt_refusal(path, parameters).is_none(),
                Ok(Command::Rset) => self.count.junk < self.config.limits.max_junk,
                _ => false,
            }
    }

    /// The table: what a command does in state `Commands`. What it may do is looked at in its phase.
    fn execute(&mut self, command: Result<Command<'_>, CommandError>, more: bool) {
        self.settle();
        let in_transaction = self.transaction.is_some();
        match command {
            Ok(Command::Quit) => self.quit(),
            Ok(Command::Bdat(chunk)) => self.bdat(chunk),
            _ if self.draining && !in_transaction => self.shut_down(),
            Ok(Command::Mail { path, parameters, .. }) => self.mail(command, path, parameters),
            Ok(Command::Rcpt { path, parameters, .. }) => self.rcpt(command, path, parameters),
            Ok(Command::Data) => self.data(more),
            Ok(Command::Rset) => self.rset(),
            Ok(Command::Ehlo(name)) => self.ehlo(true, name),
            Ok(Command::Helo(name)) => self.ehlo(false, name),
            Ok(Command::Starttls) => self.starttls(more),
            Ok(Command::Auth { mechanism, .. }) => self.auth(command, mechanism),
            Ok(Command::Noop | Command::Vrfy(_) | Command::Expn(_) | Command::Help(_)) => self.other(command),
            Err(CommandError::ForeignProtocol) => {
                self.violation(Refusal::ForeignProtocol, Refusal::ForeignProtocol.name());
            }
            // Where its octets end nobody can tell.
            Err(CommandError::ChunkSize) => self.violation(Refusal::ChunkSize, Refusal::ChunkSize.name()),
            Err(error) => self.refuse(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
