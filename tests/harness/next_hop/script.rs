//! What the test mail server offers, and where it misbehaves.

/// How it does TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Not at all.
    None,
    /// STARTTLS is offered until it is used.
    StartTls,
    /// From the first octet.
    Implicit,
}

/// A moment of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The greeting is due.
    Connect,
    /// A command with this verb came.
    Command(&'static str),
    /// Mail data has ended.
    EndOfData,
}

/// What goes wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// These octets instead of the reply; the server's state does not move unless they begin with 2 or 3.
    Say(&'static str),
    /// The usual reply and these octets in the same write.
    SayAlso(&'static str),
    /// The usual reply, one octet a write.
    Trickle,
    /// The connection is closed without a reply.
    Close,
    /// The connection is reset without a reply.
    Reset,
    /// No reply, ever.
    Hang,
    /// The usual reply to STARTTLS, then octets that are no TLS.
    BreakTls,
}

/// How the test mail server behaves.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its greeting, with CRLF.
    pub greeting: String,
    /// Keywords of its EHLO reply; STARTTLS is added by [`Self::upgrade`].
    pub extensions: Vec<String>,
    /// Its TLS.
    pub upgrade: Upgrade,
    /// Whether anything that resembles a line end is one, also around the final dot; NUL is skipped.
    pub tolerant: bool,
    /// Faults; each happens every time its step is reached.
    pub faults: Vec<(Step, Fault)>,
    /// Take TLS' own greeting away: close after this many octets of a message.
    pub close_in_data_after: Option<usize>,
}

impl Script {
    /// An ordinary server with STARTTLS.
    pub fn ordinary() -> Self {
        let extensions =
            ["PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"];
        Self {
            greeting: "220 server.test ESMTP next hop of the tests\r\n".to_owned(),
            extensions: extensions.map(str::to_owned).to_vec(),
            upgrade: Upgrade::StartTls,
            tolerant: false,
            faults: Vec::new(),
            close_in_data_after: None,
        }
    }

    /// An ordinary server without TLS.
    pub fn plain() -> Self {
        Self { upgrade: Upgrade::None, ..Self::ordinary() }
    }

    /// An ordinary server with TLS from the first octet.
    pub fn implicit() -> Self {
        Self { upgrade: Upgrade::Implicit, ..Self::ordinary() }
    }

    /// Takes anything for a line end.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.tolerant = true;
        self
    }

    /// Has no such keyword.
    #[must_use]
    pub fn without(mut self, keyword: &str) -> Self {
        self.extensions.retain(|line| !line.starts_with(keyword));
        self
    }

    /// Takes chunks.
    #[must_use]
    pub fn chunking(self) -> Self {
        self.with("CHUNKING")
    }

    /// Has this keyword too.
    #[must_use]
    pub fn with(mut self, keyword: &str) -> Self {
        self.extensions.push(keyword.to_owned());
        self
    }

    /// Goes wrong at a command.
    #[must_use]
    pub fn at(mut self, verb: &'static str, fault: Fault) -> Self {
        self.faults.push((Step::Command(verb), fault));
        self
    }

    /// Goes wrong at another step.
    #[must_use]
    pub fn at_step(mut self, step: Step, fault: Fault) -> Self {
        self.faults.push((step, fault));
        self
    }

    pub(super) fn fault_at(&self, step: &Step) -> Option<&Fault> {
        self.faults.iter().find(|(at, _)| at == step).map(|(_, fault)| fault)
    }
}
