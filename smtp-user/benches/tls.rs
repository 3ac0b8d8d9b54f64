//! What TLS on both legs costs: handshakes, resumption, minting, bulk octets, and the memory of idle sessions.
//!
//! `cargo bench -p smtp-user --bench tls`. Originator, gateway and next hop share one thread; only the time in which
//! the gateway's own futures are polled is counted, by the thread's processor clock, so that neither the peers nor
//! other programs are in the figures. The peers are joined by socket pairs, whose system calls are counted.

#![expect(clippy::unwrap_used, reason = "a measurement that fails says so and ends")]

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use smtp_user::tls::authority::{Authority, NewAuthority};
use smtp_user::tls::config::{Config, MinVersion, NextHopTls, OriginatorTls, TrustAnchors};
use smtp_user::tls::context::TlsContext;
use smtp_user::tls::next_hop_certificate::NextHopCertificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Handshakes measured of each kind.
const ROUNDS: u32 = 2000;
/// Idle sessions measured; four sockets each.
const IDLE: usize = 200;
/// Octets sent each way through the gateway.
const BULK: usize = 256 << 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{ROUNDS} rounds each; processor time of the gateway alone");
    for (name, groups) in [("X25519", false), ("X25519MLKEM768", true)] {
        let bench = Bench::new(groups);
        for (kind, resume) in [("full", false), ("resumed", true)] {
            let spent = runtime.block_on(bench.sessions(resume, ROUNDS));
            let micros = spent.as_secs_f64() * 1e6 / f64::from(ROUNDS);
            println!("session, both legs, {name}, {kind:<8}: {micros:7.1} us, {:6.0} a second", 1e6 / micros);
        }
    }
    let bench = Bench::new(false);
    println!("minting a leaf, with its configuration    : {:7.1} us", runtime.block_on(bench.minting()));
    let rate = runtime.block_on(bench.bulk());
    println!("bulk, decrypt and encrypt                 : {rate:7.0} MB/s");
    runtime.block_on(bench.idle());
}

/// Counts the processor time in which a future is polled.
struct Metered<F> {
    future: Pin<Box<F>>,
    spent: Rc<Cell<Duration>>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = processor_time();
        let result = self.future.as_mut().poll(context);
        self.spent.set(self.spent.get() + processor_time().saturating_sub(before));
        result
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn metered<F: Future>(spent: &Rc<Cell<Duration>>, future: F) -> Metered<F> {
    Metered { future: Box::pin(future), spent: Rc::clone(spent) }
}

struct Bench {
    originator: Arc<ClientConfig>,
    /// The same, but it remembers nothing.
    stranger: Arc<ClientConfig>,
    next_hop: Arc<ServerConfig>,
    /// The same, but it gives no tickets.
    forgetful: Arc<ServerConfig>,
    authority: Arc<Authority>,
    trust: Arc<TrustAnchors>,
}

impl Bench {
    fn new(post_quantum: bool) -> Self {
        let ca = NewAuthority::generate("Public CA", 100).unwrap();
        let ca_key = KeyPair::from_pem(&ca.key).unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_pem(&ca.certificate, ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["mx.example.com".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let ours = NewAuthority::generate("Our CA", 100).unwrap();

        let mut provider = default_provider();
        if !post_quantum {
            provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1];
        }
        let provider = Arc::new(provider);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ours.certificate.as_bytes()).unwrap()).unwrap();
        let mut originator = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut stranger = originator.clone();
        stranger.resumption = Resumption::disabled();
        originator.resumption = Resumption::in_memory_sessions(8);
        let mut next_hop = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let mut forgetful = next_hop.clone();
        forgetful.send_tls13_tickets = 0;
        next_hop.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        Self {
            originator: Arc::new(originator),
            stranger: Arc::new(stranger),
            next_hop: Arc::new(next_hop),
            forgetful: Arc::new(forgetful),
            authority: Arc::new(
                Authority::from_pem(ours.certificate.as_bytes(), ours.key.as_bytes()).unwrap(),
            ),
            trust: Arc::new(TrustAnchors::from_pem(ca.certificate.as_bytes()).unwrap()),
        }
    }

    fn gateway(&self) -> TlsContext {
        TlsContext::new(Config {
            originator: OriginatorTls::Mint(Arc::clone(&self.authority)),
            next_hop: NextHopTls {
                verify: true,
                trust: Some(Arc::clone(&self.trust)),
                server_name: Some(ServerName::try_from("mx.example.com").unwrap()),
            },
            min_version: MinVersion::Tls12,
        })
        .unwrap()
    }

    /// Next hop first, then the originator with a minted leaf, as in a session; an octet each way.
    async fn sessions(&self, resume: bool, rounds: u32) -> Duration {
        let gateway = self.gateway();
        let (client, server) =
            if resume { (&self.originator, &self.next_hop) } else { (&self.stranger, &self.forgetful) };
        let spent = Rc::new(Cell::new(Duration::ZERO));
        for round in 0..=rounds {
            if round == 1 {
                // The first minted the leaf and made the sessions.
                spent.set(Duration::ZERO);
            }
            let session = self.session(&gateway, client, server, &spent).await;
            assert_eq!(session.resumed, [resume && round > 0; 2]);
        }
        spent.get()
    }

