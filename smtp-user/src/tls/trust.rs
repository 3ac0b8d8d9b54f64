//! Whose certificates are believed.

/// Certificates of CAs.
#[derive(Debug)]
pub struct TrustAnchors {
    _private: (),
}
