//! Who gets in: a bound on sessions in all and per source. Nothing is queued: beyond a bound the answer is no, at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions in all.
    pub in_all: usize,
    /// Sessions of one source.
    pub per_source: usize,
}

/// Who is counted as one: an IPv4 address, or an IPv6 network of 64 bits, of which one host can have every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceKey([u8; 16]);

impl From<IpAddr> for SourceKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                Self(Ipv6Addr::from(network).octets())
            }
        }
    }
}

/// Why somebody does not get in.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The gateway is full.
    Full,
    /// That source has its share.
    SourceFull,
    /// The system lets this process have no more descriptors.
    NoDescriptors,
}

impl TurnedAway {
    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "too_many_connections",
            Self::SourceFull => "too_many_connections_from_source",
            Self::NoDescriptors => "no_descriptors",
        }
    }
}

/// The door.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    bounds: Bounds,
    in_all: usize,
    by_source: HashMap<SourceKey, usize>,
}

/// Somebody who got in; leaves when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    source: SourceKey,
}

impl Admission {
    /// An empty house.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Inside { bounds, in_all: 0, by_source: HashMap::new() })))
    }

    /// Lets a source in, or not.
    pub fn admit(&self, source: IpAddr) -> Result<Permit, TurnedAway> {
        let source = SourceKey::from(source);
        let mut inside = self.lock();
        if inside.in_all >= inside.bounds.in_all {
            return Err(TurnedAway::Full);
        }
        let bound = inside.bounds.per_source;
        let count = inside.by_source.entry(source).or_insert(0);
        if *count >= bound {
            return Err(TurnedAway::SourceFull);
        }
        *count += 1;
        inside.in_all += 1;
        Ok(Permit { admission: self.clone(), source })
    }

    /// Other bounds from now on; nobody is thrown out.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.lock().bounds = bounds;
    }

    /// How many are in.
    pub fn in_all(&self) -> usize {
        self.lock().in_all
    }

    fn leave(&self, source: SourceKey) {
        let mut inside = self.lock();
        inside.in_all = inside.in_all.saturating_sub(1);
        let left = inside.by_source.get_mut(&source).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            inside.by_source.remove(&source);
        }
    }

    /// Two counters are whole after every step, so a panic elsewhere does not matter.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.leave(self.source);
    }
}

#[cfg(test)]
mod tests;
