//! Sets of numbers as sorted, disjoint, non-adjacent ranges: addresses and services when rules are compared.

use ipnet::IpNet;

use crate::policy::service::{PortRange, Service};

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    /// The union of ranges in any order; both ends are included.
    pub fn new(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// IPv4 addresses of a rule's prefixes; no prefixes at all mean every address.
    pub fn of_addresses_v4(prefixes: &[IpNet]) -> Self {
        if prefixes.is_empty() {
            return Self::new([(0, u32::MAX.into())]);
        }
        Self::new(prefixes.iter().filter_map(|prefix| match prefix {
            IpNet::V4(net) => Some((u32::from(net.network()).into(), u32::from(net.broadcast()).into())),
            IpNet::V6(_) => None,
        }))
    }

    /// IPv6 addresses of a rule's prefixes; no prefixes at all mean every address.
    pub fn of_addresses_v6(prefixes: &[IpNet]) -> Self {
        if prefixes.is_empty() {
            return Self::new([(0, u128::MAX)]);
        }
        Self::new(prefixes.iter().filter_map(|prefix| match prefix {
            IpNet::V6(net) => Some((net.network().into(), net.broadcast().into())),
            IpNet::V4(_) => None,
        }))
    }

    /// Services, as [`protocol_class`](smtp_common::rule::protocol_class) times 2^16 plus port; class 0 has
    /// the one number 0. No services at all mean every one.
    pub fn of_services(services: &[Service]) -> Self {
        if services.is_empty() {
            return Self::of_services(&[Service::Any]);
        }
        let ports = |class: u128, range: PortRange| {
            (class << 16 | u128::from(range.first()), class << 16 | u128::from(range.last()))
        };
        Self::new(services.iter().flat_map(|service| match service {
            Service::Any => vec![(0, 0), ports(1, PortRange::ALL), ports(2, PortRange::ALL)],
            Service::Tcp(range) => vec![ports(1, *range)],
            Service::Udp(range) => vec![ports(2, *range)],
        }))
    }

    /// The ranges, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is no number in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every number of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|&(first, last)| {
            let after = self.0.partition_point(|&(start, _)| start <= first);
            after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|&(_, end)| last <= end)
        })
    }

    /// Whether some number is in both sets.
    pub fn meets(&self, other: &Self) -> bool {
        other.0.iter().any(|&(first, last)| {
            let after = self.0.partition_point(|&(start, _)| start <= last);
            after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|&(_, end)| first <= end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_compared() {
        let set = Ranges::new([(10, 19), (0, 4), (20, 30), (3, 5)]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [(0, 5), (10, 30)]);
        assert!(set.covers(&Ranges::new([(0, 0), (15, 30)])));
        assert!(!set.covers(&Ranges::new([(5, 10)])));
        assert!(set.covers(&Ranges::default()));
        assert!(set.meets(&Ranges::new([(6, 10)])));
        assert!(!set.meets(&Ranges::new([(6, 9), (31, 40)])));
    }

    #[test]
    fn sibling_prefixes_make_their_parent() {
        let halves = ["10.0.0.0/9".parse().unwrap(), "10.128.0.0/9".parse().unwrap()];
        assert!(
            Ranges::of_addresses_v4(&halves)
                .covers(&Ranges::of_addresses_v4(&["10.0.0.0/8".parse().unwrap()]))
        );
        assert!(Ranges::of_addresses_v6(&halves).is_empty());
        let whole = ["::/1".parse().unwrap(), "8000::/1".parse().unwrap()];
        assert!(Ranges::of_addresses_v6(&whole).covers(&Ranges::of_addresses_v6(&[])));
    }

    #[test]
    fn no_services_are_every_service() {
        let any = Ranges::of_services(&[]);
        assert!(any.covers(&Ranges::of_services(&["any".parse().unwrap()])));
        let both = Ranges::of_services(&["tcp".parse().unwrap(), "udp".parse().unwrap()]);
        assert!(!both.covers(&any));
    }
}
