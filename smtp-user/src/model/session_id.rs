//! Names of sessions and of the messages in them.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize, Serializer};

/// A session's name in every record: a UUID of version 7 (RFC 9562 §5.7), so that names sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Of a time, milliseconds since 1970, and ten octets of chance.
    pub const fn new(unix_ms: u64, chance: [u8; 10]) -> Self {
        let [_, _, t0, t1, t2, t3, t4, t5] = unix_ms.to_be_bytes();
        let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9] = chance;
        let (version, variant) = (0x70 | (c0 & 0x0f), 0x80 | (c2 & 0x3f));
        Self([t0, t1, t2, t3, t4, t5, version, c1, variant, c3, c4, c5, c6, c7, c8, c9])
    }

    /// When it was made, milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        let [t0, t1, t2, t3, t4, t5, ..] = self.0;
        u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5])
    }

    /// As sixteen octets.
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    /// Of sixteen octets, as [`octets`](Self::octets) gave them.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Its 36 characters. A name is written a dozen times in a session, so its digits are not formatted one by one.
    fn characters(self) -> [u8; LENGTH] {
        let mut characters = [b'-'; LENGTH];
        for (from, octets) in [(0, 0..4), (9, 4..6), (14, 6..8), (19, 8..10), (24, 10..16)] {
            let digits = from..from + 2 * octets.len();
            if let (Some(octets), Some(digits)) = (self.0.get(octets), characters.get_mut(digits)) {
                HEXLOWER.encode_mut(octets, digits);
            }
        }
        characters
    }
}

/// Characters of a session's name.
const LENGTH: usize = 36;

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They are ASCII.
        f.write_str(str::from_utf8(&self.characters()).unwrap_or_default())
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.characters()).unwrap_or_default())
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::Neither { text: text.chars().take(64).collect() };
        let digits: Vec<u8> = text.bytes().filter(|&octet| octet != b'-').collect();
        let mut octets = [0; 16];
        if digits.len() != 32 || text.len() != LENGTH {
            return Err(invalid());
        }
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

/// A message's name: its session's, a full stop, and its number in the session, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct MessageId {
    /// The session.
    pub session: SessionId,
    /// Which mail transaction of the session, from 1.
    pub number: u32,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.number)
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::Neither { text: text.chars().take(64).collect() };
        let Some((session, number)) = text.rsplit_once('.') else {
            let is_session = text.parse::<SessionId>().is_ok();
            return Err(if is_session { InvalidId::NoNumber { text: text.to_owned() } } else { invalid() });
        };
        let session = session.parse().map_err(|_| invalid())?;
        Ok(Self { session, number: number.parse().map_err(|_| invalid())? })
    }
}

impl TryFrom<String> for MessageId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

/// Mistyped, or cut while copying.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Something else.
    #[error(
        "`{text}` is no session id (like 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17) and no message id (that, `.` and a number)"
    )]
    Neither {
        /// What was given, or its beginning.
        text: String,
    },
    /// A session has any number of messages.
    #[error("`{text}` is a session, and one of its messages is meant: `{text}.1` is the first")]
    NoNumber {
        /// The session.
        text: String,
    },
}

#[cfg(test)]
mod tests;
