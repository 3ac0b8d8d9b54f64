//! Policies are got, kept, and held on to; and they decide who gets mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Policies;
use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::route::{Care, Router};
use crate::delivery::settings::Settings;
use crate::dns::Dns;
use crate::dns::fixture::Zone;
use crate::dns::validated::ValidatedDns;
use crate::model::server_tls::ServerTls;
use crate::model::tls_demand::TlsDemand;
use crate::tls::mta_sts::PolicyFolder;
use crate::tls::test_certificates::OtherCa;
use crate::tls::web::WebTls;

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 1000\n";
const NOW: u64 = 1_000_000;

/// A web server that always says the same, and counts how often.
struct Web {
    port: u16,
    asked: Arc<AtomicUsize>,
    ca: OtherCa,
}

impl Web {
    async fn start(name: &str, status: &str, text: &str) -> Self {
        let ca = OtherCa::new();
        let identity = ca.sign(&[name], false).identity();
        let config =
            ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified().as_ref().clone())));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                assert!(
                    request
                        .starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.a.example\r\n")
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { port, asked, ca }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn policies(&self, zone: Zone, folder: &tempfile::TempDir) -> Policies {
        let dns = Dns::new(&[zone.serve().await]).unwrap();
        let folder = PolicyFolder::new(folder.path().join("sts"));
        let tls = WebTls::new(&self.ca.trust()).unwrap();
        Policies { port: self.port, ..Policies::new(dns, folder, tls) }
    }
}

fn zone(id: &str) -> Zone {
    Zone::default()
        .text("_mta-sts.a.example", &format!("v=STSv1; id={id};"))
        .address("mta-sts.a.example", "127.0.0.1")
        .mx("a.example", 10, "mx.a.example.")
        .address("mx.a.example", "192.0.2.1")
        .address("other.example", "192.0.2.2")
}

#[tokio::test]
async fn a_policy_is_got_once_and_held_on_to_when_dns_and_web_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start("mta-sts.a.example", "200 OK", POLICY).await;
    let policies = web.policies(zone("1"), &folder).await;
    assert!(policies.enforced("a.example", NOW).await.unwrap().knows("mx.a.example"));
    assert!(policies.enforced("a.example", NOW + 1).await.is_some());
    assert_eq!(web.asked(), 1, "the id is the same");
    let gone = Web::start("mta-sts.a.example", "503 Gone", "").await;
    for zone in [Zone::default(), Zone::default().failing("_mta-sts.a.example"), zone("2")] {
        let policies = gone.policies(zone, &folder).await;
        assert!(policies.enforced("a.example", NOW + 999).await.is_some());
        assert!(policies.enforced("a.example", NOW + 1000).await.is_none(), "its time is over");
    }
    assert_eq!(gone.asked(), 1, "one that fails is left alone for a while");
}

#[tokio::test]
async fn another_id_brings_another_policy() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start("mta-sts.a.example", "200 OK", POLICY).await;
    assert!(web.policies(zone("1"), &folder).await.enforced("a.example", NOW).await.is_some());
    for mode in ["testing", "none"] {
        let text = POLICY.replace("enforce", mode);
        let web = Web::start("mta-sts.a.example", "200 OK", &text).await;
        let policies = web.policies(zone(mode), &folder).await;
        assert!(policies.enforced("a.example", NOW + 1).await.is_none(), "{mode}");
        assert_eq!(web.asked(), 1);
    }
}

#[tokio::test]
async fn only_a_server_that_proves_its_name_says_what_the_policy_is() {
    for (name, status, text) in [
        ("a.example", "200 OK", POLICY.to_owned()),
        ("mta-sts.b.example", "200 OK", POLICY.to_owned()),
        ("mta-sts.a.example", "301 Moved", POLICY.to_owned()),
        ("mta-sts.a.example", "200 OK", "<html>".to_owned()),
        ("mta-sts.a.example", "200 OK", format!("{POLICY}{}", "x:y\n".repeat(20_000))),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let web = Web::start(name, status, &text).await;
        let policies = web.policies(zone("1"), &folder).await;
        assert!(policies.enforced("a.example", NOW).await.is_none(), "{name} {status}");
        assert_eq!(web.asked(), 1);
        let stranger = Policies { tls: WebTls::new(&OtherCa::new().trust()).unwrap(), ..policies };
        stranger.failed().clear();
        assert!(stranger.enforced("a.example", NOW).await.is_none());
    }
}

#[tokio::test]
async fn a_domain_that_says_nothing_is_not_asked_for_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start("mta-sts.a.example", "200 OK", POLICY).await;
    for zone in [
        Zone::default().address("mta-sts.a.example", "127.0.0.1"),
        zone("1").text("_mta-sts.a.example", "v=STSv1; id=2;"),
    ] {
        assert!(web.policies(zone, &folder).await.enforced("a.example", NOW).await.is_none());
    }
    assert_eq!(web.asked(), 0);
}

/// What is asked of the first host of `a.example`.
async fn asked(policies: &Policies, zone: Zone, level: ServerTls) -> Result<TlsDemand, Failure> {
    let server = zone.serve().await;
    let router = Router {
        dns: Dns::new(&[server]).unwrap(),
        validated: Some(ValidatedDns::new(&[server]).unwrap()),
        hostname: "gw.example".to_owned(),
    };
    let care = Care { level, policies: Some(policies), now: NOW * 1_000_000 };
    let settings = Settings::default();
    let destination = Destination::Domain("r".to_owned(), "a.example".to_owned());
    let hosts = router.hosts(&destination, &settings, care, 1).await?;
    Ok(router.peers(&hosts[0], &settings, level).await?.remove(0).demand)
}

#[tokio::test]
async fn mail_exchangers_that_the_policy_names_prove_their_names_and_others_get_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start("mta-sts.a.example", "200 OK", POLICY).await;
    let policies = web.policies(zone("1"), &folder).await;
    for level in [ServerTls::Opportunistic, ServerTls::Required, ServerTls::Dane] {
        assert_eq!(asked(&policies, zone("1"), level).await, Ok(TlsDemand::MtaSts), "{level:?}");
    }
    let meddled = zone("1").mx("a.example", 5, "other.example.");
    let failure = asked(&policies, meddled, ServerTls::Opportunistic).await.unwrap_err();
    assert_eq!((failure.permanent, failure.reply.status.as_str()), (false, "4.7.5"));
}

#[tokio::test]
async fn tlsa_records_go_before_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start("mta-sts.a.example", "200 OK", POLICY).await;
    let policies = web.policies(zone("1"), &folder).await;
    let signed = zone("1").tlsa("mx.a.example", 25, [3, 1, 1], &[1; 32]).signed();
    assert!(matches!(asked(&policies, signed.clone(), ServerTls::Dane).await, Ok(TlsDemand::Dane(_))));
    assert_eq!(asked(&policies, signed, ServerTls::Opportunistic).await, Ok(TlsDemand::MtaSts));
    let bogus = zone("1").signed().failing("_25._tcp.mx.a.example");
    assert!(asked(&policies, bogus, ServerTls::Dane).await.is_err());
}
