//! STARTTLS and implicit TLS on both legs: the next hop first, nothing of the plaintext survives, and no leg is weaker
//! than the other.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use super::dialogue::{Dialogue, eicar};
use super::next_hop::{Manner, NextHop};
use super::rig::{Plan, Rig};
use crate::event::session_event::SessionEvent;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::server_tls::ServerTls;
use crate::tls::config::OriginatorTls;
use crate::tls::test_certificates::{OtherCa, authority};

/// A next hop that speaks TLS, and the CA that its certificate is of.
fn acceptor() -> (TlsAcceptor, OtherCa) {
    let ca = OtherCa::new();
    let pair = ca.sign(&["hop.example"], false);
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca)
}

/// An originator that believes one CA.
async fn upgrade(stream: TcpStream, ca_pem: &str) -> std::io::Result<client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("hop.example").unwrap(), stream).await
}

/// A rig that mints, and the CA to believe.
fn minting(next_hop: &NextHop) -> (Plan, String) {
    let (authority, pem) = authority();
    let mut plan = Plan::to(next_hop.address);
    plan.tls.originator = OriginatorTls::Mint(authority);
    (plan, pem)
}

fn tls_legs(rig: &Rig) -> Vec<Leg> {
    rig.records()
        .into_iter()
        .filter_map(|record| match record.event {
            SessionEvent::Tls { leg, .. } => Some(leg),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn both_legs_are_upgraded_and_mail_is_judged_within() {
    let (acceptor, _) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let (plan, ca) = minting(&hop);
    let rig = plan.build();
    let mut plain = Dialogue::call(rig.address).await;
    assert!(plain.begin().await.contains("STARTTLS"));
    plain.ask("STARTTLS", "220").await;
    let mut client = Dialogue::new(upgrade(plain.stream, &ca).await.unwrap());
    let keywords = client.ask("EHLO client.example", "250").await;
    assert!(!keywords.contains("STARTTLS"), "{keywords}");
    let infected = format!("Subject: x\r\n\r\n{}", eicar());
    assert!(client.mail(&infected).await.starts_with("554 5.7.1 "));
    assert!(client.mail("Subject: y\r\n\r\nz").await.starts_with("250 2.0.0 taken"));
    client.ask("QUIT", "221").await;
    assert_eq!(rig.accounts(1).await, [Disposition::Inspected]);
    assert_eq!(tls_legs(&rig), [Leg::Server, Leg::Client]);
    let mail = hop.mail();
    assert_eq!(mail.len(), 1);
    assert!(mail[0].in_tls);
    let text = String::from_utf8(mail[0].octets.clone()).unwrap();
    assert!(text.contains(" with ESMTPS\r\n\t(TLSv1.3 TLS_"), "{text}");
    assert!(text.ends_with("\r\nSubject: y\r\n\r\nz\r\n"), "{text}");
}

#[tokio::test]
async fn plaintext_behind_starttls_is_never_a_command() {
    for injected in ["NOOP\r\n", "EHLO x\r\nMAIL FROM:<evil@x.example>\r\n", "\x16"] {
        let (acceptor, _) = acceptor();
        let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
        let (plan, _) = minting(&hop);
        let rig = plan.build();
        let mut client = Dialogue::call(rig.address).await;
        client.begin().await;
        client.send(format!("STARTTLS\r\n{injected}")).await;
        let reply = client.reply().await;
        assert!(!reply.starts_with("220"), "{injected:?}: {reply}");
        while !client.reply().await.is_empty() {}
        let accounts = rig.accounts(1).await;
        assert!(!matches!(accounts[0], Disposition::Inspected), "{accounts:?}");
        assert!(!hop.commands().iter().any(|command| command.contains("evil") || command.contains("NOOP")));
    }
}

#[tokio::test]
async fn plaintext_behind_the_next_hops_220_ends_the_session() {
    let (acceptor, _) = acceptor();
    let manner = Manner { tls: Some(acceptor), injected: "\r\n250 AUTH EVIL", ..Manner::default() };
    let hop = NextHop::start(manner).await;
    let (plan, _) = minting(&hop);
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    let reply = client.ask("STARTTLS", "4").await;
    assert!(!reply.contains("EVIL"), "{reply}");
    assert!(matches!(rig.accounts(1).await[0], Disposition::Failed(_)));
    assert_eq!(tls_legs(&rig), []);
}

#[tokio::test]
async fn an_envelope_from_before_the_upgrade_is_forgotten() {
    let (acceptor, _) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let (plan, ca) = minting(&hop);
    let rig = plan.build();
    let mut plain = Dialogue::call(rig.address).await;
    plain.begin().await;
    plain.ask("STARTTLS", "220").await;
    let mut client = Dialogue::new(upgrade(plain.stream, &ca).await.unwrap());
    client.ask("MAIL FROM:<a@client.example>", "503").await;
    client.ask("DATA", "503").await;
    client.ask("QUIT", "221").await;
}

#[tokio::test]
async fn a_next_hop_that_must_be_in_tls_is_upgraded_without_being_asked() {
    let (acceptor, _) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let rig = Plan { server_tls: ServerTls::Required, ..Plan::to(hop.address) }.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    assert!(client.mail("Subject: y\r\n\r\nz").await.starts_with("250 2.0.0 taken"));
    client.ask("QUIT", "221").await;
    rig.accounts(1).await;
    assert_eq!(tls_legs(&rig), [Leg::Server]);
    assert!(hop.mail()[0].in_tls);
}

#[tokio::test]
async fn a_certificate_that_must_verify_and_does_not_lets_no_mail_through() {
    let (acceptor, _) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let mut plan = Plan { server_tls: ServerTls::Verified, ..Plan::to(hop.address) };
    plan.tls.next_hop.verify = true;
    plan.tls.next_hop.trust = Some(OtherCa::named("Another CA").trust());
    plan.tls.next_hop.server_name = Some(ServerName::try_from("hop.example").unwrap());
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    client.expect("220").await;
    client.send("EHLO client.example\r\n").await;
    let mut last = client.reply().await;
    if last.starts_with("250") {
        client.send("MAIL FROM:<a@client.example>\r\n").await;
        last = client.reply().await;
    }
    assert!(last.starts_with('4'), "{last}");
    drop(client);
    rig.accounts(1).await;
    assert!(hop.mail().is_empty());
    assert!(!hop.commands().iter().any(|command| command.starts_with("MAIL")));
}

#[tokio::test]
async fn an_originator_that_does_not_believe_our_certificate_is_accounted_for() {
    let (acceptor, ca) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let (plan, _) = minting(&hop);
    let rig = plan.build();
    let mut plain = Dialogue::call(rig.address).await;
    plain.begin().await;
    plain.ask("STARTTLS", "220").await;
    upgrade(plain.stream, &ca.pem).await.unwrap_err();
    let accounts = rig.accounts(1).await;
    assert!(!matches!(accounts[0], Disposition::Inspected | Disposition::Bypassed(_)), "{accounts:?}");
    let why = rig.records().into_iter().find_map(|record| match record.event {
        SessionEvent::TlsFailed { leg, why } => Some((leg, why)),
        _ => None,
    });
    assert_eq!(why, Some((Leg::Client, "certificate_refused_by_peer".to_owned())));
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut() {
    let (acceptor, _) = acceptor();
    let hop = NextHop::start(Manner { tls: Some(acceptor), ..Manner::default() }).await;
    let (mut plan, _) = minting(&hop);
    plan.timeouts.set(crate::limits::Timeout::ClientHandshake, std::time::Duration::from_millis(200));
    let rig = plan.build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.ask("STARTTLS", "220").await;
    client.stream.write_all(&[0x16, 3]).await.unwrap();
    client.expect_end().await;
    rig.accounts(1).await;
}
