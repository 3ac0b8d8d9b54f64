//! Next hops whose own side says by TLSA records who they are.

use super::*;
use crate::model::tls_demand::TlsDemand;
use crate::model::tlsa::{DaneDemand, TlsaRecord};
use crate::tls::provider::sha256;

fn demand(records: Vec<TlsaRecord>) -> TlsDemand {
    let (base, names) = ("mx.example.com".to_owned(), vec!["mx.example.com".to_owned()]);
    TlsDemand::Dane(Arc::new(DaneDemand { records, base, names }))
}

fn whole(usage: u8, certificate: &[u8]) -> TlsaRecord {
    TlsaRecord { usage, selector: 0, matching: 1, data: sha256(certificate).to_vec() }
}

/// Calls a next hop that is known as an alias, with anchors that are not its own's.
async fn call_with(demand: &TlsDemand, server: &Arc<ServerConfig>) -> Called {
    let trust = Some(OtherCa::named("Elsewhere").trust());
    let gateway = context(OriginatorTls::Off, NextHopTls { verify: false, trust, server_name: None });
    call_by(server, async |ours| gateway.connect_as(ours, next_hop_address(), "alias.example", demand).await)
        .await
}

#[tokio::test]
async fn a_certificate_that_a_record_is_about_is_verified_in_every_version() {
    let pair = OtherCa::new().sign(&["elsewhere.example"], true);
    let demand = demand(vec![whole(3, pair.identity().certificate())]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (_, facts, _) = call_with(&demand, &next_hop(&pair, &[version])).await.unwrap();
        assert_eq!(facts.verified.as_deref(), Some("verified"));
        assert_eq!(facts.server_name.as_deref(), Some("mx.example.com"), "the name that records stand at");
        let (_, again, _) = call_with(&demand, &next_hop(&pair, &[version])).await.unwrap();
        assert!(!again.resumed);
    }
}

#[tokio::test]
async fn one_that_no_record_is_about_is_refused() {
    let ca = OtherCa::new();
    let (pair, other) = (ca.sign(&["mx.example.com"], false), ca.sign(&["mx.example.com"], false));
    for usage in [2, 3] {
        let demand = demand(vec![whole(usage, other.identity().certificate())]);
        let error = call_with(&demand, &next_hop(&pair, all())).await.err().unwrap();
        assert_eq!(party_and_reason(&error), (Party::NextHop, "tlsa_mismatch"));
    }
}

#[tokio::test]
async fn trust_anchors_of_others_verify_nothing() {
    // Believed by the resource, and signed for the right name: no record is about it.
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    let gateway = toward(&ca, "mx.example.com", true);
    let demand = demand(vec![whole(2, b"another certificate")]);
    let server = next_hop(&pair, all());
    let called = call_by(&server, async |ours| {
        gateway.connect_as(ours, next_hop_address(), "mx.example.com", &demand).await
    });
    let error = called.await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "tlsa_mismatch"));
}

#[tokio::test]
async fn a_domains_policy_has_the_host_prove_the_name_that_dns_has_for_it() {
    let ca = OtherCa::new();
    let gateway = |name: &str| toward(&ca, name, false);
    for (names, believed) in [(["alias.example"], true), (["mx.example.com"], false)] {
        let server = next_hop(&ca.sign(&names, false), all());
        // What the resource calls it does not count, and neither does that it would do unverified.
        let gateway = gateway("mx.example.com");
        let called = call_by(&server, async |ours| {
            gateway.connect_as(ours, next_hop_address(), "alias.example", &TlsDemand::MtaSts).await
        });
        match called.await {
            Ok((_, facts, _)) => assert!(believed && facts.verified.as_deref() == Some("verified")),
            Err(error) => {
                assert!(!believed, "{error}");
                assert_eq!(party_and_reason(&error), (Party::NextHop, "certificate_name_mismatch"));
            }
        }
    }
}

#[tokio::test]
async fn records_that_cannot_be_used_ask_for_encryption_alone() {
    let pair = OtherCa::new().sign(&["elsewhere.example"], true);
    let demand = demand(vec![whole(1, pair.identity().certificate())]);
    let (_, facts, _) = call_with(&demand, &next_hop(&pair, all())).await.unwrap();
    assert_ne!(facts.verified.as_deref(), Some("verified"));
}

#[tokio::test]
async fn a_certificate_shown_with_anothers_key_is_refused() {
    let ca = OtherCa::new();
    let (theirs, own) = (ca.sign(&["mx.example.com"], false), ca.sign(&["mx.example.com"], false));
    let (theirs, own) = (theirs.identity(), own.identity());
    let chain = theirs.certified().cert.clone();
    let stolen = rustls::sign::CertifiedKey::new(chain, Arc::clone(&own.certified().key));
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(all())
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
    let demand = demand(vec![whole(3, theirs.certificate())]);
    let error = call_with(&demand, &Arc::new(config)).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "certificate_bad_signature"));
}
