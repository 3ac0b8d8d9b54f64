//! Address prefixes as people write them. RFC 4632 §3.1 and RFC 4291 §2.3.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// Reads `10.0.9.0/24`, `2001:db8::/32`, or a bare address, which stands for itself alone.
///
/// Bits below the prefix length are an error: nobody can tell whether the address or the length was meant.
pub fn parse_prefix(text: &str) -> Result<IpNet, PrefixError> {
    let (address_text, length_text) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr =
        address_text.parse().map_err(|_| not_an_address(text, address_text, length_text))?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let Some(length_text) = length_text else {
        return Ok(IpNet::from(address));
    };
    let bad_length = || PrefixError::Length {
        text: text.to_owned(),
        max,
        corrected: netmask_length(length_text).map(|length| format!("{address}/{length}")),
    };
    let digits = !length_text.is_empty() && length_text.bytes().all(|octet| octet.is_ascii_digit());
    let length: u8 = length_text.parse().ok().filter(|_| digits).ok_or_else(bad_length)?;
    let prefix = IpNet::new(address, length).map_err(|_| bad_length())?;
    if prefix.network() == prefix.addr() {
        Ok(prefix)
    } else {
        Err(PrefixError::HostBits { text: text.to_owned(), corrected: prefix.trunc() })
    }
}

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// An address of a host was given with the length of its network.
    #[error("`{text}` has bits set behind its prefix length")]
    HostBits {
        /// What was written.
        text: String,
        /// The network that contains it.
        corrected: IpNet,
    },
    /// A length that the address family does not have.
    #[error("`{text}` has no prefix length from 0 to {max}")]
    Length {
        /// What was written.
        text: String,
        /// Largest length of the family.
        max: u8,
        /// The same with a length, if a netmask was written.
        corrected: Option<String>,
    },
    /// No IPv4 or IPv6 address; names are not resolved here.
    #[error("`{text}` is not an IPv4 or IPv6 prefix")]
    Address {
        /// What was written.
        text: String,
        /// The same with its missing octets.
        corrected: Option<String>,
    },
}

impl PrefixError {
    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::HostBits { corrected, .. } => Some(corrected.to_string()),
            Self::Length { corrected, .. } | Self::Address { corrected, .. } => corrected.clone(),
        }
    }
}

fn not_an_address(text: &str, address: &str, length: Option<&str>) -> PrefixError {
    let given = address.split('.').count();
    let corrected = length.filter(|_| given < 4).and_then(|length| {
        let padded = format!("{address}{}/{length}", ".0".repeat(4 - given));
        parse_prefix(&padded).is_ok().then_some(padded)
    });
    PrefixError::Address { text: text.to_owned(), corrected }
}

/// The prefix length that a netmask stands for.
fn netmask_length(text: &str) -> Option<u8> {
    let mask: Ipv4Addr = text.parse().ok()?;
    ipnet::ip_mask_to_prefix(IpAddr::V4(mask)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_bare_addresses_are_read() {
        for (text, shown) in [
            ("10.0.9.0/24", "10.0.9.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("192.0.2.25", "192.0.2.25/32"),
            ("2001:db8::25", "2001:db8::25/128"),
        ] {
            assert_eq!(parse_prefix(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn slips_are_refused_with_what_was_meant() {
        for (text, suggestion) in [
            ("10.0.9.7/24", Some("10.0.9.0/24")),
            ("2001:db8::1/32", Some("2001:db8::/32")),
            ("10.0.9.0/33", None),
            ("10.0.9.0/+8", None),
            ("10.0.9.0/", None),
            ("10.0.0.0/255.255.0.0", Some("10.0.0.0/16")),
            ("10.0.9/24", Some("10.0.9.0/24")),
            ("10/8", Some("10.0.0.0/8")),
            ("mail.example/24", None),
            ("", None),
            ("fe80::1%eth0", None),
        ] {
            let error = parse_prefix(text).unwrap_err();
            assert_eq!(error.suggestion().as_deref(), suggestion, "{text}: {error}");
        }
    }
}
