//! Why a handshake failed: whose fault it is, whether trying again may help, and the word for the record.

use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible};

use crate::model::fault::Party;
use crate::model::leg::Leg;

/// Why a leg has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Plaintext or another protocol where a handshake should be: a wrong port, or STARTTLS ignored.
    #[error("what came on the {} is not TLS", leg.name())]
    NotTls {
        /// Which leg.
        leg: Leg,
    },
    /// The peer knows only versions that we refuse: an old system, or `tls_min` is too high for it.
    #[error("there is no TLS version that both sides of the {} take", leg.name())]
    NoSharedVersion {
        /// Which leg.
        leg: Leg,
    },
    /// The peer knows only ciphers, groups or signatures that we refuse: an old system.
    #[error("there is no cipher suite that both sides of the {} take", leg.name())]
    NoSharedCipher {
        /// Which leg.
        leg: Leg,
    },
    /// The next hop's certificate does not prove its name, and the resource wants that.
    #[error("the next hop's certificate cannot be believed: {}", defect.sentence())]
    Certificate {
        /// What is wrong with it.
        defect: CertificateDefect,
    },
    /// The peer ended the handshake; an originator that does not trust our certificate does so.
    #[error("the peer on the {} ended the handshake with the alert {alert}", leg.name())]
    Refused {
        /// Which leg.
        leg: Leg,
        /// Its alert (RFC 8446 §6), as in `unknown_ca`.
        alert: String,
        /// Whether the alert is about the certificate that we showed.
        certificate: bool,
    },
    /// The peer closed the connection in the middle of the handshake.
    #[error("the peer on the {} closed the connection in the handshake", leg.name())]
    Closed {
        /// Which leg.
        leg: Leg,
    },
    /// The connection broke.
    #[error("the {} broke in the handshake", leg.name())]
    Io {
        /// Which leg.
        leg: Leg,
        /// What the system says.
        source: io::Error,
    },
    /// The peer broke the rules of TLS, or a signature did not fit.
    #[error("the handshake on the {} failed", leg.name())]
    Handshake {
        /// Which leg.
        leg: Leg,
        /// What the library says.
        source: rustls::Error,
    },
    /// The resource has no TLS toward the originator, and it was asked for.
    #[error("the resource has no TLS toward the originator")]
    Off,
    /// There is nothing to mint a leaf after: the next hop is not in TLS.
    #[error("no certificate of the next hop is known that a leaf could be minted after")]
    NoPattern,
    /// The leaf could not be minted: the next hop's certificate is malformed, or the CA's key is of a strange kind.
    #[error("a leaf after the next hop's certificate cannot be minted: {detail}")]
    Mint {
        /// What went wrong.
        detail: &'static str,
    },
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateDefect {
    /// Its validity has ended.
    Expired,
    /// Its validity has not begun: the clock of one side is wrong.
    NotYetValid,
    /// Nobody we believe signed it: self-signed, a private CA, or a missing intermediate.
    UnknownIssuer,
    /// It is for other names.
    NameMismatch,
    /// It was withdrawn.
    Revoked,
    /// Its signature is wrong.
    BadSignature,
    /// It is not for servers.
    WrongPurpose,
    /// None of the next hop's TLSA records is about it, or about one that it was signed with.
    TlsaMismatch,
    /// The system has no trust anchors, and the resource names none.
    NoTrustAnchors,
    /// It cannot be read, or breaks a rule.
    Malformed,
}

/// A defect that the library has no word for, on its way through the library.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.sentence())]
pub(crate) struct ForeignDefect(pub(crate) CertificateDefect);

impl From<CertificateDefect> for rustls::Error {
    fn from(defect: CertificateDefect) -> Self {
        let other = OtherError(std::sync::Arc::new(ForeignDefect(defect)));
        Self::InvalidCertificate(CertificateError::Other(other))
    }
}

