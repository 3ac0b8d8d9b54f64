//! Mailboxes (RFC 5321 §4.1.2), with the UTF-8 of RFC 6531 §3.3: read strictly, handed on as they were written.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits::{DOMAIN_OCTETS, LOCAL_PART_OCTETS};

/// Length of the local-part at the front of `text`, if there is one.
///
/// Dots may stand anywhere in an unquoted one: providers have given out names with two in a row.
pub(super) fn local_part(text: &str) -> Option<usize> {
    let length = if text.starts_with('"') { quoted_string(text)? } else { atoms(text) };
    (1..=LOCAL_PART_OCTETS).contains(&length).then_some(length)
}

/// Length of the domain or address literal at the front of `text`, if there is one.
pub(super) fn domain(text: &str) -> Option<usize> {
    if text.starts_with('[') {
        return address_literal(text);
    }
    let name_octet =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | 0x80..);
    let length = text.bytes().position(|octet| !name_octet(octet)).unwrap_or(text.len());
    let name = text.get(..length)?;
    let sound =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    (length <= DOMAIN_OCTETS && name.split('.').all(sound)).then_some(length)
}

/// Whether `text` is a domain or an address literal, and nothing else.
pub fn is_domain(text: &str) -> bool {
    domain(text) == Some(text.len())
}

/// Whether `text` is a mailbox, and nothing else.
pub fn is_mailbox(text: &str) -> bool {
    let domain_part = local_part(text).and_then(|length| text.get(length..)?.strip_prefix('@'));
    domain_part.is_some_and(is_domain)
}

fn atoms(text: &str) -> usize {
    let atext = |octet: u8| {
        octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet) || octet >= 0x80
    };
    text.bytes().position(|octet| !atext(octet)).unwrap_or(text.len())
}

fn quoted_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match (escaped, octet) {
            (_, 0..=31 | 127) => return None,
            (true, _) => escaped = false,
            (false, b'\\') => escaped = true,
            (false, b'"') => return Some(at + 1),
            (false, _) => {}
        }
    }
    None
}

fn address_literal(text: &str) -> Option<usize> {
    let length = text.find(']')?;
    let literal = text.get(1..length)?;
    let general = |literal: &str| {
        let (tag, content) = literal.split_once(':')?;
        let tag_sound =
            !tag.is_empty() && tag.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        let content_sound =
            !content.is_empty() && content.bytes().all(|octet| matches!(octet, 33..=90 | 94..=126));
        (tag_sound && content_sound).then_some(())
    };
    let sound = match literal.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => address.parse::<Ipv6Addr>().is_ok(),
        _ => literal.parse::<Ipv4Addr>().is_ok() || general(literal).is_some(),
    };
    (sound && length < DOMAIN_OCTETS).then_some(length + 1)
}

#[cfg(test)]
mod tests;
