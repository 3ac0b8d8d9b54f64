//! How far a walk into content goes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How far a walk into the content of one part goes. Each bound that is met is an outcome with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLimits {
    /// Octets of a part that is unpacked.
    pub max_part: u64,
    /// Octets of one member.
    pub max_member: u64,
    /// Octets that come out of all containers of a part together.
    pub max_octets: u64,
    /// Octets out for one octet in, once there are more than [`RATIO_FLOOR`] of them.
    pub max_ratio: u64,
    /// Members of all containers of a part together.
    pub max_members: usize,
    /// Containers within each other.
    pub max_depth: usize,
    /// Of the walk, by what it works.
    pub deadline: Duration,
    /// Passwords that are tried on what is encrypted.
    pub max_passwords: usize,
}

impl Default for ContentLimits {
    fn default() -> Self {
        Self {
            max_part: 64 << 20,
            max_member: 64 << 20,
            max_octets: 256 << 20,
            max_ratio: 250,
            max_members: 10_000,
            max_depth: 10,
            deadline: Duration::from_secs(20),
            max_passwords: 50,
        }
    }
}

/// Octets of a member up to which nobody asks for its ratio: a small file of zeros is no bomb.
pub const RATIO_FLOOR: u64 = 4 << 20;

/// Octets that a decoder may ask for as its window or dictionary.
pub(super) const MAX_WINDOW: u64 = 128 << 20;
