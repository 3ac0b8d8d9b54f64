//! A mail transaction (RFC 5321 §3.3): from MAIL to its final reply, or to whatever ends it before.

use crate::event::session_event::SessionEvent;

/// A mail transaction that was asked for at the next hop.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Tells replies of this transaction from those of one before it.
    pub(super) serial: u32,
    /// What the next hop said to MAIL.
    pub(super) mail: Asked,
    /// Addresses may have UTF-8 in them.
    pub(super) smtputf8: bool,
    /// RCPT commands passed on.
    pub(super) asked: u32,
    /// There were more recipients than one message may have, so that it is refused whole.
    pub(super) too_many: bool,
    /// The envelope was recorded.
    recorded: bool,
    from: String,
    to: Vec<String>,
    refused: Vec<(String, u16)>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// No answer yet.
    Open,
    /// Yes.
    Accepted,
    /// No.
    Refused,
}

impl Transaction {
    /// MAIL is passed on.
    pub(super) fn new(serial: u32, from: &str, smtputf8: bool) -> Self {
        Self {
            serial,
            mail: Asked::Open,
            smtputf8,
            asked: 0,
            too_many: false,
            recorded: false,
            from: from.to_owned(),
            to: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// The next hop answered RCPT: `Ok` if it takes mail for the path, its code if not.
    pub(super) fn answered(&mut self, path: String, answer: Result<(), u16>) {
        match answer {
            Ok(()) => self.to.push(path),
            Err(code) => self.refused.push((path, code)),
        }
    }

    /// Whether there is anybody to get a message.
    pub(super) fn has_recipients(&self) -> bool {
        self.mail == Asked::Accepted && !self.to.is_empty()
    }

    /// The envelope, when its message begins. Once.
    pub(super) fn envelope(&mut self) -> Option<SessionEvent> {
        if std::mem::replace(&mut self.recorded, true) {
            return None;
        }
        let (from, to) = (self.from.clone(), std::mem::take(&mut self.to));
        // Only that there were recipients is asked for from here on, and there are no more of them.
        self.to.extend(to.first().cloned());
        Some(SessionEvent::Envelope { from, to, refused: std::mem::take(&mut self.refused) })
    }

    /// The envelope, if no message ever began and there are refusals that nothing else tells of.
    pub(super) fn unfinished(mut self) -> Option<SessionEvent> {
        if self.refused.is_empty() { None } else { self.envelope() }
    }
}
