//! Command lines (RFC 5321 §4.1).
//!
//! Read strictly, with two tolerances that change nothing of what a line means: a space behind `FROM:` and `TO:`,
//! and spaces at the end of the line. Nothing of a line that was not understood here is ever passed on.

use super::bdat::Chunk;
use super::parameter::{MailParameters, ParameterError, RcptParameters};
use super::path::{ForwardPath, ReversePath};

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO and the name given.
    Ehlo(&'a str),
    /// HELO and the name given.
    Helo(&'a str),
    /// STARTTLS (RFC 3207).
    Starttls,
    /// AUTH (RFC 4954).
    Auth {
        /// SASL mechanism.
        mechanism: &'a str,
        /// Whatever came with it. A secret.
        initial: Option<&'a str>,
    },
    /// MAIL.
    Mail {
        /// Who gets reports.
        path: ReversePath<'a>,
        /// Parameters, read.
        parameters: MailParameters,
        /// Parameters, as written.
        text: &'a str,
    },
    /// RCPT.
    Rcpt {
        /// Who gets the mail.
        path: ForwardPath<'a>,
        /// Parameters, read.
        parameters: RcptParameters,
        /// Parameters, as written.
        text: &'a str,
    },
    /// DATA.
    Data,
    /// BDAT (RFC 3030).
    Bdat(Chunk),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY and its argument.
    Vrfy(&'a str),
    /// EXPN and its argument.
    Expn(&'a str),
    /// HELP and its argument.
    Help(&'a str),
}

/// Why a line is no command that can be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CommandError {
    /// Not a command.
    #[error("command not recognised")]
    Unknown,
    /// A command that is never offered here: it would move mail past the gateway, or change what it knows.
    #[error("command not implemented")]
    NotImplemented,
    /// Another protocol than SMTP is spoken, as in `GET / HTTP/1.1`.
    #[error("not SMTP")]
    ForeignProtocol,
    /// The argument is missing, superfluous, or has octets that no argument may have.
    #[error("argument not valid")]
    Argument,
    /// The argument of BDAT, and so the number of octets behind it.
    #[error("chunk size not valid")]
    ChunkSize,
    /// The reverse-path.
    #[error("reverse-path not valid")]
    ReversePath,
    /// The forward-path.
    #[error("forward-path not valid")]
    ForwardPath,
    /// A parameter of MAIL or RCPT.
    #[error(transparent)]
    Parameter(ParameterError),
}

impl<'a> Command<'a> {
    /// Reads a line without its CRLF.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        let Some(text) = printable(line) else { return Err(undecodable(line)) };
        let text = text.trim_end_matches(' ');
        let (verb, argument) = match text.split_once(' ') {
            Some((verb, argument)) => (verb, argument),
            None => (text, ""),
        };
        let verb = Verb::of(verb).ok_or_else(|| unknown(text))?;
        let nothing = |command| if argument.is_empty() { Ok(command) } else { Err(CommandError::Argument) };
        match verb {
            Verb::Ehlo => one_word(argument).map(Self::Ehlo),
            Verb::Helo => one_word(argument).map(Self::Helo),
            Verb::Starttls => nothing(Self::Starttls),
            Verb::Auth => auth(argument),
            Verb::Mail => mail(argument),
            Verb::Rcpt => rcpt(argument),
            Verb::Data => nothing(Self::Data),
            Verb::Bdat => {
                Chunk::parse(argument.as_bytes()).map(Self::Bdat).map_err(|_| CommandError::ChunkSize)
            }
            Verb::Rset => nothing(Self::Rset),
            // RFC 5321 §4.1.1.9: NOOP may have an argument, which means nothing.
            Verb::Noop => Ok(Self::Noop),
            Verb::Quit => nothing(Self::Quit),
            Verb::Vrfy if !argument.is_empty() => Ok(Self::Vrfy(argument)),
            Verb::Expn if !argument.is_empty() => Ok(Self::Expn(argument)),
            Verb::Vrfy | Verb::Expn => Err(CommandError::Argument),
            Verb::Help => Ok(Self::Help(argument)),
            Verb::NotImplemented => Err(CommandError::NotImplemented),
        }
    }

    /// Its verb, for records.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Ehlo(_) => "EHLO",
            Self::Helo(_) => "HELO",
            Self::Starttls => "STARTTLS",
            Self::Auth { .. } => "AUTH",
            Self::Mail { .. } => "MAIL",
            Self::Rcpt { .. } => "RCPT",
            Self::Data => "DATA",
            Self::Bdat(_) => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Vrfy(_) => "VRFY",
            Self::Expn(_) => "EXPN",
            Self::Help(_) => "HELP",
        }
    }

    /// Appends the line as it is sent, with CRLF: nothing but what was understood, spaced as RFC 5321 does.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut put = |pieces: &[&str]| {
            for piece in pieces {
                out.extend_from_slice(piece.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        };
        let space = |text: &str| if text.is_empty() { "" } else { " " };
        match *self {
            Self::Ehlo(text) | Self::Helo(text) | Self::Vrfy(text) | Self::Expn(text) | Self::Help(text) => {
                put(&[self.verb(), space(text), text]);
            }
            Self::Starttls | Self::Data | Self::Rset | Self::Noop | Self::Quit => put(&[self.verb()]),
            Self::Auth { mechanism, initial: Some(initial) } => put(&["AUTH ", mechanism, " ", initial]),
            Self::Auth { mechanism, initial: None } => put(&["AUTH ", mechanism]),
            Self::Mail { path, text, .. } => put(&["MAIL FROM:<", path.as_str(), ">", space(text), text]),
            Self::Rcpt { path, text, .. } => put(&["RCPT TO:<", path.as_str(), ">", space(text), text]),
            Self::Bdat(Chunk { octets, last }) => {
                put(&["BDAT ", &octets.to_string(), if last { " LAST" } else { "" }]);
            }
        }
    }
}

