//! What a next hop offers in its reply to EHLO (RFC 5321 §4.1.1.1), and what of it may be passed on.
//!
//! The list is of what is allowed: a keyword that is not known here may open a way past the gateway, or change
//! what a command means, so it is removed.

use super::reply::Reply;

/// A keyword that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// RFC 2920
    Pipelining,
    /// RFC 1870
    Size,
    /// RFC 6152
    EightBitMime,
    /// RFC 6531
    SmtpUtf8,
    /// RFC 3461
    Dsn,
    /// RFC 2034
    EnhancedStatusCodes,
    /// RFC 3030
    Chunking,
    /// RFC 4954
    Auth,
    /// RFC 3207
    Starttls,
    /// RFC 2852
    DeliverBy,
    /// RFC 8689
    RequireTls,
    /// RFC 9422
    Limits,
    /// RFC 5321 §4.1.1.8
    Help,
    /// RFC 5321 §4.1.1.6
    Vrfy,
    /// RFC 5321 §4.1.1.7
    Expn,
}

impl Extension {
    /// Every one, with its keyword.
    pub const ALL: [(Self, &str); 15] = [
        (Self::Pipelining, "PIPELINING"),
        (Self::Size, "SIZE"),
        (Self::EightBitMime, "8BITMIME"),
        (Self::SmtpUtf8, "SMTPUTF8"),
        (Self::Dsn, "DSN"),
        (Self::EnhancedStatusCodes, "ENHANCEDSTATUSCODES"),
        (Self::Chunking, "CHUNKING"),
        (Self::Auth, "AUTH"),
        (Self::Starttls, "STARTTLS"),
        (Self::DeliverBy, "DELIVERBY"),
        (Self::RequireTls, "REQUIRETLS"),
        (Self::Limits, "LIMITS"),
        (Self::Help, "HELP"),
        (Self::Vrfy, "VRFY"),
        (Self::Expn, "EXPN"),
    ];

    /// Of a keyword, in whatever case.
    pub fn of(keyword: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(keyword))
            .map(|(extension, _)| *extension)
    }
}

/// Several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionSet(u32);

impl ExtensionSet {
    /// Whether one is among them.
    pub const fn has(self, extension: Extension) -> bool {
        self.0 & (1 << extension as u32) != 0
    }

    /// Adds one.
    pub const fn insert(&mut self, extension: Extension) {
        self.0 |= 1 << extension as u32;
    }

    /// Those of a reply to EHLO.
    pub fn of(reply: &Reply) -> Self {
        let mut set = Self::default();
        for (extension, _) in lines(reply).filter_map(|(keyword, rest)| Some((Extension::of(keyword)?, rest)))
        {
            set.insert(extension);
        }
        set
    }
}

/// Keywords of a reply to EHLO, each with what stands behind it.
pub fn lines(reply: &Reply) -> impl Iterator<Item = (&str, &str)> {
    reply.lines().skip(1).map(|line| match line.split_once(' ') {
        Some((keyword, rest)) => (keyword, rest),
        None => (line, ""),
    })
}

/// SASL mechanisms that survive a gateway: not those that prove something about the TLS connection they run in
/// (channel binding, `-PLUS`, RFC 5802 §6) or live from the client's certificate (`EXTERNAL`, RFC 4422 appendix A).
pub fn survives(mechanism: &str) -> bool {
    let upper = mechanism.to_ascii_uppercase();
    !upper.ends_with("-PLUS") && upper != "EXTERNAL"
}

#[cfg(test)]
mod tests;
