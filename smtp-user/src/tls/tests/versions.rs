//! TLS 1.2 and 1.3, and what happens when a resource wants 1.3.

use rustls::version::{TLS12, TLS13};

use super::*;

#[tokio::test]
async fn both_versions_are_taken_on_both_legs() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    for (version, name, prefix, bits) in [
        (&TLS12, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_", 256),
        (&TLS13, "TLSv1.3", "TLS_AES_128_GCM_SHA256", 128),
    ] {
        let (served, seen) =
            answer(&imported(&pair), None, &originator(&ca.pem, &[version]), "mx.example.com").await;
        seen.unwrap();
        let (_, called, _) =
            call(&toward(&ca, "mx.example.com", false), &next_hop(&pair, &[version])).await.unwrap();
        for facts in [served.unwrap().1, called] {
            assert_eq!(facts.version, name);
            assert!(facts.cipher.starts_with(prefix), "{}", facts.cipher);
            assert_eq!(facts.key_bits, bits);
        }
    }
}

#[tokio::test]
async fn a_peer_that_is_too_old_is_told_apart() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    let trust = NextHopTls { trust: Some(ca.trust()), ..NextHopTls::default() };
    let gateway = TlsContext::new(Config {
        originator: OriginatorTls::Imported(pair.identity()),
        next_hop: trust,
        min_version: MinVersion::Tls13,
    })
    .unwrap();
    let (served, _) = answer(&gateway, None, &originator(&ca.pem, &[&TLS12]), "mx.example.com").await;
    assert_eq!(party_and_reason(&served.err().unwrap()), (Party::Originator, "no_shared_version"));
    let error = call(&gateway, &next_hop(&pair, &[&TLS12])).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "no_shared_version"));
}
