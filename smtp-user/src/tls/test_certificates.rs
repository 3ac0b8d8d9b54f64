//! Certificates for tests, made on the spot.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::tls::authority::{Authority, NewAuthority};
use crate::tls::identity::Identity;
use crate::tls::trust::TrustAnchors;

/// A CA that is not ours: the one that next hops and protected servers have their certificates of.
pub(crate) struct OtherCa {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// Certificate and key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::new(Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap())
    }
}

impl OtherCa {
    pub(crate) fn new() -> Self {
        Self::named("Public CA")
    }

    pub(crate) fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn trust(&self) -> Arc<TrustAnchors> {
        Arc::new(TrustAnchors::from_pem(self.pem.as_bytes()).unwrap())
    }

    /// A server's certificate, valid this century unless it is expired.
    pub(crate) fn sign(&self, names: &[&str], expired: bool) -> Pair {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        self.sign_params(CertificateParams::new(names).unwrap(), "mx", expired)
    }

    pub(crate) fn sign_params(&self, mut params: CertificateParams, name: &str, expired: bool) -> Pair {
        let key = KeyPair::generate().unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example Hosting");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(if expired { 2021 } else { 2049 }, 3, 4);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// Our inspection CA.
pub(crate) fn authority() -> (Arc<Authority>, String) {
    let new = NewAuthority::generate("Postern inspection CA", 30).unwrap();
    let authority = Authority::from_pem(new.certificate.as_bytes(), new.key.as_bytes()).unwrap();
    (Arc::new(authority), new.certificate)
}