impl CertificateDefect {
    /// The word used in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::UnknownIssuer => "certificate_unknown_issuer",
            Self::NameMismatch => "certificate_name_mismatch",
            Self::Revoked => "certificate_revoked",
            Self::BadSignature => "certificate_bad_signature",
            Self::WrongPurpose => "certificate_wrong_purpose",
            Self::TlsaMismatch => "tlsa_mismatch",
            Self::NoTrustAnchors => "no_trust_anchors",
            Self::Malformed => "certificate_malformed",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => "its validity has ended",
            Self::NotYetValid => "its validity has not begun",
            Self::UnknownIssuer => "its issuer is not known",
            Self::NameMismatch => "it is for other names",
            Self::Revoked => "it was revoked",
            Self::BadSignature => "its signature is wrong",
            Self::WrongPurpose => "it is not for servers",
            Self::TlsaMismatch => "no TLSA record matches it or one that it was signed with",
            Self::NoTrustAnchors => "there are no trust anchors to check it against",
            Self::Malformed => "it is malformed",
        }
    }

    /// Of what the library says.
    pub(crate) fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::Other(OtherError(other)) => {
                other.downcast_ref::<ForeignDefect>().map_or(Self::Malformed, |ForeignDefect(defect)| *defect)
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::NameMismatch
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongPurpose
            }
            _ => Self::Malformed,
        }
    }
}

impl TlsError {
    /// Of what tokio-rustls gave on a leg.
    pub(crate) fn of(leg: Leg, error: io::Error) -> Self {
        let kind = error.kind();
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::of_library(leg, error),
            Err(_) if kind == io::ErrorKind::UnexpectedEof => Self::Closed { leg },
            Err(source) => Self::Io { leg, source },
        }
    }

    /// Of what the library says on a leg.
    pub(crate) fn of_library(leg: Leg, error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::UnsupportedCompression
                | InvalidMessage::InvalidEmptyPayload
                | InvalidMessage::MessageTooLarge,
            )
            | rustls::Error::InappropriateMessage { .. } => Self::NotTls { leg },
            rustls::Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls13RequiredForQuic
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
                Self::NoSharedVersion { leg }
            }
            rustls::Error::PeerIncompatible(_) => Self::NoSharedCipher { leg },
            rustls::Error::InvalidCertificate(ref error) => {
                Self::Certificate { defect: CertificateDefect::of(error) }
            }
            rustls::Error::NoCertificatesPresented => {
                Self::Certificate { defect: CertificateDefect::Malformed }
            }
            rustls::Error::AlertReceived(alert) => {
                let certificate = matches!(
                    alert,
                    AlertDescription::BadCertificate
                        | AlertDescription::UnsupportedCertificate
                        | AlertDescription::CertificateRevoked
                        | AlertDescription::CertificateExpired
                        | AlertDescription::CertificateUnknown
                        | AlertDescription::UnknownCA
                );
                Self::Refused { leg, alert: alert_word(alert), certificate }
            }
            source => Self::Handshake { leg, source },
        }
    }

    /// Whose fault it is.
    pub const fn party(&self) -> Party {
        match self {
            Self::Certificate { .. } => Party::NextHop,
            Self::Off | Self::NoPattern | Self::Mint { .. } => Party::Local,
            Self::NotTls { leg }
            | Self::NoSharedVersion { leg }
            | Self::NoSharedCipher { leg }
            | Self::Refused { leg, .. }
            | Self::Closed { leg }
            | Self::Io { leg, .. }
            | Self::Handshake { leg, .. } => match leg {
                Leg::Client => Party::Originator,
                Leg::Server => Party::NextHop,
            },
        }
    }

    /// The word used in records.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotTls { .. } => "not_tls",
            Self::NoSharedVersion { .. } => "no_shared_version",
            Self::NoSharedCipher { .. } => "no_shared_cipher",
            Self::Certificate { defect } => defect.word(),
            Self::Refused { certificate: true, .. } => "certificate_refused_by_peer",
            Self::Refused { .. } => "refused_by_peer",
            Self::Closed { .. } => "closed_in_handshake",
            Self::Io { .. } => "connection_broken",
            Self::Handshake { .. } => "handshake_failed",
            Self::Off => "tls_off",
            Self::NoPattern => "no_certificate_to_mint_after",
            Self::Mint { .. } => "mint_failed",
        }
    }
}

/// RFC 8446 §6 spells alerts so; the library in another way.
fn alert_word(alert: AlertDescription) -> String {
    let name = format!("{alert:?}");
    let mut word = String::with_capacity(name.len() + 4);
    let mut previous_is_lower = false;
    for c in name.chars().take(64) {
        if c.is_ascii_uppercase() && previous_is_lower {
            word.push('_');
        }
        previous_is_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        word.push(c.to_ascii_lowercase());
    }
    word
}
