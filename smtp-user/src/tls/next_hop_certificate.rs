//! What the next hop showed: the pattern of a minted leaf.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

/// The next hop's certificate and chain. Known for a resumed session too; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHopCertificate {
    chain: Arc<[CertificateDer<'static>]>,
    sha256: [u8; 32],
    address: Option<IpAddr>,
}

impl NextHopCertificate {
    /// Of a chain whose first certificate is the next hop's own, and that one's SHA-256.
    pub(crate) const fn new(chain: Arc<[CertificateDer<'static>]>, sha256: [u8; 32]) -> Self {
        Self { chain, sha256, address: None }
    }

    /// As shown by the next hop at an address.
    #[must_use]
    pub(crate) fn of(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Where the next hop is: the name of last resort of a minted leaf.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The next hop's own certificate, DER.
    pub fn end_entity(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }

    /// The whole chain as the next hop sent it, its own certificate first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// SHA-256 of the next hop's own certificate: a changed certificate has another.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}
