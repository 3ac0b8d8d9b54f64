//! What is asked of one next hop's TLS beside what its resource asks, and who asks it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::server_tls::ServerTls;
use crate::model::tlsa::DaneDemand;

/// What the recipients' side asks of the connection to one of its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsDemand {
    /// Nothing: the resource's level says all.
    #[default]
    None,
    /// What these records say (RFC 7672).
    Dane(Arc<DaneDemand>),
    /// That the host proves its name to a certification authority, since its domain's policy says so (RFC 8461).
    MtaSts,
}

impl TlsDemand {
    /// Whether mail may only be sent over TLS.
    pub const fn is_mandatory(&self) -> bool {
        matches!(self, Self::Dane(_) | Self::MtaSts)
    }

    /// Who decides what TLS must be like.
    pub const fn decider(&self, level: ServerTls) -> TlsDecider {
        match (self, level) {
            (Self::Dane(_), _) => TlsDecider::Dane,
            (Self::MtaSts, _) => TlsDecider::MtaSts,
            (Self::None, ServerTls::Verified) => TlsDecider::Pkix,
            (Self::None, _) => TlsDecider::None,
        }
    }
}

/// Who decided whom the gateway was to find at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsDecider {
    /// TLSA records (RFC 7672).
    Dane,
    /// The domain's policy (RFC 8461), by certification authorities.
    MtaSts,
    /// Certification authorities, since the resource asks for `verified`.
    Pkix,
    /// Nobody: whoever answered would do.
    #[default]
    None,
}

impl TlsDecider {
    /// The word used in records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::MtaSts => "mta_sts",
            Self::Pkix => "pkix",
            Self::None => "none",
        }
    }

    /// Whether it is nobody.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}