/// Whether a line of an authentication exchange is one: base64, or `*` to give up (RFC 4954 §4).
///
/// A line that is a command's verb is none, though `DATA` and `QUIT` are base64 as well: whoever sends them here has lost
/// its place, and a next hop that has lost it too would carry them out.
pub fn is_auth_line(line: &[u8]) -> bool {
    let padding = line.iter().rev().take_while(|&&octet| octet == b'=').count();
    let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let verb = std::str::from_utf8(line).ok().and_then(Verb::of).is_some();
    line == b"*" || (!verb && padding <= 2 && line.iter().take(line.len() - padding).all(base64))
}

#[derive(Clone, Copy)]
enum Verb {
    Ehlo,
    Helo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    NotImplemented,
}

impl Verb {
    fn of(word: &str) -> Option<Self> {
        VERBS.iter().find(|(verb, _)| verb.eq_ignore_ascii_case(word)).map(|(_, verb)| *verb)
    }
}

const VERBS: [(&str, Verb); 27] = [
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("EHLO", Verb::Ehlo),
    ("QUIT", Verb::Quit),
    ("RSET", Verb::Rset),
    ("BDAT", Verb::Bdat),
    ("STARTTLS", Verb::Starttls),
    ("AUTH", Verb::Auth),
    ("HELO", Verb::Helo),
    ("NOOP", Verb::Noop),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    ("BURL", Verb::NotImplemented),
    ("ETRN", Verb::NotImplemented),
    ("ATRN", Verb::NotImplemented),
    ("TURN", Verb::NotImplemented),
    ("SEND", Verb::NotImplemented),
    ("SOML", Verb::NotImplemented),
    ("SAML", Verb::NotImplemented),
    ("XCLIENT", Verb::NotImplemented),
    ("XFORWARD", Verb::NotImplemented),
    ("XEXCH50", Verb::NotImplemented),
    ("X-EXPS", Verb::NotImplemented),
    ("X-LINK2STATE", Verb::NotImplemented),
    ("XSHADOW", Verb::NotImplemented),
];

/// The line as text, if it has nothing in it but printable ASCII and UTF-8.
fn printable(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok().filter(|text| !text.contains(|c: char| c.is_control()))
}

/// What to say of a line that is no text: its verb may be known all the same.
fn undecodable(line: &[u8]) -> CommandError {
    let verb = line.split(|&octet| octet == b' ').next().and_then(|verb| std::str::from_utf8(verb).ok());
    match verb.and_then(Verb::of) {
        Some(Verb::Bdat) => CommandError::ChunkSize,
        Some(Verb::Mail) => CommandError::ReversePath,
        Some(Verb::Rcpt) => CommandError::ForwardPath,
        Some(_) => CommandError::Argument,
        None => CommandError::Unknown,
    }
}

fn unknown(text: &str) -> CommandError {
    const HTTP: [&str; 8] = ["GET ", "POST ", "HEAD ", "PUT ", "CONNECT ", "OPTIONS ", "DELETE ", "PATCH "];
    let begins =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    // A field of a header section where a command is due: the sender is lost, or something lured it here.
    let foreign = HTTP.iter().any(|&verb| begins(verb))
        || ["SSH-", "Host:", "User-Agent:", "Subject:", "Received:", "PRI * HTTP/"]
            .iter()
            .any(|&start| begins(start));
    if foreign { CommandError::ForeignProtocol } else { CommandError::Unknown }
}

fn one_word(argument: &str) -> Result<&str, CommandError> {
    if argument.is_empty() || argument.contains(' ') { Err(CommandError::Argument) } else { Ok(argument) }
}

fn auth(argument: &str) -> Result<Command<'_>, CommandError> {
    let (mechanism, initial) = match argument.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial)),
        None => (argument, None),
    };
    // RFC 4422 §3.1.
    let name_octet = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let mechanism_sound = (1..=20).contains(&mechanism.len()) && mechanism.bytes().all(name_octet);
    let initial_sound =
        initial.is_none_or(|initial| initial == "=" || (initial != "*" && is_auth_line(initial.as_bytes())));
    if mechanism_sound && initial_sound {
        Ok(Command::Auth { mechanism, initial })
    } else {
        Err(CommandError::Argument)
    }
}

fn mail(argument: &str) -> Result<Command<'_>, CommandError> {
    let argument = behind("FROM:", argument)?;
    let (path, text) = ReversePath::parse(argument).ok_or(CommandError::ReversePath)?;
    let text = parameters(text).ok_or(CommandError::ReversePath)?;
    let parameters = MailParameters::parse(text).map_err(CommandError::Parameter)?;
    Ok(Command::Mail { path, parameters, text })
}

fn rcpt(argument: &str) -> Result<Command<'_>, CommandError> {
    let argument = behind("TO:", argument)?;
    let (path, text) = ForwardPath::parse(argument).ok_or(CommandError::ForwardPath)?;
    let text = parameters(text).ok_or(CommandError::ForwardPath)?;
    let parameters = RcptParameters::parse(text).map_err(CommandError::Parameter)?;
    Ok(Command::Rcpt { path, parameters, text })
}

fn behind<'a>(word: &str, argument: &'a str) -> Result<&'a str, CommandError> {
    match argument.split_at_checked(word.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(word) => Ok(rest.trim_start_matches(' ')),
        _ => Err(CommandError::Argument),
    }
}

/// What stands behind a path: nothing, or a space and parameters.
fn parameters(text: &str) -> Option<&str> {
    if text.is_empty() { Some(text) } else { text.strip_prefix(' ').map(str::trim_start) }
}

#[cfg(test)]
mod tests;
