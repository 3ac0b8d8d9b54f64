//! Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), REQUIRETLS
//! (RFC 8689), AUTH (RFC 4954), RET, ENVID, NOTIFY, ORCPT (RFC 3461), BY (RFC 2852).
//!
//! Values are checked, not interpreted: they go to the next hop as they were written.

use crate::limits::{ENVID_OCTETS, ORCPT_OCTETS};

/// Why parameters cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParameterError {
    /// Not a keyword, or not one that is known here for this command.
    #[error("parameter not known")]
    Unknown,
    /// The value is not of the parameter's form, or there is one where there must be none.
    #[error("parameter value not valid")]
    Value,
    /// It stands there twice.
    #[error("parameter given twice")]
    Twice,
}

/// BODY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
    /// `BINARYMIME`
    BinaryMime,
}

/// Parameters of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter that is there or not")]
pub struct MailParameters {
    /// SIZE, octets.
    pub size: Option<u64>,
    /// BODY.
    pub body: Option<Body>,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// REQUIRETLS.
    pub requiretls: bool,
    /// AUTH is there.
    pub auth: bool,
    /// RET or ENVID is there.
    pub dsn: bool,
    /// BY is there.
    pub deliver_by: bool,
}

impl MailParameters {
    /// Reads what stands behind the reverse-path.
    pub(super) fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        let mut seen = Seen::default();
        for (keyword, value) in each(text) {
            let keyword = keyword?;
            seen.once(keyword)?;
            match (keyword, value) {
                ("SIZE", Some(digits)) => parameters.size = Some(size(digits)?),
                ("BODY", Some(kind)) => parameters.body = Some(body(kind)?),
                ("SMTPUTF8", None) => parameters.smtputf8 = true,
                ("REQUIRETLS", None) => parameters.requiretls = true,
                ("AUTH", Some(mailbox)) if mailbox == "<>" || is_xtext(mailbox) => parameters.auth = true,
                ("RET", Some(part))
                    if part.eq_ignore_ascii_case("FULL") || part.eq_ignore_ascii_case("HDRS") =>
                {
                    parameters.dsn = true;
                }
                ("ENVID", Some(id)) if is_xtext(id) && id.len() <= ENVID_OCTETS => parameters.dsn = true,
                ("BY", Some(by)) if is_deliver_by(by) => parameters.deliver_by = true,
                ("SIZE" | "BODY" | "SMTPUTF8" | "REQUIRETLS" | "AUTH" | "RET" | "ENVID" | "BY", _) => {
                    return Err(ParameterError::Value);
                }
                _ => return Err(ParameterError::Unknown),
            }
        }
        Ok(parameters)
    }
}

/// Parameters of RCPT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters {
    /// NOTIFY or ORCPT is there.
    pub dsn: bool,
}

impl RcptParameters {
    /// Reads what stands behind the forward-path.
    pub(super) fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        let mut seen = Seen::default();
        for (keyword, value) in each(text) {
            let keyword = keyword?;
            seen.once(keyword)?;
            match (keyword, value) {
                ("NOTIFY", Some(when)) if is_notify(when) => parameters.dsn = true,
                ("ORCPT", Some(original)) if is_orcpt(original) => parameters.dsn = true,
                ("NOTIFY" | "ORCPT", _) => return Err(ParameterError::Value),
                _ => return Err(ParameterError::Unknown),
            }
        }
        Ok(parameters)
    }
}

/// Every keyword that is known, in the case used here.
const KEYWORDS: [&str; 10] =
    ["SIZE", "BODY", "SMTPUTF8", "REQUIRETLS", "AUTH", "RET", "ENVID", "BY", "NOTIFY", "ORCPT"];

/// Keywords met so far.
#[derive(Default)]
struct Seen {
    keywords: [bool; KEYWORDS.len()],
}

impl Seen {
    fn once(&mut self, keyword: &str) -> Result<(), ParameterError> {
        let known = KEYWORDS.iter().zip(&mut self.keywords).find(|(known, _)| **known == keyword);
        let (_, seen) = known.ok_or(ParameterError::Unknown)?;
        if std::mem::replace(seen, true) { Err(ParameterError::Twice) } else { Ok(()) }
    }
}

/// The value of a parameter in a text that was read without error; `None` if it is not there.
pub fn value_of<'t>(text: &'t str, keyword: &str) -> Option<&'t str> {
    each(text).find(|(known, _)| known.is_ok_and(|known| known == keyword)).and_then(|(_, value)| value)
}

/// Keywords and values, in the order they stand.
fn each(text: &str) -> impl Iterator<Item = (Result<&'static str, ParameterError>, Option<&str>)> {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let known = KEYWORDS.iter().find(|known| known.eq_ignore_ascii_case(keyword));
        (known.copied().ok_or(ParameterError::Unknown), value)
    })
}

fn size(digits: &str) -> Result<u64, ParameterError> {
    let sound = (1..=20).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    if !sound {
        return Err(ParameterError::Value);
    }
    // Twenty digits can be more than a u64 holds; then it is more than any limit, too.
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn body(kind: &str) -> Result<Body, ParameterError> {
    match () {
        () if kind.eq_ignore_ascii_case("7BIT") => Ok(Body::SevenBit),
        () if kind.eq_ignore_ascii_case("8BITMIME") => Ok(Body::EightBitMime),
        () if kind.eq_ignore_ascii_case("BINARYMIME") => Ok(Body::BinaryMime),
        () => Err(ParameterError::Value),
    }
}

/// `+` and two digits of upper-case hexadecimal, or printable ASCII but `+` and `=` (RFC 3461 §4).
fn is_xtext(text: &str) -> bool {
    let mut octets = text.bytes();
    let hex = |octet: Option<u8>| matches!(octet, Some(b'0'..=b'9' | b'A'..=b'F'));
    while let Some(octet) = octets.next() {
        let sound = match octet {
            b'+' => hex(octets.next()) && hex(octets.next()),
            b'=' => false,
            33..=126 => true,
            _ => false,
        };
        if !sound {
            return false;
        }
    }
    !text.is_empty()
}

fn is_notify(when: &str) -> bool {
    when.eq_ignore_ascii_case("NEVER")
        || when
            .split(',')
            .all(|word| ["SUCCESS", "FAILURE", "DELAY"].iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// An address type, a semicolon, and the address; `utf-8` addresses of RFC 6533 may have UTF-8 in them.
fn is_orcpt(original: &str) -> bool {
    let Some((kind, address)) = original.split_once(';') else { return false };
    let kind_sound =
        !kind.is_empty() && kind.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let address_sound = if kind.eq_ignore_ascii_case("utf-8") {
        !address.is_empty() && !address.contains(|c: char| c.is_control() || c == '=')
    } else {
        is_xtext(address)
    };
    kind_sound && address_sound && original.len() <= ORCPT_OCTETS
}

/// Seconds, a semicolon, and `N` or `R` with an optional `T` (RFC 2852 §4).
fn is_deliver_by(by: &str) -> bool {
    let Some((seconds, mode)) = by.split_once(';') else { return false };
    let digits = seconds.strip_prefix(['+', '-']).unwrap_or(seconds);
    (1..=9).contains(&digits.len())
        && digits.bytes().all(|octet| octet.is_ascii_digit())
        && ["N", "R", "NT", "RT"].iter().any(|known| known.eq_ignore_ascii_case(mode))
}

#[cfg(test)]
mod tests;
