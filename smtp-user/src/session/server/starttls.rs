//! STARTTLS (RFC 3207): the next hop first, then the originator. What was known before is forgotten.

use smtp_common::flow::FlowMarks;

use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::server_tls::ServerTls;
use crate::session::client::{AfterUpgrade, Client, Owed};
use crate::session::effect::Effect;
use crate::session::relay::Relay;
use crate::session::replies::{self, Refusal};
use crate::session::server::Server;
use crate::wire::smtp::command::Command;
use crate::wire::smtp::extension::Extension;
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// The originator asks for TLS.
    pub(super) fn starttls(&mut self, more: bool) {
        if more {
            return self.violation(Refusal::Pipelined, "pipelined_after_starttls");
        }
        if self.tls.client {
            return self.refuse(Refusal::TlsTwice);
        }
        let Some(hello) = &self.hello else { return self.refuse(Refusal::HelloFirst) };
        if !hello.offered.has(Extension::Starttls) {
            return self.refuse(Refusal::NotImplemented);
        }
        self.marks |= FlowMarks::STARTTLS_REQUESTED;
        if self.tls.server || self.config.server_tls == ServerTls::Off {
            return self.upgrade_originator();
        }
        self.pass_on(Command::Starttls, Owed::Starttls { alone: None });
        self.server = Server::Answer;
    }

    /// The server leg must be in TLS, whatever the originator does on its own: upgrade it now, and ask the next hop again
    /// what it offers.
    pub(super) fn upgrade_alone(&mut self, name: String) {
        self.pass_on(Command::Starttls, Owed::Starttls { alone: Some(name) });
        self.server = Server::Answer;
    }

    /// The next hop answered STARTTLS.
    pub(in crate::session) fn starttls_answered(&mut self, alone: Option<String>, reply: &Reply) {
        match (reply.code().number(), alone) {
            (220, alone) => {
                self.client = Client::Upgrading(match alone {
                    Some(name) => AfterUpgrade::Hello { name },
                    None => AfterUpgrade::Originator,
                });
                self.out.push(Effect::StartTls(Leg::Server));
            }
            (_, Some(_)) => {
                // It offered TLS and takes it back, and without it no mail may go.
                self.end_with(Refusal::ServerTlsFailed, Disposition::Failed("server_tls_refused".to_owned()));
            }
            (_, None) if reply.code().is_negative() => {
                self.server = Server::Commands;
                self.relay(reply);
            }
            (_, None) => self.misbehaved("starttls_answer"),
        }
    }

    /// The handshake on a leg is complete.
    pub(in crate::session) fn upgraded(&mut self, leg: Leg) {
        match (leg, std::mem::replace(&mut self.client, Client::Closed)) {
            (Leg::Server, Client::Upgrading(then)) => {
                self.client = Client::Ready;
                self.tls.server = true;
                // The next hop has forgotten everything, and what it said before may not have been its own.
                self.drop_transaction();
                self.hello = None;
                match then {
                    AfterUpgrade::Originator => self.upgrade_originator(),
                    AfterUpgrade::Hello { name } => {
                        self.pass_on(
                            Command::Ehlo(&name),
                            Owed::Hello { extended: true, name: name.clone() },
                        );
                    }
                }
            }
            (Leg::Client, client) if matches!(self.server, Server::Upgrading) => {
                self.client = client;
                self.tls.client = true;
                self.marks |= FlowMarks::TLS;
                // A next hop that was not upgraded just now may still have a transaction.
                self.abandon();
                self.hello = None;
                self.server = Server::Commands;
            }
            (_, client) => self.client = client,
        }
    }

    /// The handshake on a leg failed.
    pub(in crate::session) fn upgrade_failed(&mut self, leg: Leg) {
        match leg {
            Leg::Server if matches!(self.client, Client::Upgrading(_)) => {
                self.end_with(Refusal::ServerTlsFailed, Disposition::Failed("server_tls_failed".to_owned()));
            }
            Leg::Client if matches!(self.server, Server::Upgrading) => {
                self.close(Disposition::Failed("client_tls_failed".to_owned()));
            }
            _ => {}
        }
    }

    /// Octets arrived in plaintext behind what was to be the last of it (CVE-2011-0411).
    pub(in crate::session) fn extra(&mut self, leg: Leg) {
        let what = match leg {
            Leg::Client => "pipelined_after_starttls",
            Leg::Server => "reply_behind_starttls",
        };
        let starttls_owed = matches!(self.owed.front(), Some(Owed::Starttls { .. }));
        let server_leg = matches!(self.client, Client::Upgrading(_)) || starttls_owed;
        let client_leg = matches!(self.server, Server::Upgrading);
        match leg {
            // Too late for a reply in plaintext.
            _ if client_leg => {
                self.note(leg, what, None);
                self.close(Disposition::Refused(what.to_owned()));
            }
            Leg::Client if server_leg => self.violation(Refusal::Pipelined, what),
            Leg::Server if server_leg => self.misbehaved(what),
            _ => {}
        }
    }

    fn upgrade_originator(&mut self) {
        self.marks |= FlowMarks::STARTTLS_ACCEPTED;
        self.server = Server::Upgrading;
        self.out.push(Effect::Reply(replies::start_tls().to_octets()));
        self.out.push(Effect::StartTls(Leg::Client));
    }
}
