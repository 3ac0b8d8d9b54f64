//! Every usage, selector and form, with chains that fit and chains that do not.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{DaneMatch, is_usable, public_key_of, verify};
use crate::model::tlsa::TlsaRecord;
use crate::tls::error::CertificateDefect;
use crate::tls::provider::{sha256, sha512};

const HOST: &str = "mx.example.com";
const YEARS: [i32; 2] = [2020, 2049];

/// A CA with its key.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

fn params(name: &str, names: &[&str], [from, to]: [i32; 2]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 2), date_time_ymd(to, 3, 4));
    params
}

impl Ca {
    fn new(name: &str, years: [i32; 2], by: Option<&Self>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name, &[], years);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = match by {
            Some(by) => params.signed_by(&key, &by.issuer).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        Self { der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    fn leaf(&self, names: &[&str], years: [i32; 2]) -> CertificateDer<'static> {
        self.sign(&params("leaf", names, years))
    }
}

fn self_signed(names: &[&str], years: [i32; 2]) -> CertificateDer<'static> {
    params("self", names, years).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn record(usage: u8, selector: u8, matching: u8, of: &[u8]) -> TlsaRecord {
    let part = if selector == 1 { public_key_of(of).unwrap() } else { of };
    let data = match matching {
        1 => sha256(part).to_vec(),
        2 => sha512(part).to_vec(),
        _ => part.to_vec(),
    };
    TlsaRecord { usage, selector, matching, data }
}

/// Selectors and forms.
const FORMS: [(u8, u8); 6] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_601))
}

