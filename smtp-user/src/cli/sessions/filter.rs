//! Which sessions are shown.

use ipnet::IpNet;

use crate::audit::sessions::Session;
use crate::cli::word::{self, WordError};
use crate::policy::prefix::parse_prefix;

/// Conditions; a session must meet all that are given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct SessionFilter {
    /// Only sessions with mail from here: a mailbox, `@domain`, or the originator's address or prefix.
    #[arg(long, value_name = "ADDR", value_parser = party)]
    pub from: Option<Party>,
    /// Only sessions with mail to here: a mailbox, `@domain`, or the next hop's address or prefix.
    #[arg(long, value_name = "ADDR", value_parser = party)]
    pub to: Option<Party>,
    /// Only this disposition: inspected, bypassed, refused, failed, or open.
    #[arg(long, value_name = "WORD", value_parser = disposition)]
    pub disposition: Option<&'static str>,
    /// Only sessions under this rule.
    #[arg(long, value_name = "NAME|ID")]
    pub rule: Option<String>,
}

/// One end of a mail's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// A host, or many.
    Host(IpNet),
    /// A mailbox, in lower case; empty is the null reverse-path.
    Mailbox(String),
    /// Every mailbox of a domain, in lower case with its `@`.
    Domain(String),
}

impl Party {
    fn is_of(&self, host: std::net::IpAddr, paths: &[String]) -> bool {
        match self {
            Self::Host(prefix) => prefix.contains(&host.to_canonical()),
            // Local-parts may differ by case (RFC 5321 §2.4); whoever searches does not mean that.
            Self::Mailbox(mailbox) => paths.iter().any(|path| path.to_lowercase() == *mailbox),
            Self::Domain(domain) => paths.iter().any(|path| path.to_lowercase().ends_with(domain)),
        }
    }
}

fn party(text: &str) -> Result<Party, WordError> {
    if text.starts_with('@') {
        return Ok(Party::Domain(text.to_lowercase()));
    }
    if text == "<>" || text.contains('@') {
        let mailbox = text.trim_start_matches('<').trim_end_matches('>');
        return Ok(Party::Mailbox(mailbox.to_lowercase()));
    }
    match parse_prefix(text) {
        Ok(prefix) => Ok(Party::Host(prefix)),
        // A word that is no address is a domain or a local-part whose rest was left out.
        Err(error) if text.contains([':', '/']) => Err(WordError::new(&error, error.suggestion())),
        Err(_) => {
            let problem = format!("`{text}` is neither a mailbox nor an address");
            Err(WordError::new(&problem, Some(format!("@{text}"))))
        }
    }
}

/// Word for sessions that have not ended.
pub(super) const OPEN: &str = "open";

fn disposition(text: &str) -> Result<&'static str, WordError> {
    word::one_of(text, "a disposition", &["inspected", "bypassed", "refused", "failed", OPEN], |word| word)
}

impl SessionFilter {
    /// Whether a session meets every condition.
    pub fn matches(&self, session: &Session) -> bool {
        let peers = &session.peers;
        let disposition = session.account.as_ref().map_or(OPEN, |account| account.disposition.name());
        self.from.as_ref().is_none_or(|party| party.is_of(peers.originator.ip(), &session.from))
            && self.to.as_ref().is_none_or(|party| party.is_of(peers.next_hop.ip(), &session.to))
            && self.disposition.is_none_or(|word| word == disposition)
            && self
                .rule
                .as_ref()
                .is_none_or(|rule| *rule == peers.rule_name || *rule == peers.rule.to_string())
    }
}
