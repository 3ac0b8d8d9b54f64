//! Reverse-path and forward-path (RFC 5321 §4.1.2): the arguments of MAIL and RCPT.
//!
//! Two things are not in the grammar and are in use. A local-part without a domain, as programs on the same host say
//! it, is handed on: nobody can take it for something else, and the next hop decides. A path without angle brackets is
//! refused: where it ends, and whether what follows is a parameter, servers do not agree upon.

use crate::limits::PATH_OCTETS;

use super::mailbox::{domain, local_part};

/// Argument of MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversePath<'a> {
    /// `<>`: a report, which is never reported on.
    Null,
    /// What stands between the angle brackets.
    Mailbox(&'a str),
}

impl<'a> ReversePath<'a> {
    /// Reads a path at the front of `text`, and gives it with what stands behind.
    pub(super) fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        if let Some(rest) = text.strip_prefix("<>") {
            return Some((Self::Null, rest));
        }
        path(text).map(|(mailbox, rest)| (Self::Mailbox(mailbox), rest))
    }

    /// Without angle brackets; empty is the null reverse-path.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Null => "",
            Self::Mailbox(text) => text,
        }
    }
}

/// Argument of RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>`, of whatever domain the next hop is.
    Postmaster(&'a str),
    /// What stands between the angle brackets.
    Mailbox(&'a str),
}

impl<'a> ForwardPath<'a> {
    /// Reads a path at the front of `text`, and gives it with what stands behind.
    pub(super) fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        match text.strip_prefix('<').and_then(|text| text.split_once('>')) {
            Some((name, rest)) if name.eq_ignore_ascii_case("postmaster") => {
                Some((Self::Postmaster(name), rest))
            }
            _ => path(text).map(|(mailbox, rest)| (Self::Mailbox(mailbox), rest)),
        }
    }

    /// Without angle brackets.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Postmaster(text) | Self::Mailbox(text) => text,
        }
    }
}

/// `<`, a source route that nobody follows any more, a mailbox or a bare local-part, `>`.
fn path(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    let mut rest = inside;
    if rest.starts_with('@') {
        loop {
            rest = rest.strip_prefix('@')?;
            rest = rest.get(domain(rest)?..)?;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix(':')?;
    }
    let routed = inside.len() != rest.len();
    rest = rest.get(local_part(rest)?..)?;
    if routed || !rest.starts_with('>') {
        rest = rest.strip_prefix('@')?;
        rest = rest.get(domain(rest)?..)?;
    }
    let mailbox = inside.get(..inside.len().checked_sub(rest.len())?)?;
    let rest = rest.strip_prefix('>')?;
    (mailbox.len() + 2 <= PATH_OCTETS).then_some((mailbox, rest))
}

#[cfg(test)]
mod tests;