fn judge(
    records: &[TlsaRecord],
    chain: &[&CertificateDer<'static>],
    names: &[&str],
) -> Result<DaneMatch, CertificateDefect> {
    let chain: Vec<_> = chain.iter().map(|&certificate| certificate.clone()).collect();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    verify(records, &chain, &names, now())
}

#[test]
fn the_hosts_own_certificate_is_known_in_every_form_whatever_it_says_of_itself() {
    let other = self_signed(&[HOST], YEARS);
    for own in [
        self_signed(&[HOST], YEARS),
        self_signed(&["elsewhere.example"], YEARS),
        self_signed(&[HOST], [2020, 2021]),
        self_signed(&[HOST], [2048, 2049]),
        Ca::new("signs nothing", YEARS, None).der,
        Ca::new("any", YEARS, None).leaf(&[], YEARS),
    ] {
        for (selector, matching) in FORMS {
            let fitting = record(3, selector, matching, &own);
            assert_eq!(
                judge(&[fitting], &[&own], &[HOST]),
                Ok(DaneMatch::EndEntity),
                "{selector} {matching}"
            );
            let of_other = record(3, selector, matching, &other);
            let mismatch = Err(CertificateDefect::TlsaMismatch);
            assert_eq!(judge(&[of_other], &[&own], &[HOST]), mismatch, "{selector} {matching}");
        }
    }
}

#[test]
fn a_trust_anchor_is_known_in_every_form_and_signs_for_the_names() {
    let root = Ca::new("root", YEARS, None);
    let between = Ca::new("between", YEARS, Some(&root));
    let leaf = between.leaf(&[HOST], YEARS);
    for anchor in [&root, &between] {
        for (selector, matching) in FORMS {
            let records = [record(2, selector, matching, &anchor.der)];
            let full = [&leaf, &between.der, &root.der];
            assert_eq!(judge(&records, &full, &[HOST]), Ok(DaneMatch::TrustAnchor), "{selector} {matching}");
            assert_eq!(judge(&records, &full, &["a.example", HOST]), Ok(DaneMatch::TrustAnchor));
            let wrong_name = judge(&records, &full, &["other.example.com", "example.com"]);
            assert_eq!(wrong_name, Err(CertificateDefect::NameMismatch));
            assert_eq!(judge(&records, &full, &[]), Err(CertificateDefect::NameMismatch));
            // It must be shown where the record does not have it, and nobody else may have signed.
            let without: Vec<_> = full.iter().copied().filter(|shown| **shown != anchor.der).collect();
            let is_told = matching == 0;
            let expected =
                if is_told { Ok(DaneMatch::TrustAnchor) } else { Err(CertificateDefect::TlsaMismatch) };
            assert_eq!(judge(&records, &without, &[HOST]), expected, "{selector} {matching}");
            let stranger = Ca::new("between", YEARS, None);
            let theirs = stranger.leaf(&[HOST], YEARS);
            let stolen = judge(&records, &[&theirs, &between.der, &root.der], &[HOST]);
            assert!(stolen.is_err_and(|defect| defect != CertificateDefect::NameMismatch), "{stolen:?}");
        }
    }
}

#[test]
fn a_wildcard_stands_for_one_label() {
    let root = Ca::new("root", YEARS, None);
    let leaf = root.leaf(&["*.example.com"], YEARS);
    let records = [record(2, 1, 1, &root.der)];
    assert_eq!(judge(&records, &[&leaf, &root.der], &[HOST]), Ok(DaneMatch::TrustAnchor));
    for name in ["example.com", "a.mx.example.com"] {
        assert_eq!(judge(&records, &[&leaf, &root.der], &[name]), Err(CertificateDefect::NameMismatch));
    }
}

#[test]
fn what_a_trust_anchor_signed_must_be_valid_and_so_must_the_anchor() {
    let root = Ca::new("root", YEARS, None);
    let old_root = Ca::new("old", [2020, 2021], None);
    let coming_root = Ca::new("coming", [2048, 2049], None);
    let old_between = Ca::new("between", [2020, 2021], Some(&root));
    for (anchor, chain, defect) in [
        (&root, vec![root.leaf(&[HOST], [2020, 2021]), root.der.clone()], CertificateDefect::Expired),
        (&root, vec![root.leaf(&[HOST], [2048, 2049]), root.der.clone()], CertificateDefect::NotYetValid),
        (&old_root, vec![old_root.leaf(&[HOST], YEARS), old_root.der.clone()], CertificateDefect::Expired),
        (
            &coming_root,
            vec![coming_root.leaf(&[HOST], YEARS), coming_root.der.clone()],
            CertificateDefect::NotYetValid,
        ),
        (
            &root,
            vec![old_between.leaf(&[HOST], YEARS), old_between.der.clone(), root.der.clone()],
            CertificateDefect::Expired,
        ),
    ] {
        let chain: Vec<_> = chain.iter().collect();
        assert_eq!(judge(&[record(2, 0, 1, &anchor.der)], &chain, &[HOST]), Err(defect));
    }
}

#[test]
fn a_certificate_for_clients_or_signed_by_one_that_is_no_ca_is_refused() {
    let root = Ca::new("root", YEARS, None);
    let mut for_clients = params("leaf", &[HOST], YEARS);
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = root.sign(&for_clients);
    let records = [record(2, 0, 1, &root.der)];
    assert_eq!(judge(&records, &[&leaf, &root.der], &[HOST]), Err(CertificateDefect::WrongPurpose));
    // A certificate that the anchor made for somebody's server signs none for others.
    let key = KeyPair::generate().unwrap();
    let server = params("server", &["server.example"], YEARS);
    let server_der = server.signed_by(&key, &root.issuer).unwrap().der().clone();
    let posing = Ca { issuer: Issuer::new(server, key), der: server_der };
    let leaf = posing.leaf(&[HOST], YEARS);
    assert!(judge(&records, &[&leaf, &posing.der, &root.der], &[HOST]).is_err());
}

#[test]
fn the_hosts_own_certificate_is_no_trust_anchor() {
    let own = self_signed(&[HOST], YEARS);
    for (selector, matching) in FORMS {
        let records = [record(2, selector, matching, &own)];
        let mismatch = Err(CertificateDefect::TlsaMismatch);
        assert_eq!(judge(&records, &[&own], &[HOST]), mismatch, "{selector} {matching}");
        assert_eq!(judge(&records, &[&own, &own], &[HOST]), mismatch, "{selector} {matching}");
    }
}

#[test]
fn an_issuer_is_not_taken_for_the_hosts_own_certificate() {
    let root = Ca::new("root", YEARS, None);
    let leaf = root.leaf(&[HOST], YEARS);
    for (selector, matching) in FORMS {
        let records = [record(3, selector, matching, &root.der)];
        assert_eq!(judge(&records, &[&leaf, &root.der], &[HOST]), Err(CertificateDefect::TlsaMismatch));
    }
}

#[test]
fn one_record_that_fits_is_enough() {
    let (root, other) = (Ca::new("root", YEARS, None), Ca::new("other", YEARS, None));
    let leaf = root.leaf(&[HOST], YEARS);
    let next_key = record(3, 1, 1, &self_signed(&[HOST], YEARS));
    let chain = [&leaf, &root.der];
    for (records, expected) in [
        (vec![next_key.clone(), record(3, 1, 1, &leaf)], Ok(DaneMatch::EndEntity)),
        (vec![next_key.clone(), record(2, 1, 1, &root.der)], Ok(DaneMatch::TrustAnchor)),
        (vec![record(2, 0, 1, &other.der), record(3, 0, 2, &leaf)], Ok(DaneMatch::EndEntity)),
        (vec![next_key, record(2, 0, 1, &other.der)], Err(CertificateDefect::TlsaMismatch)),
    ] {
        assert_eq!(judge(&records, &chain, &[HOST]), expected);
    }
}

#[test]
fn a_weaker_digest_says_nothing_where_there_is_a_stronger_one() {
    let (own, other) = (self_signed(&[HOST], YEARS), self_signed(&[HOST], YEARS));
    let weak = record(3, 1, 1, &own);
    let mismatch = Err(CertificateDefect::TlsaMismatch);
    assert_eq!(judge(&[weak.clone(), record(3, 1, 2, &other)], &[&own], &[HOST]), mismatch);
    // Of another selector or usage, or of no strength at all, it says something of its own.
    for beside in [
        record(3, 0, 2, &other),
        record(2, 1, 2, &other),
        TlsaRecord { data: vec![0; 63], ..record(3, 1, 2, &other) },
    ] {
        assert_eq!(judge(&[weak.clone(), beside], &[&own], &[HOST]), Ok(DaneMatch::EndEntity));
    }
    // What is there as it is has no digest that could be weak.
    let (exact, strong) = (record(3, 1, 0, &own), record(3, 1, 2, &other));
    assert_eq!(judge(&[exact, strong], &[&own], &[HOST]), Ok(DaneMatch::EndEntity));
}

#[test]
fn records_of_other_usages_and_broken_ones_cannot_be_used() {
    let own = self_signed(&[HOST], YEARS);
    for usage in 0..=255 {
        assert_eq!(is_usable(&record(usage, 1, 1, &own)), usage == 2 || usage == 3, "{usage}");
    }
    for number in 2..=255 {
        assert!(!is_usable(&TlsaRecord { selector: number, ..record(3, 1, 1, &own) }), "{number}");
        let unknown_form = TlsaRecord { matching: number, ..record(3, 1, 1, &own) };
        assert!(!is_usable(&unknown_form), "{number}");
    }
    for (selector, matching) in FORMS {
        let sound = record(3, selector, matching, &own);
        assert!(is_usable(&sound));
        let mut long = sound.clone();
        long.data.push(0);
        let mut short = sound.clone();
        short.data.pop();
        for broken in [long, short, TlsaRecord { data: Vec::new(), ..sound }] {
            assert!(!is_usable(&broken), "{selector} {matching}");
            assert!(judge(&[broken], &[&own], &[HOST]).is_err());
        }
    }
}

#[test]
fn nothing_is_verified_by_nothing() {
    let own = self_signed(&[HOST], YEARS);
    assert_eq!(judge(&[], &[&own], &[HOST]), Err(CertificateDefect::TlsaMismatch));
    assert_eq!(judge(&[record(3, 1, 1, &own)], &[], &[HOST]), Err(CertificateDefect::Malformed));
    let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    assert!(judge(&[record(3, 1, 1, &own)], &[&garbage], &[HOST]).is_err());
    // Whole, it is known even so: nothing of it needs to be read.
    let whole = TlsaRecord { usage: 3, selector: 0, matching: 1, data: sha256(&garbage).to_vec() };
    assert_eq!(judge(&[whole], &[&garbage], &[HOST]), Ok(DaneMatch::EndEntity));
}
