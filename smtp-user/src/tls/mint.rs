//! Writes a leaf: subject, alternative names and validity octet for octet as in the next hop's certificate, issuer,
//! key and signature ours (RFC 5280 §4.1).
//!
//! Written out here because no library copies a subject as it is: with several values of one type (`DC=example,
//! DC=com`) they make another name of it.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::ServerName;
use rustls::sign::SigningKey;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::tls::authority::SERIAL_OCTETS;
use crate::tls::der::{self, oid, tag};
use crate::tls::provider::sha256;

/// Who signs.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Its distinguished name, DER.
    pub(crate) name: Vec<u8>,
    /// Its subject key identifier.
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) key: Arc<dyn SigningKey>,
}

/// The key pair of leaves.
#[derive(Clone, Debug)]
pub(crate) struct LeafKey {
    pub(crate) key: Arc<dyn SigningKey>,
    /// `SubjectPublicKeyInfo`, DER.
    public_key: Vec<u8>,
    key_id: [u8; KEY_ID_OCTETS],
}

impl LeafKey {
    /// Of a key whose public half is known.
    pub(crate) fn new(key: Arc<dyn SigningKey>) -> Option<Self> {
        let public_key = key.public_key()?.to_vec();
        let mut key_id = [0; KEY_ID_OCTETS];
        key_id.copy_from_slice(sha256(&public_key).get(..KEY_ID_OCTETS)?);
        Some(Self { key, public_key, key_id })
    }
}

/// A leaf, DER. The error says what is wrong with the pattern.
pub(crate) fn leaf(
    pattern: &[u8],
    address: Option<IpAddr>,
    issuer: &Issuer,
    leaf_key: &LeafKey,
    mut serial: [u8; SERIAL_OCTETS],
) -> Result<Vec<u8>, &'static str> {
    let (_, pattern) = X509Certificate::from_der(pattern).map_err(|_| "it cannot be read")?;
    // Positive, and of the same length whatever chance says.
    serial[0] = serial[0] & 0x7f | 0x40;
    let schemes: Vec<SignatureScheme> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
    let signer = issuer.key.choose_scheme(&schemes).ok_or(STRANGE_KEY)?;
    let algorithm = SCHEMES
        .iter()
        .find(|(scheme, _)| *scheme == signer.scheme())
        .map(|(_, parts)| der::sequence(parts))
        .ok_or(STRANGE_KEY)?;
    let validity = der::sequence(&[
        &time(pattern.validity().not_before).ok_or("its validity cannot be read")?,
        &time(pattern.validity().not_after).ok_or("its validity cannot be read")?,
    ]);
    let tbs = der::sequence(&[
        &der::around(tag::EXPLICIT_0, &[&[tag::INTEGER, 1, 2]]),
        &der::positive_integer(&serial),
        &algorithm,
        &issuer.name,
        &validity,
        pattern.subject().as_raw(),
        &leaf_key.public_key,
        &der::around(tag::EXPLICIT_3, &[&extensions(&pattern, address, issuer, leaf_key)]),
    ]);
    let signature = signer.sign(&tbs).map_err(|_| "the CA's key does not sign")?;
    Ok(der::sequence(&[&tbs, &algorithm, &der::bit_string(&signature)]))
}

fn extensions(
    pattern: &X509Certificate<'_>,
    address: Option<IpAddr>,
    issuer: &Issuer,
    leaf_key: &LeafKey,
) -> Vec<u8> {
    let mut extensions = vec![
        der::extension(oid::BASIC_CONSTRAINTS, true, &der::sequence(&[])),
        // digitalSignature: the first bit.
        der::extension(oid::KEY_USAGE, true, &[tag::BIT_STRING, 2, 7, 0x80]),
        der::extension(oid::EXTENDED_KEY_USAGE, false, &der::sequence(&[oid::SERVER_AUTH])),
        der::extension(oid::SUBJECT_KEY_IDENTIFIER, false, &der::value(tag::OCTET_STRING, &leaf_key.key_id)),
    ];
    if let Some(key_id) = &issuer.key_id {
        let content = der::sequence(&[&der::value(GENERAL_KEY_ID, key_id)]);
        extensions.push(der::extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &content));
    }
    // RFC 5280 §4.2.1.6: critical where the subject is empty.
    let no_subject = pattern.subject().iter_rdn().next().is_none();
    if let Ok(Some(names)) = pattern.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME) {
        extensions.push(der::extension(oid::SUBJECT_ALT_NAME, names.critical || no_subject, names.value));
    } else if let Some(name) = name_of_last_resort(pattern, address) {
        extensions.push(der::extension(oid::SUBJECT_ALT_NAME, no_subject, &der::sequence(&[&name])));
    }
    let parts: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    der::sequence(&parts)
}

/// Old certificates have their name in the subject alone, where nobody looks any more (RFC 9525 §2).
fn name_of_last_resort(pattern: &X509Certificate<'_>, address: Option<IpAddr>) -> Option<Vec<u8>> {
    let common_name = pattern.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let name =
        common_name.and_then(|name| ServerName::try_from(name.strip_prefix("*.").unwrap_or(name)).ok());
    let address_octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    match (name, common_name, address) {
        (Some(ServerName::DnsName(_)), Some(name), _) => Some(der::value(GENERAL_DNS_NAME, name.as_bytes())),
        (Some(ServerName::IpAddress(address)), ..) => {
            Some(der::value(GENERAL_IP_ADDRESS, &address_octets(address.into())))
        }
        (_, _, Some(address)) => Some(der::value(GENERAL_IP_ADDRESS, &address_octets(address))),
        _ => None,
    }
}

/// The same kind of time as in the pattern, so that the octets are the same.
fn time(time: ASN1Time) -> Option<Vec<u8>> {
    let moment = time.to_datetime();
    let digits = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    if time.is_utctime() {
        Some(der::value(tag::UTC_TIME, digits.get(2..)?.as_bytes()))
    } else {
        Some(der::value(tag::GENERALIZED_TIME, digits.as_bytes()))
    }
}

/// How CAs sign, best first for each kind of key.
const SCHEMES: &[(SignatureScheme, &[&[u8]])] = &[
    (SignatureScheme::ECDSA_NISTP256_SHA256, &[oid::ECDSA_WITH_SHA256]),
    (SignatureScheme::ECDSA_NISTP384_SHA384, &[oid::ECDSA_WITH_SHA384]),
    (SignatureScheme::ECDSA_NISTP521_SHA512, &[oid::ECDSA_WITH_SHA512]),
    (SignatureScheme::ED25519, &[oid::ED25519]),
    (SignatureScheme::RSA_PKCS1_SHA256, &[oid::RSA_WITH_SHA256, der::NULL]),
];

const STRANGE_KEY: &str = "the CA's key is of a strange kind";
/// RFC 7093 §2: the leftmost 160 bits of a SHA-256.
const KEY_ID_OCTETS: usize = 20;
/// `keyIdentifier` of `AuthorityKeyIdentifier`, `[0]`.
const GENERAL_KEY_ID: u8 = 0x80;
/// `dNSName` of `GeneralName`, `[2]`.
const GENERAL_DNS_NAME: u8 = 0x82;
/// `iPAddress` of `GeneralName`, `[7]`.
const GENERAL_IP_ADDRESS: u8 = 0x87;
