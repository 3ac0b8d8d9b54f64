//! What can be wrong with a configuration file, beside what can be wrong with any text that holds rules.

use std::time::Duration;

use crate::action::substitution::SubstitutionError;
use crate::app::config::duration::{DurationError, format_duration};
use crate::app::config::size::{SizeError, format_size};
use crate::app::config::tls_files::TlsFileProblem;
use crate::delivery::settings::NotAHost;
use crate::engine::hash_list::YARA_BUILD;
use crate::policy::lint::{Finding, FindingKind};
use crate::policy::mistake::Problem;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// With a table, a value or a rule by itself.
    #[error(transparent)]
    Document(#[from] Problem),
    /// No duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// A duration that is too short or too long.
    #[error("`{key}` takes a duration from {} to {}", format_duration(*min), format_duration(*max))]
    DurationOutOfRange {
        /// The key.
        key: &'static str,
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// No number of octets.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// Too few octets or too many.
    #[error("`{key}` takes a number of octets from {} to {}", format_size(*min), format_size(*max))]
    SizeOutOfRange {
        /// The key.
        key: &'static str,
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// The daemon's own folder says nothing about where its files belong.
    #[error("`{key}` takes an absolute path, not `{path}`")]
    RelativePath {
        /// The key.
        key: &'static str,
        /// What was written.
        path: String,
    },
    /// A file without a name.
    #[error("`{key}` takes the path of a file")]
    EmptyPath {
        /// The key.
        key: &'static str,
    },
    /// No address of a host, or no port.
    #[error(
        "`{key}` takes an address and a port, as in \"192.0.2.25:25\" or \"[2001:db8::25]:25\", not `{text}`"
    )]
    NotASocketAddress {
        /// The key.
        key: &'static str,
        /// What was written.
        text: String,
        /// The same with the port of SMTP.
        suggestion: Option<String>,
    },
    /// A version that the TLS library does not have, on purpose, or that does not exist.
    #[error(
        "`tls_min` takes `1.2` or `1.3`, not `{text}`: SSL, TLS 1.0 and TLS 1.1 are withdrawn (RFC 7568, RFC 8996) and \
         not spoken here; peers that have nothing newer stay in plaintext, or their flows are accelerated by a rule"
    )]
    TlsVersion {
        /// What was written.
        text: String,
    },
    /// No name that a certificate could prove.
    #[error(
        "`server_name` takes the name or the address that the next hop's certificate proves, not `{text}`"
    )]
    NotAServerName {
        /// What was written.
        text: String,
    },
    /// Two keys that contradict each other.
    #[error(
        "`client_tls = \"mint\"` copies the next hop's certificate, and with `server_tls = \"off\"` nobody ever sees it"
    )]
    NothingToMintAfter,
    /// A file of certificates or keys.
    #[error("{0}")]
    TlsFile(TlsFileProblem),
    /// No name of a host.
    #[error("`{key}` takes the name of a host, as in `gw.example.org`, not `{text}`")]
    NotADomain {
        /// The key.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// Neither a path nor host and port nor a service.
    #[error(
        "`{key}` takes the path of a socket, a host and a port as in \"127.0.0.1:3310\", or a service as in \
         \"icap://127.0.0.1:1344/avscan\", not `{text}`"
    )]
    NotAnEngineAddress {
        /// The key.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// This program was built without it.
    #[error("`kind = \"yara\"` needs a Postern that was built with it: {YARA_BUILD}")]
    NoYara,
    /// What is in this process has no address, and what is elsewhere no files.
    #[error("`{key}` says nothing of an engine {}", if *is_yara { "of kind `yara`" } else { "that has an address; `kind = \"yara\"` makes it one of rules" })]
    NotOfThisKind {
        /// The key.
        key: &'static str,
        /// Of which kind it is.
        is_yara: bool,
    },
    /// No host that could be called.
    #[error(transparent)]
    NotAHost(#[from] NotAHost),
    /// Nobody's address.
    #[error("`{key}` takes the address of a mailbox, as in \"postmaster@example.org\", not `{text}`")]
    NotAMailbox {
        /// The key.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// Two waits that are longer than the one they are part of.
    #[error(
        "`scan_timeout` and `delivery_timeout` together are {}, longer than `timeout`, which is {}",
        format_duration(*sum),
        format_duration(*timeout)
    )]
    TimersTooLong {
        /// Both.
        sum: Duration,
        /// What they are part of.
        timeout: Duration,
    },
    /// Keys that only say something about mail that the gateway delivers.
    #[error("`{key}` says how mail is delivered; it needs `mode = \"spool\"`")]
    NeedsSpool {
        /// The key.
        key: &'static str,
    },
    /// A next hop that is called by its address has no name that TLSA records could stand at.
    #[error(
        "`server_tls = \"dane\"` goes by the next hop's name, which only mail has that the gateway delivers; it needs `mode = \"spool\"`"
    )]
    DaneNeedsSpool,
    /// Nobody is there whose AD bit is to be believed.
    #[error(
        "`server_tls = \"dane\"` believes a validating resolver: `dns_servers` of `[spool]` must name one, on this host unless `dns_trusted = true` says that nobody can meddle on the way to it"
    )]
    DaneNeedsResolver,
    /// A policy is about mail exchangers and their TLS.
    #[error(
        "`mta_sts` goes by what domains say about TLS with their mail exchangers; it needs `use_mx = true`, and `server_tls` that is not `off`"
    )]
    StsNeedsMx,
    /// Two answers to one question.
    #[error("`{first}` and `{second}` both say where mail goes; leave one of them out")]
    Contradiction {
        /// One key.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// Only `block` bans anybody.
    #[error("`ban_for` goes with the action `block`, not with `{action}`")]
    NoBan {
        /// The action.
        action: &'static str,
    },
    /// Nothing is so small and so large at once.
    #[error("`min_size` is more than `max_size`: nothing matches")]
    SizesCross,
    /// A template names what nothing stands behind.
    #[error("`{{{variable}}}` stands for nothing in a notice; expected {expected}, in braces")]
    NotAVariable {
        /// What was written.
        variable: String,
        /// What can be.
        expected: String,
        /// The nearest of them.
        suggestion: Option<String>,
    },
    /// No element or attribute is called so.
    #[error("`{name}` is no name of an element or attribute: letters, digits and hyphens, without brackets")]
    NotMarkup {
        /// What was written.
        name: String,
    },
    /// No name of a header field (RFC 5322 §2.2).
    #[error(
        "`{name}` is no name of a header field: printable ASCII without blanks and colons, {max} characters at most"
    )]
    NotAField {
        /// What was written.
        name: String,
        /// Characters at most.
        max: usize,
    },
    /// What a message cannot be without, what says how it is read, or what the gateway keeps count by.
    #[error("field `{name}` cannot be changed here: {why}")]
    FieldNotHere {
        /// The field.
        name: String,
        /// Why.
        why: &'static str,
        /// What to write.
        suggestion: Option<String>,
    },
    /// No pattern, or no replacement of one.
    #[error("{0}")]
    Substitution(#[from] SubstitutionError),
    /// What would stand where an address was.
    #[error(
        "`right` stands in the place of an address: it takes one `@`, and no blanks, brackets, quotes or commas"
    )]
    NotAnAddress {
        /// What to write.
        suggestion: Option<String>,
    },
    /// An address that becomes nothing leaves a field without one.
    #[error(
        "with an empty `right` the whole field goes, and in a field of addresses that takes `left = \"*\"`"
    )]
    HalfRemoval,
    /// Mail that goes round in circles is found by it.
    #[error(
        "without `Received` fields servers behind the gateway do not see that mail goes round in circles; the gateway itself goes \
         on counting by `X-Postern-Hops`"
    )]
    HopsHidden,
    /// A resource whose messages nobody looks at.
    #[error(
        "messages of this resource pass unseen: no rule on parts, no list and no engine is asked about them"
    )]
    PassesUnseen,
    /// A rule on parts that an earlier one takes everything from.
    #[error("rule on parts `{rule}` is never reached: `{by}` matches everything that it does")]
    PartRuleUnreachable {
        /// The rule.
        rule: String,
        /// The earlier one.
        by: String,
    },
    /// A rule on parts that asks nothing and allows.
    #[error("rule on parts `{rule}` lets everything pass, whatever is found in it")]
    PartRuleAllowsAll {
        /// The rule.
        rule: String,
    },
    /// A rule on parts that waits for an engine that is not there.
    #[error("rule on parts `{rule}` never matches: there is no engine named `{engine}`")]
    NoSuchEngine {
        /// The rule.
        rule: String,
        /// The engine.
        engine: String,
    },
    /// What is in an archive has a name and content only.
    #[error(
        "rule on parts `{rule}` hardly matches: what is in an archive has no declared type; `kind` says what it is"
    )]
    MemberWithType {
        /// The rule.
        rule: String,
    },
    /// The same name twice.
    #[error("{what} `{name}` is already defined in line {first_line}")]
    Duplicate {
        /// What has the name.
        what: &'static str,
        /// The name.
        name: String,
        /// Where it was first.
        first_line: usize,
    },
    /// More than the kernel's tables hold.
    #[error("there are {count} {what}, more than {max}")]
    TooMany {
        /// What there are.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The rules are wrong or doubtful in themselves.
    #[error("{0}")]
    Finding(Finding),
}

impl ConfigProblem {
    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Document(problem) => problem.suggestion(),
            Self::Duration(DurationError::Malformed { suggestion, .. })
            | Self::Size(SizeError { suggestion, .. })
            | Self::NotAVariable { suggestion, .. }
            | Self::FieldNotHere { suggestion, .. }
            | Self::NotAnAddress { suggestion }
            | Self::NotASocketAddress { suggestion, .. } => suggestion.clone(),
            Self::HalfRemoval => Some("left = \"*\"".to_owned()),
            Self::TlsVersion { .. } => Some("1.2".to_owned()),
            Self::TlsFile(problem) => problem.suggestion(),
            Self::Finding(Finding { kind, .. }) => FindingKind::suggestion(kind),
            Self::RelativePath { path, .. } if !path.is_empty() => {
                Some(format!("/{}", path.trim_start_matches("./")))
            }
            _ => None,
        }
    }
}
