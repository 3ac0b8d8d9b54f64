//! S24: sessions are resumed where they were made and nowhere else.

use rustls::version::{TLS12, TLS13};

use super::*;

#[tokio::test]
async fn a_ticket_of_one_resource_is_refused_at_another() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    for version in [&TLS12, &TLS13] {
        let (inbound, outbound) = (imported(&pair), imported(&pair));
        let client = originator(&ca.pem, &[version]);
        let mut resumed = Vec::new();
        for gateway in [&inbound, &inbound, &outbound] {
            let (served, seen) = answer(gateway, None, &client, "mx.example.com").await;
            let facts = served.unwrap().1;
            assert_eq!(seen.unwrap().resumed, facts.resumed);
            // A resumed session shows the same certificate, and the record says which.
            assert!(facts.certificate.is_some());
            resumed.push(facts.resumed);
        }
        assert_eq!(resumed, [false, true, false], "{version:?}");
    }
}

#[tokio::test]
async fn a_resumed_session_with_the_next_hop_knows_its_certificate() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    for version in [&TLS12, &TLS13] {
        for verify in [false, true] {
            let gateway = toward(&ca, "mx.example.com", verify);
            let server = next_hop(&pair, &[version]);
            let (_, first, certificate) = call(&gateway, &server).await.unwrap();
            let (_, second, again) = call(&gateway, &server).await.unwrap();
            assert_eq!((first.resumed, second.resumed), (false, true), "{version:?}");
            assert_eq!(certificate, again);
            assert_eq!(first.certificate, second.certificate);
            assert_eq!(second.verified.as_deref(), Some("verified"));
        }
    }
}

#[tokio::test]
async fn sessions_with_one_next_hop_are_not_offered_to_another() {
    let ca = OtherCa::new();
    let server = next_hop(&ca.sign(&["mx.example.com"], false), all());
    let gateway = toward(&ca, "mx.example.com", false);
    call(&gateway, &server).await.unwrap();
    // The same server under another address would resume if it were asked to.
    let (ours, theirs) = duplex(PIPE);
    let serve = TlsAcceptor::from(Arc::clone(&server)).accept(theirs);
    let connect = gateway.connect(ours, "192.0.2.26:25".parse().unwrap());
    let (served, connected) = tokio::join!(serve, connect);
    served.unwrap();
    assert!(!connected.unwrap().1.resumed);
    // Nor does another resource resume.
    let (_, facts, _) = call(&toward(&ca, "mx.example.com", false), &server).await.unwrap();
    assert!(!facts.resumed);
}
