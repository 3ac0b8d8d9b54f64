//! EHLO and HELO (RFC 5321 §4.1.1.1), and what of the next hop's offers is passed on.

use crate::event::session_event::SessionEvent;
use crate::model::server_tls::ServerTls;
use crate::session::client::Owed;
use crate::session::relay::Relay;
use crate::session::replies::bounded;
use crate::session::server::Server;
use crate::wire::smtp::command::Command;
use crate::wire::smtp::extension::{Extension, ExtensionSet, lines, survives};
use crate::wire::smtp::reply::Reply;

/// What is known since the last EHLO or HELO. TLS makes it void (RFC 3207 §4.2).
#[derive(Debug)]
pub(in crate::session) struct Hello {
    /// Extensions that the originator was offered.
    pub(in crate::session) offered: ExtensionSet,
    /// SASL mechanisms that it was offered.
    pub(in crate::session) mechanisms: Vec<String>,
}

impl Hello {
    /// Whether commands may be sent in groups.
    pub(in crate::session) fn has_pipelining(&self) -> bool {
        self.offered.has(Extension::Pipelining)
    }
}

impl Relay {
    /// The originator names itself. Octets behind it wait until it is answered, so they do no harm; people try servers
    /// out with `EHLO` and `QUIT` in one go.
    pub(super) fn ehlo(&mut self, extended: bool, name: &str) {
        if self.is_junk() {
            return;
        }
        let command = if extended { Command::Ehlo(name) } else { Command::Helo(name) };
        self.pass_on(command, Owed::Hello { extended, name: name.to_owned() });
        self.server = Server::Answer;
    }

    /// The next hop answered.
    pub(in crate::session) fn ehlo_answered(&mut self, extended: bool, name: String, reply: &Reply) {
        if !reply.code().is_completion() {
            // RFC 5321 §4.1.4 has the next hop stay where it was. The transaction is ended all the same:
            // not every server does.
            self.abandon();
            self.server = Server::Commands;
            return self.relay(reply);
        }
        self.drop_transaction();
        let next_hop_starttls = extended && ExtensionSet::of(reply).has(Extension::Starttls);
        if self.config.server_tls.is_mandatory() && !self.tls.server && next_hop_starttls {
            return self.upgrade_alone(name);
        }
        let (hello, removed, reply) = if extended {
            self.filter(reply, next_hop_starttls)
        } else {
            (plain(), Vec::new(), reply.clone())
        };
        let starttls_offered = hello.offered.has(Extension::Starttls);
        if starttls_offered {
            self.mark_offered();
        }
        let verb = if extended { "EHLO" } else { "HELO" };
        self.event(SessionEvent::Hello { verb: verb.to_owned(), name, removed, starttls_offered }, None);
        self.hello = Some(hello);
        self.server = Server::Commands;
        self.relay(&reply);
    }

    /// The reply as the originator gets it: the next hop's own, less what cannot be honoured.
    fn filter(&self, reply: &Reply, next_hop_starttls: bool) -> (Hello, Vec<String>, Reply) {
        let mut hello = plain();
        let mut removed = Vec::new();
        let mut text = reply.first_line().to_owned();
        let mut add = |line: &str| {
            text.push('\n');
            text.push_str(line);
        };
        for (keyword, arguments) in lines(reply) {
            let line = Extension::of(keyword).and_then(|extension| {
                let line = self.passed_on(extension, keyword, arguments, next_hop_starttls, &mut hello)?;
                hello.offered.insert(extension);
                Some(line)
            });
            match line {
                Some(line) => add(&line),
                None if removed.len() < MAX_REMOVED => removed.push(bounded(keyword, MAX_KEYWORD).to_owned()),
                None => {}
            }
        }
        if self.may_offer_starttls(next_hop_starttls) && !hello.offered.has(Extension::Starttls) {
            add("STARTTLS");
            hello.offered.insert(Extension::Starttls);
        }
        (hello, removed, Reply::new(reply.code(), &text))
    }

    /// The line for an extension, if it may be passed on.
    fn passed_on(
        &self,
        extension: Extension,
        keyword: &str,
        arguments: &str,
        next_hop_starttls: bool,
        hello: &mut Hello,
    ) -> Option<String> {
        let unchanged =
            || if arguments.is_empty() { keyword.to_owned() } else { format!("{keyword} {arguments}") };
        match extension {
            Extension::Starttls => self.may_offer_starttls(next_hop_starttls).then(unchanged),
            Extension::Size => {
                let ours = self.config.limits.max_message_octets;
                // None and 0 say that there is no fixed limit (RFC 1870 §4).
                let theirs = arguments.parse().ok().filter(|&octets: &u64| octets > 0);
                Some(if theirs.is_some_and(|theirs| theirs <= ours) {
                    unchanged()
                } else {
                    format!("SIZE {ours}")
                })
            }
            Extension::Auth => {
                if self.hides_auth() {
                    return None;
                }
                let kept: Vec<_> =
                    arguments.split_ascii_whitespace().filter(|mechanism| survives(mechanism)).collect();
                hello.mechanisms = kept.iter().map(|mechanism| (*mechanism).to_owned()).collect();
                (!kept.is_empty()).then(|| format!("{keyword} {}", kept.join(" ")))
            }
            // It promises TLS with a verified certificate all the way (RFC 8689 §2).
            Extension::RequireTls => {
                let kept =
                    self.tls.client && self.tls.server && self.config.server_tls == ServerTls::Verified;
                kept.then(unchanged)
            }
            _ => Some(unchanged()),
        }
    }

    /// Whether the originator may be offered STARTTLS: never when the server leg would be weaker than it knows, unless
    /// that was configured in so many words.
    fn may_offer_starttls(&self, next_hop_starttls: bool) -> bool {
        self.config.starttls
            && !self.tls.client
            && (self.tls.server || next_hop_starttls || self.config.server_tls == ServerTls::Off)
    }

    /// Whether AUTH is kept from the originator: its leg is in plaintext, and does not have to be.
    pub(super) fn hides_auth(&self) -> bool {
        !self.tls.client && (self.config.starttls || self.tls.server)
    }
}

fn plain() -> Hello {
    Hello { offered: ExtensionSet::default(), mechanisms: Vec::new() }
}

/// Removed keywords that are recorded, and octets of each.
const MAX_REMOVED: usize = 32;
const MAX_KEYWORD: usize = 64;
