//! What a domain says about its mail exchangers by MTA-STS (RFC 8461 §3): the TXT record and the policy.

use serde::{Deserialize, Serialize};

/// What is to be made of a mail exchanger that the policy does not know (RFC 8461 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MtaStsMode {
    /// It gets no mail.
    Enforce,
    /// It gets its mail; somebody wants to hear of it.
    Testing,
    /// Nothing: there is no policy any more.
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtaStsPolicy {
    /// What is to be made of others.
    pub mode: MtaStsMode,
    /// Patterns of names of mail exchangers, lower case.
    pub mx: Vec<String>,
    /// How long the policy holds, seconds.
    pub max_age: u64,
}

/// Why octets are no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MtaStsError {
    /// Neither ASCII nor UTF-8.
    #[error("it is not a text")]
    NotText,
    /// A line without a colon.
    #[error("a line of it is no key with a value")]
    Line,
    /// `version` is missing, or another.
    #[error("it is not of the version `STSv1`")]
    Version,
    /// `mode` is missing, or unknown.
    #[error("its `mode` is missing or unknown")]
    Mode,
    /// `max_age` is missing, or no number of up to a year.
    #[error("its `max_age` is missing or no number")]
    MaxAge,
    /// There is no `mx`, one is no name, or there are too many.
    #[error("its `mx` are missing or not names")]
    Mx,
}

/// Longest time that a policy may hold (RFC 8461 §3.2).
const MAX_AGE: u64 = 31_557_600;
/// Patterns of one policy.
const MAX_PATTERNS: usize = 1000;

impl MtaStsPolicy {
    /// Reads a policy. Of a key that comes twice the first counts, and keys that are not known do not (RFC 8461 §3.2).
    pub fn read(octets: &[u8]) -> Result<Self, MtaStsError> {
        let text = std::str::from_utf8(octets).map_err(|_| MtaStsError::NotText)?;
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if line.trim().is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or(MtaStsError::Line)?;
            let value = value.trim_matches([' ', '\t']);
            match key.trim_matches([' ', '\t']) {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if mx.len() < MAX_PATTERNS && is_pattern(value) => mx.push(value.to_ascii_lowercase()),
                "mx" => return Err(MtaStsError::Mx),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(MtaStsError::Version);
        }
        let mode = match mode {
            Some("enforce") => MtaStsMode::Enforce,
            Some("testing") => MtaStsMode::Testing,
            Some("none") => MtaStsMode::None,
            _ => return Err(MtaStsError::Mode),
        };
        let digits = max_age.filter(|text| !text.is_empty() && text.len() <= 10);
        let digits = digits.filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
        let max_age = digits.and_then(|text| text.parse().ok()).ok_or(MtaStsError::MaxAge)?;
        if mx.is_empty() && mode != MtaStsMode::None {
            return Err(MtaStsError::Mx);
        }
        Ok(Self { mode, mx, max_age: MAX_AGE.min(max_age) })
    }

    /// Whether a mail exchanger is one of those that the policy names. `*.` stands for one label (RFC 8461 §4.1).
    pub fn knows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => {
                host.split_once('.').is_some_and(|(label, parent)| !label.is_empty() && parent == rest)
            }
            None => *pattern == host,
        })
    }
}

/// The id of the policy that a domain has, by the TXT records at `_mta-sts`: none unless exactly one of them is about it
/// (RFC 8461 §3.1).
pub fn policy_id(records: &[String]) -> Option<String> {
    let mut about = records.iter().filter(|record| {
        record.split(';').next().is_some_and(|first| first.trim_end_matches([' ', '\t']) == "v=STSv1")
    });
    let (record, None) = (about.next()?, about.next()) else { return None };
    let mut fields = record.split(';').skip(1).map(|field| field.trim_matches([' ', '\t']));
    let id = fields.find_map(|field| field.strip_prefix("id="))?;
    let is_sound = (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    is_sound.then(|| id.to_owned())
}

fn is_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
