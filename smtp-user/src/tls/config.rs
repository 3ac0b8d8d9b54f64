//! What TLS of a resource is made from. Read from files by `app::config`; nothing here reads any.

use std::sync::Arc;

use rustls::pki_types::ServerName;

/// TLS of one resource.
#[derive(Clone, Debug)]
pub struct Config {
    /// Toward the originator.
    pub originator: OriginatorTls,
    /// Toward the next hop.
    pub next_hop: NextHopTls,
    /// Lowest version on either leg.
    pub min_version: MinVersion,
}

/// TLS toward the originator.
#[derive(Clone, Debug, Default)]
pub enum OriginatorTls {
    /// None: an attempt is a local error.
    #[default]
    Off,
    /// This certificate, whatever name the originator asks for.
    Imported(Arc<Identity>),
    /// A leaf minted by this authority after the next hop's certificate.
    Mint(Arc<Authority>),
}

/// TLS toward the next hop.
#[derive(Clone, Debug, Default)]
pub struct NextHopTls {
    /// Whether a certificate that does not prove the next hop's name ends the handshake. If not, the result of the
    /// verification is only recorded (RFC 7435).
    pub verify: bool,
    /// Whose certificates are believed; the system's, if not given.
    pub trust: Option<Arc<TrustAnchors>>,
    /// Name the certificate must prove, and that is asked for; the next hop's address, if not given.
    pub server_name: Option<ServerName<'static>>,
}

/// Lowest TLS version. Older ones than 1.2 are not in the library, on purpose (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2, RFC 5246.
    #[default]
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}

pub use crate::tls::authority::Authority;
pub use crate::tls::identity::Identity;
pub use crate::tls::trust::TrustAnchors;
