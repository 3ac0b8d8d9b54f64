//! A next hop with which no TLS is to be had that its callers believe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::tls::test_certificates::OtherCa;

/// It offers STARTTLS.
pub(super) struct Untrusted {
    pub(super) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    upgrades: AtomicUsize,
    heard_more: AtomicUsize,
}

impl Untrusted {
    /// Whatever it says after its answer to STARTTLS is no TLS.
    pub(super) async fn talking_nonsense() -> Self {
        Self::listen(None).await
    }

    /// With a certificate of an authority that nobody knows.
    pub(super) async fn with_a_strangers_certificate() -> Self {
        let identity = OtherCa::named("Stranger").sign(&["127.0.0.1"], false).identity();
        let resolver = SingleCertAndKey::from(identity.certified().as_ref().clone());
        let config =
            ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(resolver));
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), counts: Arc::default() };
        let counts = Arc::clone(&this.counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&counts)));
            }
        });
        this
    }

    /// How often TLS was tried.
    pub(super) fn upgrades(&self) -> usize {
        self.counts.upgrades.load(Ordering::Relaxed)
    }

    /// How often anything but a greeting and the wish for TLS was heard, in plaintext or in TLS.
    pub(super) fn heard_more(&self) -> usize {
        self.counts.heard_more.load(Ordering::Relaxed)
    }
}

async fn converse(stream: TcpStream, acceptor: Option<TlsAcceptor>, counts: Arc<Counts>) -> Option<()> {
    let mut stream = BufStream::new(stream);
    let mut reply = "220 hop.example\r\n";
    loop {
        stream.write_all(reply.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        reply = match line.split_ascii_whitespace().next() {
            Some("EHLO") => "250-hop.example\r\n250 STARTTLS\r\n",
            Some("QUIT") => "221 bye\r\n",
            Some("STARTTLS") => break,
            _ => {
                counts.heard_more.fetch_add(1, Ordering::Relaxed);
                "502 what\r\n"
            }
        };
    }
    counts.upgrades.fetch_add(1, Ordering::Relaxed);
    let Some(acceptor) = acceptor else {
        stream.write_all(b"220 go on\r\n").await.ok()?;
        stream.flush().await.ok()?;
        let mut hello = [0; 1];
        stream.read_exact(&mut hello).await.ok()?;
        stream.write_all(b"500 what\r\n").await.ok()?;
        return stream.flush().await.ok();
    };
    stream.write_all(b"220 go on\r\n").await.ok()?;
    stream.flush().await.ok()?;
    let mut stream = acceptor.accept(stream).await.ok()?;
    if stream.read(&mut [0; 64]).await.is_ok_and(|octets| octets > 0) {
        counts.heard_more.fetch_add(1, Ordering::Relaxed);
    }
    Some(())
}
