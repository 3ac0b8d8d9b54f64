//! Verification of the next hop: enforced, or recorded.

use super::*;

#[tokio::test]
async fn a_certificate_that_proves_the_name_is_verified() {
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    let (_, facts, certificate) =
        call(&toward(&ca, "mx.example.com", true), &next_hop(&pair, all())).await.unwrap();
    assert_eq!(facts.verified.as_deref(), Some("verified"));
    assert_eq!(facts.server_name.as_deref(), Some("mx.example.com"));
    assert_eq!(facts.certificate.unwrap().names, ["mx.example.com"]);
    assert_eq!(certificate.end_entity().unwrap().as_ref(), pair.identity().certificate());
}

#[tokio::test]
async fn without_a_name_the_address_must_be_in_the_certificate() {
    let ca = OtherCa::new();
    let gateway = |verify| {
        let next_hop = NextHopTls { verify, trust: Some(ca.trust()), server_name: None };
        context(OriginatorTls::Off, next_hop)
    };
    let pair = ca.sign(&["192.0.2.25"], false);
    let (_, facts, _) = call(&gateway(true), &next_hop(&pair, all())).await.unwrap();
    assert_eq!((facts.verified.as_deref(), facts.server_name), (Some("verified"), None));
    let other = ca.sign(&["192.0.2.26"], false);
    let error = call(&gateway(true), &next_hop(&other, all())).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "certificate_name_mismatch"));
}

#[tokio::test]
async fn what_verified_refuses_is_recorded_by_opportunistic() {
    let ca = OtherCa::new();
    let expired = ca.sign(&["mx.example.com"], true);
    let wrong_name = ca.sign(&["mx.example.net"], false);
    let stranger = OtherCa::named("Other CA").sign(&["mx.example.com"], false);
    for (pair, reason) in [
        (&expired, "certificate_expired"),
        (&wrong_name, "certificate_name_mismatch"),
        (&stranger, "certificate_unknown_issuer"),
    ] {
        let server = next_hop(pair, all());
        let error = call(&toward(&ca, "mx.example.com", true), &server).await.err().unwrap();
        assert_eq!(party_and_reason(&error), (Party::NextHop, reason));
        let (_, facts, certificate) = call(&toward(&ca, "mx.example.com", false), &server).await.unwrap();
        assert_eq!(facts.verified.as_deref(), Some(reason));
        assert_eq!(certificate.end_entity().unwrap().as_ref(), pair.identity().certificate());
    }
}

#[tokio::test]
async fn somebody_elses_certificate_is_refused_by_opportunistic_too() {
    // The certificate of one server, shown with the key of another: only the handshake's signature tells.
    let ca = OtherCa::new();
    let (theirs, own) = (ca.sign(&["mx.example.com"], false), ca.sign(&["mx.example.com"], false));
    let (theirs, own) = (theirs.identity(), own.identity());
    let stolen =
        rustls::sign::CertifiedKey::new(theirs.certified().cert.clone(), Arc::clone(&own.certified().key));
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(all())
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
    let error = call(&toward(&ca, "mx.example.com", false), &Arc::new(config)).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "certificate_bad_signature"));
}

#[test]
fn a_file_without_cas_is_no_trust() {
    let nobody = crate::tls::trust::TrustAnchors::from_pem(b"").unwrap_err();
    assert_eq!(nobody, crate::tls::setup_error::TlsSetupError::NoCertificate);
}
