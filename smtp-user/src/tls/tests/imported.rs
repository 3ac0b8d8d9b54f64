//! The originator verifies the imported certificate under the names it knows.

use super::*;

#[tokio::test]
async fn the_imported_certificate_is_shown_whatever_name_is_asked_for() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com", "mail.example.com"], false);
    let gateway = imported(&pair);
    let client = originator(&ca.pem, all());
    for name in ["mx.example.com", "mail.example.com"] {
        let (served, seen) = answer(&gateway, None, &client, name).await;
        let (_, facts) = served.unwrap();
        assert_eq!(seen.unwrap().chain[0], pair.identity().certificate());
        assert_eq!((facts.version.as_str(), facts.server_name.as_deref()), ("TLSv1.3", Some(name)));
        assert_eq!((facts.cipher.as_str(), facts.key_bits), ("TLS_AES_128_GCM_SHA256", 128));
        let certificate = facts.certificate.unwrap();
        assert_eq!(certificate.names, ["mx.example.com", "mail.example.com"]);
        assert_eq!(certificate.subject, "O=Example Hosting, CN=mx");
        assert_eq!(certificate.issuer, "CN=Public CA");
        assert_eq!(certificate.not_before, "2020-01-02T00:00:00Z");
        assert_eq!(facts.verified, None);
    }
}

#[tokio::test]
async fn an_originator_that_does_not_trust_it_is_told_apart() {
    let pair = OtherCa::new().sign(&["mx.example.com"], false);
    let client = originator(&OtherCa::named("Other CA").pem, all());
    let (served, seen) = answer(&imported(&pair), None, &client, "mx.example.com").await;
    assert!(seen.is_err());
    let error = served.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::Originator, "certificate_refused_by_peer"));
    assert!(error.to_string().ends_with("with the alert unknown_ca"), "{error}");
}

#[tokio::test]
async fn without_tls_nothing_is_answered() {
    let gateway = context(OriginatorTls::Off, NextHopTls::default());
    assert!(!gateway.serves());
    let (ours, _theirs) = duplex(PIPE);
    assert_eq!(gateway.accept(ours, None).await.err().unwrap().reason(), "tls_off");
}
