//! TLS on either leg: started by STARTTLS (RFC 3207) or before a word is said (RFC 8314).

use tokio::time::timeout;

use super::{Context, RelayIo};
use crate::event::session_event::SessionEvent;
use crate::gateway::trace_fields::OriginatorFacts;
use crate::limits::{AUTH_LINE_OCTETS, Timeout};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::tls_facts::TlsFacts;
use crate::session::relay::Input;
use crate::tls::error::TlsError;
use crate::transport::stream::{Stream, UpgradeError};
use crate::wire::smtp::line::LineReader;
use crate::wire::smtp::reply::ReplyReader;

impl RelayIo {
    /// Starts TLS on both legs, the next hop's first, before a word is said (RFC 8314 §3.3). Gives why there is no
    /// session then.
    pub(crate) async fn start_implicit_tls(
        &mut self,
        server: tokio::net::TcpStream,
    ) -> Result<(), Disposition> {
        self.server.connect(Stream::Plain(server));
        for leg in [Leg::Server, Leg::Client] {
            if let Err(why) = self.handshake(leg).await {
                let disposition = match (leg, why.as_str()) {
                    (Leg::Server, TIME_OUT) => Disposition::Failed("time_out_server_handshake".to_owned()),
                    (Leg::Server, _) => Disposition::Failed("server_tls_failed".to_owned()),
                    (Leg::Client, TIME_OUT) => Disposition::Refused("time_out_client_handshake".to_owned()),
                    (Leg::Client, _) => Disposition::Failed("client_tls_failed".to_owned()),
                };
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                self.client.abandon();
                self.server.abandon();
                return Err(disposition);
            }
        }
        self.input(Input::NextHopConnected);
        Ok(())
    }

    /// Starts TLS with the originator alone, so that it can be told that there is no next hop; says whether that was
    /// possible. A leaf cannot be minted after nothing.
    pub(crate) async fn start_tls_to_say_no(&mut self) -> bool {
        let tls = &self.context.resource.tls;
        if !tls.serves() || tls.mints() {
            return false;
        }
        match self.handshake(Leg::Client).await {
            Ok(()) => true,
            Err(why) => {
                let leg = Leg::Client;
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                false
            }
        }
    }

    /// Starts TLS on a leg. Nothing of the plaintext survives it (RFC 3207 §4.2).
    pub(super) async fn start_tls(&mut self, leg: Leg) {
        // Before the peer is told to begin: what came until then is no handshake.
        match self.leg(leg).nothing_waits() {
            Ok(()) => {}
            Err(UpgradeError::Extra) => {
                self.leg(leg).forget_output();
                self.input(Input::Extra(leg));
                return;
            }
            Err(_) => {
                self.abandon(leg);
                return;
            }
        }
        self.flush(leg).await;
        if !self.leg(leg).is_open() {
            return;
        }
        match self.handshake(leg).await {
            Ok(()) => self.input(Input::Upgraded(leg)),
            Err(why) => {
                let input = match (leg, why.as_str()) {
                    (Leg::Server, TIME_OUT) => Input::Expired(Timeout::ServerHandshake),
                    (Leg::Client, TIME_OUT) => Input::Expired(Timeout::ClientHandshake),
                    _ => Input::UpgradeFailed(leg),
                };
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                self.leg(leg).abandon();
                self.input(input);
            }
        }
    }

    pub(super) async fn handshake(&mut self, leg: Leg) -> Result<(), String> {
        let tcp = self.leg(leg).take_plain().map_err(|error| error.to_string())?;
        let Context { setup, resource, next_hop, .. } = &self.context;
        let which = match leg {
            Leg::Client => Timeout::ClientHandshake,
            Leg::Server => Timeout::ServerHandshake,
        };
        let limit = setup.timeouts.of(which);
        let facts: TlsFacts = match leg {
            Leg::Server => {
                let handshake = timeout(limit, Box::pin(resource.tls.connect(tcp, *next_hop))).await;
                let (stream, facts, certificate) = in_time(handshake)?;
                self.server.connect(Stream::ClientTls(Box::new(stream)));
                self.server_in_tls = true;
                self.replies = ReplyReader::new();
                self.certificate = Some(certificate);
                facts
            }
            Leg::Client => {
                let pattern = self.certificate.as_ref();
                let handshake = timeout(limit, Box::pin(resource.tls.accept(tcp, pattern))).await;
                let (stream, facts) = in_time(handshake)?;
                self.client.connect(Stream::ServerTls(Box::new(stream)));
                self.lines = LineReader::new(AUTH_LINE_OCTETS);
                self.certificate = None;
                self.facts = OriginatorFacts {
                    tls: Some((facts.version.clone(), facts.cipher.clone())),
                    ..OriginatorFacts::default()
                };
                facts
            }
        };
        self.alarm.restart(leg);
        self.context.ledger.record(None, SessionEvent::Tls { leg, facts });
        Ok(())
    }
}

/// The outcome of a handshake that may have taken too long.
fn in_time<T>(handshake: Result<Result<T, TlsError>, tokio::time::error::Elapsed>) -> Result<T, String> {
    match handshake {
        Ok(outcome) => outcome.map_err(|error| error.reason().to_owned()),
        Err(_) => Err(TIME_OUT.to_owned()),
    }
}

/// Why there is no TLS on a leg whose handshake took too long.
const TIME_OUT: &str = "time_out";
