//! MAIL, RCPT and RSET (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.1.5).

use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::session::client::Owed;
use crate::session::relay::Relay;
use crate::session::replies::{Refusal, bounded};
use crate::session::transaction::{Asked, Transaction};
use crate::wire::smtp::command::{Command, CommandError};
use crate::wire::smtp::extension::{Extension, ExtensionSet};
use crate::wire::smtp::parameter::{Body, MailParameters, RcptParameters};
use crate::wire::smtp::path::{ForwardPath, ReversePath};
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// What speaks against a MAIL command.
    pub(super) fn mail_refusal(&self, path: ReversePath<'_>, parameters: MailParameters) -> Option<Refusal> {
        let Some(hello) = &self.hello else { return Some(Refusal::HelloFirst) };
        let limits = &self.config.limits;
        if self.transaction.is_some() {
            return Some(Refusal::MailTwice);
        }
        if self.count.messages >= limits.max_transactions {
            return Some(Refusal::TooManyMessages);
        }
        if self.config.server_tls.is_mandatory() && !self.tls.server {
            return Some(Refusal::ServerTlsMissing);
        }
        if !are_offered(parameters, hello.offered) {
            return Some(Refusal::NotOffered);
        }
        if parameters.size.is_some_and(|octets| octets > limits.max_message_octets) {
            return Some(Refusal::TooLarge);
        }
        (!path.as_str().is_ascii() && !parameters.smtputf8).then_some(Refusal::Utf8)
    }

    /// A mail transaction begins.
    pub(super) fn mail(
        &mut self,
        command: Result<Command<'_>, CommandError>,
        path: ReversePath<'_>,
        parameters: MailParameters,
    ) {
        match (self.mail_refusal(path, parameters), command) {
            (Some(Refusal::TooManyMessages), _) => {
                let what = Refusal::TooManyMessages;
                self.end_with(what, Disposition::Refused(what.name().to_owned()));
            }
            (Some(refusal), _) => self.refuse(refusal),
            (None, Ok(command)) => {
                self.count.serial = self.count.serial.wrapping_add(1);
                let serial = self.count.serial;
                self.pass_on(command, Owed::Mail { serial });
                self.transaction = Some(Transaction::new(serial, path.as_str(), parameters.smtputf8));
            }
            (None, Err(_)) => {}
        }
    }

    /// The next hop answered MAIL.
    pub(in crate::session) fn mail_answered(&mut self, serial: u32, reply: &Reply) {
        let code = reply.code();
        if code.is_intermediate() {
            return self.misbehaved("mail_answer");
        }
        if let Some(transaction) = self.transaction.as_mut().filter(|it| it.serial == serial) {
            transaction.mail = if code.is_completion() { Asked::Accepted } else { Asked::Refused };
        }
        if code.is_negative() {
            let text = format!("{code} {}", bounded(reply.first_line(), 200));
            self.note(Leg::Server, "mail_refused", Some(text));
        }
        self.relay(reply);
    }

    /// What speaks against a RCPT command.
    pub(super) fn rcpt_refusal(&self, path: ForwardPath<'_>, parameters: RcptParameters) -> Option<Refusal> {
        let Some(hello) = &self.hello else { return Some(Refusal::HelloFirst) };
        let Some(transaction) = self.transaction.as_ref().filter(|it| it.mail != Asked::Refused) else {
            return Some(Refusal::MailFirst);
        };
        if self.message.is_some() {
            return Some(Refusal::ChunksBegun);
        }
        if parameters.dsn && !hello.offered.has(Extension::Dsn) {
            return Some(Refusal::NotOffered);
        }
        if !path.as_str().is_ascii() && !transaction.smtputf8 {
            return Some(Refusal::Utf8);
        }
        let limits = &self.config.limits;
        let too_many = if limits.refuse_above { Refusal::TooManyForAll } else { Refusal::TooManyRecipients };
        (transaction.asked >= limits.max_recipients).then_some(too_many)
    }

    /// A recipient.
    pub(super) fn rcpt(
        &mut self,
        command: Result<Command<'_>, CommandError>,
        path: ForwardPath<'_>,
        parameters: RcptParameters,
    ) {
        if let Some(refusal) = self.rcpt_refusal(path, parameters) {
            if let (Refusal::TooManyForAll, Some(transaction)) = (refusal, self.transaction.as_mut()) {
                transaction.too_many = true;
            }
            return self.refuse(refusal);
        }
        if let (Ok(command), Some(transaction)) = (command, self.transaction.as_mut()) {
            transaction.asked += 1;
            let serial = transaction.serial;
            self.pass_on(command, Owed::Rcpt { serial, path: path.as_str().to_owned() });
        }
    }

    /// The next hop answered RCPT.
    pub(in crate::session) fn rcpt_answered(&mut self, serial: u32, path: String, reply: &Reply) {
        let code = reply.code();
        if code.is_intermediate() {
            return self.misbehaved("rcpt_answer");
        }
        if let Some(transaction) = self.transaction.as_mut().filter(|it| it.serial == serial) {
            transaction.answered(path, if code.is_completion() { Ok(()) } else { Err(code.number()) });
        }
        self.relay(reply);
    }

    /// The originator gives the transaction up. The next hop is told even if there is none: it may know of one.
    pub(super) fn rset(&mut self) {
        if self.is_junk() {
            return;
        }
        self.drop_transaction();
        self.pass_on(Command::Rset, Owed::Rset { ours: false });
    }

    /// The next hop answered RSET, the originator's or ours.
    pub(in crate::session) fn rset_answered(&mut self, ours: bool, reply: &Reply) {
        if !reply.code().is_completion() {
            // It may still have a transaction that nobody else knows of.
            return self.misbehaved("rset_refused");
        }
        if !ours {
            self.relay(reply);
        }
    }
}

fn are_offered(parameters: MailParameters, offered: ExtensionSet) -> bool {
    let needs = [
        (parameters.size.is_some(), Extension::Size),
        (parameters.body.is_some(), Extension::EightBitMime),
        (parameters.smtputf8, Extension::SmtpUtf8),
        (parameters.requiretls, Extension::RequireTls),
        (parameters.auth, Extension::Auth),
        (parameters.dsn, Extension::Dsn),
        (parameters.deliver_by, Extension::DeliverBy),
    ];
    let binary = parameters.body == Some(Body::BinaryMime);
    !binary && needs.iter().all(|&(used, extension)| !used || offered.has(extension))
}
