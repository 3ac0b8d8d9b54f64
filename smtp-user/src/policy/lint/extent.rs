//! What a rule matches, as sets of numbers that can be compared.

use crate::policy::packet_rule::PacketRule;
use crate::policy::ranges::Ranges;

/// Everything that a rule matches: in each address family, sources times destinations; times services;
/// times interfaces.
#[derive(Debug)]
pub(super) struct Extent<'a> {
    /// Sources and destinations, IPv4 and IPv6.
    families: [Family; 2],
    /// Services.
    services: Ranges,
    /// The one interface, or any.
    interface: Option<&'a str>,
}

#[derive(Debug)]
struct Family {
    sources: Ranges,
    destinations: Ranges,
}

impl Family {
    fn is_empty(&self) -> bool {
        self.sources.is_empty() || self.destinations.is_empty()
    }
}

impl<'a> Extent<'a> {
    /// Of one rule.
    pub(super) fn of(rule: &'a PacketRule) -> Self {
        let v4 = Family {
            sources: Ranges::of_addresses_v4(&rule.from),
            destinations: Ranges::of_addresses_v4(&rule.to),
        };
        let v6 = Family {
            sources: Ranges::of_addresses_v6(&rule.from),
            destinations: Ranges::of_addresses_v6(&rule.to),
        };
        Self {
            families: [v4, v6],
            services: Ranges::of_services(&rule.service),
            interface: rule.interface.as_deref(),
        }
    }

    /// Every packet there is.
    pub(super) fn everything() -> Self {
        let v4 = Ranges::of_addresses_v4(&[]);
        let v6 = Ranges::of_addresses_v6(&[]);
        let families = [v4, v6].map(|all| Family { sources: all.clone(), destinations: all });
        Self { families, services: Ranges::of_services(&[]), interface: None }
    }

    /// Whether no packet can match.
    pub(super) fn is_empty(&self) -> bool {
        self.families.iter().all(Family::is_empty)
    }

    /// Positions among `earlier` of rules that together match all of this, as far as it can be seen by
    /// uniting them in one field at a time; empty when they do not.
    ///
    /// A rule that is covered only by a patchwork over several fields is not found: the answer may miss
    /// a shadowed rule, but never accuses a live one.
    pub(super) fn covered_by(&self, earlier: &[Extent<'_>]) -> Vec<usize> {
        let mut by = Vec::new();
        for (family, index) in self.families.iter().zip(0..) {
            if family.is_empty() {
                continue;
            }
            match self.family_covered_by(family, index, earlier) {
                Some(more) => by.extend(more),
                None => return Vec::new(),
            }
        }
        by.sort_unstable();
        by.dedup();
        by
    }

    fn family_covered_by(&self, family: &Family, index: usize, earlier: &[Extent<'_>]) -> Option<Vec<usize>> {
        let mut by_source = Vec::new();
        let mut by_destination = Vec::new();
        let mut by_service = Vec::new();
        for (position, other) in earlier.iter().enumerate() {
            if other.interface.is_some() && other.interface != self.interface {
                continue;
            }
            let Some(theirs) = other.families.get(index) else {
                continue;
            };
            let sources = theirs.sources.covers(&family.sources);
            let destinations = theirs.destinations.covers(&family.destinations);
            let services = other.services.covers(&self.services);
            if sources && destinations && services {
                return Some(vec![position]);
            }
            if destinations && services && theirs.sources.meets(&family.sources) {
                by_source.push((position, &theirs.sources));
            }
            if sources && services && theirs.destinations.meets(&family.destinations) {
                by_destination.push((position, &theirs.destinations));
            }
            if sources && destinations && other.services.meets(&self.services) {
                by_service.push((position, &other.services));
            }
        }
        united(&by_source, &family.sources)
            .or_else(|| united(&by_destination, &family.destinations))
            .or_else(|| united(&by_service, &self.services))
    }
}

/// Positions of the parts, if their union covers the whole.
fn united(parts: &[(usize, &Ranges)], whole: &Ranges) -> Option<Vec<usize>> {
    if parts.len() < 2 {
        return None;
    }
    let union = Ranges::new(parts.iter().flat_map(|(_, ranges)| ranges.iter()));
    union.covers(whole).then(|| parts.iter().map(|(position, _)| *position).collect())
}