    async fn session(
        &self,
        gateway: &TlsContext,
        client: &Arc<ClientConfig>,
        server: &Arc<ServerConfig>,
        spent: &Rc<Cell<Duration>>,
    ) -> Session {
        let (to_next_hop, at_next_hop) = UnixStream::pair().unwrap();
        let (at_originator, from_originator) = UnixStream::pair().unwrap();
        let serve = async {
            let mut stream = TlsAcceptor::from(Arc::clone(server)).accept(at_next_hop).await.unwrap();
            let mut octet = [0];
            stream.read_exact(&mut octet).await.unwrap();
            stream.write_all(&octet).await.unwrap();
            stream
        };
        let call = async {
            let name = ServerName::try_from("mx.example.com").unwrap();
            let mut stream =
                TlsConnector::from(Arc::clone(client)).connect(name, at_originator).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
            stream
        };
        let relay = metered(spent, async {
            let (mut up, up_facts, pattern) = gateway.connect(to_next_hop, NEXT_HOP).await.unwrap();
            let (mut down, down_facts) = gateway.accept(from_originator, Some(&pattern)).await.unwrap();
            let mut octet = [0];
            down.read_exact(&mut octet).await.unwrap();
            up.write_all(&octet).await.unwrap();
            up.read_exact(&mut octet).await.unwrap();
            down.write_all(&octet).await.unwrap();
            (up, down, [up_facts.resumed, down_facts.resumed], pattern)
        });
        let (next_hop, originator, (up, down, resumed, pattern)) = tokio::join!(serve, call, relay);
        Session { resumed, pattern, streams: (next_hop, originator, up, down) }
    }

    /// Leaves for a hundred certificates, shown to originators who go away at once.
    async fn minting(&self) -> f64 {
        let spent = Rc::new(Cell::new(Duration::ZERO));
        let gateway = self.gateway();
        let pattern = self.session(&gateway, &self.stranger, &self.forgetful, &spent).await.pattern;
        spent.set(Duration::ZERO);
        for _ in 0..100 {
            let gateway = self.gateway();
            let (ours, theirs) = UnixStream::pair().unwrap();
            drop(theirs);
            // Fails for want of a hello, after the leaf was minted.
            metered(&spent, gateway.accept(ours, Some(&pattern))).await.unwrap_err();
        }
        spent.get().as_secs_f64() * 1e6 / 100.0
    }

    /// From the originator to the next hop, 16 KiB at a time. Million octets a second.
    async fn bulk(&self) -> f64 {
        let gateway = self.gateway();
        let spent = Rc::new(Cell::new(Duration::ZERO));
        let session = self.session(&gateway, &self.stranger, &self.forgetful, &spent).await;
        let (mut next_hop, mut originator, mut up, mut down) = session.streams;
        spent.set(Duration::ZERO);
        let send = async {
            let block = vec![b'x'; 64 << 10];
            for _ in 0..BULK / block.len() {
                originator.write_all(&block).await.unwrap();
            }
            originator.shutdown().await.unwrap();
        };
        let receive = async {
            let mut block = vec![0; 64 << 10];
            while next_hop.read(&mut block).await.unwrap() > 0 {}
        };
        let relay = metered(&spent, async {
            let mut block = vec![0; 16 << 10];
            loop {
                let octets = down.read(&mut block).await.unwrap();
                if octets == 0 {
                    break;
                }
                up.write_all(block.get(..octets).unwrap()).await.unwrap();
            }
            up.shutdown().await.unwrap();
        });
        tokio::join!(send, receive, relay);
        BULK as f64 / spent.get().as_secs_f64() / 1e6
    }

    /// Half of what is taken is the peers': they have one leg of each kind, as the gateway has.
    async fn idle(&self) {
        let spent = Rc::new(Cell::new(Duration::ZERO));
        let gateway = self.gateway();
        let mut sessions = Vec::with_capacity(IDLE);
        for _ in 0..20 {
            sessions.push(self.session(&gateway, &self.originator, &self.next_hop, &spent).await);
        }
        let before = resident();
        for _ in 0..IDLE {
            sessions.push(self.session(&gateway, &self.originator, &self.next_hop, &spent).await);
        }
        let each = (resident() - before) as f64 / IDLE as f64 / 2.0;
        println!("memory of an idle session, TLS on both legs: {:6.1} KiB", each / 1024.0);
        drop(sessions);
    }
}

type Streams = (
    tokio_rustls::server::TlsStream<UnixStream>,
    tokio_rustls::client::TlsStream<UnixStream>,
    tokio_rustls::client::TlsStream<UnixStream>,
    tokio_rustls::server::TlsStream<UnixStream>,
);

struct Session {
    resumed: [bool; 2],
    pattern: NextHopCertificate,
    streams: Streams,
}

/// Octets of this process that are in memory.
fn resident() -> i64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

const NEXT_HOP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 25)), 25);
