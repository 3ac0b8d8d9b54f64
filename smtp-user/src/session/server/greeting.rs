//! The beginning: the next hop is called and greets (RFC 5321 §3.1).

use crate::event::session_event::SessionEvent;
use crate::model::disposition::Disposition;
use crate::session::client::Client;
use crate::session::effect::Effect;
use crate::session::relay::Relay;
use crate::session::replies::Refusal;
use crate::session::server::Server;
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// The next hop answered the call.
    pub(in crate::session) fn connected(&mut self) {
        if matches!(self.client, Client::Calling) {
            self.client = Client::Greeting;
        }
    }

    /// The next hop did not answer the call.
    pub(in crate::session) fn unreachable(&mut self, why: &'static str) {
        if matches!(self.client, Client::Calling) {
            self.event(SessionEvent::NextHop { outcome: why.to_owned(), greeting: None }, None);
            self.end_with(Refusal::Unreachable, Disposition::Failed(Refusal::Unreachable.name().to_owned()));
        }
    }

    /// The next hop greeted, or turned us away; the originator hears it as it is.
    pub(in crate::session) fn greeted(&mut self, reply: &Reply) {
        let greeting = Some(reply.first_line().to_owned());
        let (outcome, welcome) =
            if reply.code().is_completion() { ("connected", true) } else { ("turned_away", false) };
        self.event(SessionEvent::NextHop { outcome: outcome.to_owned(), greeting }, None);
        if reply.code().is_intermediate() {
            return self.misbehaved("greeting_3yz");
        }
        self.out.push(Effect::Reply(reply.to_octets()));
        if !welcome {
            return self.close(Disposition::Failed("next_hop_turned_away".to_owned()));
        }
        self.client = Client::Ready;
        self.server = Server::Commands;
        if self.draining {
            self.shut_down();
        }
    }
}
