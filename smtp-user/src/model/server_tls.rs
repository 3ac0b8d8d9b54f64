//! What is asked of TLS toward the next hop.

use serde::{Deserialize, Serialize};

/// How the server leg is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerTls {
    /// Never, even if the next hop offers it. STARTTLS may still be offered to the originator.
    Off,
    /// As the originator does: it is offered STARTTLS when the next hop offers it, and both legs upgrade.
    #[default]
    Opportunistic,
    /// As the TLSA records of the next hop say, where DNS vouches for them (RFC 7672); else like `opportunistic`. Only for mail
    /// that the gateway delivers.
    Dane,
    /// Always: no mail transaction begins on a plaintext server leg. The certificate is recorded only.
    Required,
    /// Always, with a certificate that verifies.
    Verified,
}

impl ServerTls {
    /// The word used in configuration, records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Opportunistic => "opportunistic",
            Self::Dane => "dane",
            Self::Required => "required",
            Self::Verified => "verified",
        }
    }

    /// Whether mail may only be sent over TLS.
    pub const fn is_mandatory(self) -> bool {
        matches!(self, Self::Required | Self::Verified)
    }
}
