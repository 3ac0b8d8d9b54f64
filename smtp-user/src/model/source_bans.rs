//! Sources that are not heard for a time.

use std::net::IpAddr;
use std::time::Duration;

/// Where sources are banned.
pub trait SourceBans: Send + Sync + std::fmt::Debug {
    /// Bans a source for a time, or renews its ban; what was wrong if that is not possible.
    fn ban(&self, source: IpAddr, time: Duration) -> Result<(), String>;
}

/// Bans nobody; for inspectors without a packet path.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSourceBans;

impl SourceBans for NoSourceBans {
    fn ban(&self, _: IpAddr, _: Duration) -> Result<(), String> {
        Err("there is no packet path".to_owned())
    }
}
