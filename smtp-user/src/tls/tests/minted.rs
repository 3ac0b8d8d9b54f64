//! The minted leaf: the next hop's subject, names and validity; our issuer, key and signature.

use rcgen::{CertificateParams, SanType};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

async fn pattern(ca: &OtherCa, pair: &Pair) -> NextHopCertificate {
    call(&toward(ca, "mx.example.com", false), &next_hop(pair, all())).await.unwrap().2
}

#[tokio::test]
async fn subject_names_and_validity_are_the_next_hops_and_the_issuer_is_ours() {
    let ca = OtherCa::new();
    let mut params = CertificateParams::new(vec!["mx.example.com".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress("192.0.2.25".parse().unwrap()));
    let pair = ca.sign_params(params, "größer.example", false);
    let pattern = pattern(&ca, &pair).await;
    let (authority, our_pem) = authority();
    let gateway = context(OriginatorTls::Mint(authority), NextHopTls::default());
    assert!(gateway.serves() && gateway.mints());
    // The originator verifies chain, name and signature with our CA.
    let (served, seen) =
        answer(&gateway, Some(&pattern), &originator(&our_pem, all()), "mx.example.com").await;
    let (_, facts) = served.unwrap();
    let seen = seen.unwrap();
    assert_eq!(seen.chain.len(), 1);
    let identity = pair.identity();
    let (_, theirs) = X509Certificate::from_der(identity.certificate()).unwrap();
    let (_, ours) = X509Certificate::from_der(&seen.chain[0]).unwrap();
    assert_eq!(ours.subject().as_raw(), theirs.subject().as_raw());
    assert_eq!(ours.validity(), theirs.validity());
    let names = |c: &X509Certificate<'_>| {
        c.subject_alternative_name().unwrap().unwrap().value.clone().general_names.len()
    };
    assert_eq!((names(&ours), names(&theirs)), (2, 2));
    assert_eq!(ours.issuer().to_string(), "CN=Postern inspection CA");
    assert_ne!(ours.public_key().raw, theirs.public_key().raw);
    assert_eq!(facts.certificate.unwrap().names, ["mx.example.com", "192.0.2.25"]);
}

#[tokio::test]
async fn a_leaf_is_minted_once_and_anew_when_the_next_hop_changes() {
    let ca = OtherCa::new();
    let (authority, our_pem) = authority();
    let gateway = context(OriginatorTls::Mint(authority), NextHopTls::default());
    let client = originator(&our_pem, all());
    let mut leaves = Vec::new();
    let old = pattern(&ca, &ca.sign(&["mx.example.com"], false)).await;
    let new = pattern(&ca, &ca.sign(&["mx.example.com"], false)).await;
    for pattern in [&old, &old, &new] {
        let (_, seen) = answer(&gateway, Some(pattern), &client, "mx.example.com").await;
        let seen = seen.unwrap();
        leaves.push((seen.chain[0].clone(), seen.resumed));
    }
    assert_eq!(leaves[0].0, leaves[1].0);
    assert_ne!(leaves[0].0, leaves[2].0);
    // And a ticket of the old leaf is worth nothing at the new one.
    assert_eq!(leaves.iter().map(|(_, resumed)| *resumed).collect::<Vec<_>>(), [false, true, false]);
}

#[tokio::test]
async fn a_certificate_without_alternative_names_gives_a_leaf_with_them() {
    let ca = OtherCa::new();
    let (authority, our_pem) = authority();
    for (common_name, name) in
        [("mx.example.com", "mx.example.com"), ("192.0.2.9", "192.0.2.9"), ("The Server", "192.0.2.25")]
    {
        let pair = ca.sign_params(CertificateParams::default(), common_name, false);
        let pattern = pattern(&ca, &pair).await;
        let gateway = context(OriginatorTls::Mint(Arc::clone(&authority)), NextHopTls::default());
        let (served, seen) = answer(&gateway, Some(&pattern), &originator(&our_pem, all()), name).await;
        assert!(seen.is_ok(), "{common_name}");
        assert_eq!(served.unwrap().1.certificate.unwrap().names, [name]);
    }
}

#[tokio::test]
async fn an_expired_pattern_gives_an_expired_leaf() {
    let ca = OtherCa::new();
    let pattern = pattern(&ca, &ca.sign(&["mx.example.com"], true)).await;
    let (authority, our_pem) = authority();
    let gateway = context(OriginatorTls::Mint(authority), NextHopTls::default());
    let (served, _) = answer(&gateway, Some(&pattern), &originator(&our_pem, all()), "mx.example.com").await;
    let error = served.err().unwrap();
    assert!(matches!(&error, TlsError::Refused { alert, .. } if alert == "certificate_expired"), "{error}");
}

#[tokio::test]
async fn without_a_pattern_nothing_is_minted() {
    let gateway = context(OriginatorTls::Mint(authority().0), NextHopTls::default());
    let (ours, _theirs) = duplex(PIPE);
    let error = gateway.accept(ours, None).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::Local, "no_certificate_to_mint_after"));
}

#[tokio::test]
async fn a_leaf_is_known_by_the_key_that_signed_it() {
    let ca = OtherCa::new();
    let (authority, our_pem) = authority();
    let gateway = context(OriginatorTls::Mint(Arc::clone(&authority)), NextHopTls::default());
    let pattern = pattern(&ca, &ca.sign(&["mx.example.com"], false)).await;
    let (_, seen) = answer(&gateway, Some(&pattern), &originator(&our_pem, all()), "mx.example.com").await;
    let leaf = seen.unwrap().chain[0].clone();
    let theirs = pattern.end_entity().unwrap();
    assert!(is_signed_by(&leaf, authority.certificate()));
    assert!(!is_signed_by(theirs, authority.certificate()));
    assert!(!is_signed_by(&leaf, theirs) && !is_signed_by(&leaf, b"") && !is_signed_by(b"", &leaf));
}
