//! Bombs: each ends in bounded time and memory, with the name of its limit.

use std::time::{Duration, Instant};

use super::{Walked, walk_with};
use crate::content::finding::{Finding, Limit, Technique};
use crate::content::fixture::zip::{Entry, archive, one, overlapping};
use crate::content::fixture::{bzip2, gzip, xz, zstd};
use crate::content::limits::ContentLimits;

fn limits() -> ContentLimits {
    ContentLimits {
        max_member: 16 << 20,
        max_octets: 32 << 20,
        max_members: 1000,
        deadline: Duration::from_mins(5),
        ..ContentLimits::default()
    }
}

/// Walks, and sees to it that no more came out than may.
fn bounded(octets: &[u8]) -> Walked {
    let start = Instant::now();
    let walked = walk_with(octets, &limits(), &[]);
    // Generous: other tests run beside, and nothing is optimised.
    assert!(start.elapsed() < Duration::from_mins(2), "{:?}", start.elapsed());
    let out: usize = walked.members.iter().filter_map(|member| member.octets.as_ref().map(Vec::len)).sum();
    assert!(out <= (32 << 20) + (128 << 10), "{out}");
    walked
}

fn has(walked: &Walked, limit: Limit) -> bool {
    walked.findings().contains(&Finding::LimitExceeded(limit))
}

#[test]
fn a_thousand_octets_out_for_one_in_is_over_the_ratio() {
    let zeros = vec![0; 12 << 20];
    for (name, octets) in [
        ("zip", one("a", &zeros)),
        ("gzip", gzip("a", &zeros)),
        ("bzip2", bzip2(&zeros)),
        ("xz", xz(&zeros)),
        ("zstd", zstd(&zeros)),
        ("gzip in a zip", one("a.gz", &gzip("a", &zeros))),
    ] {
        assert!(has(&bounded(&octets), Limit::Ratio), "{name}");
    }
    // Little of it is no bomb.
    assert_eq!(bounded(&one("a", &vec![0; 1 << 20])).findings(), []);
}

#[test]
fn ten_levels_of_many_end_at_the_octets_of_all() {
    let mut octets = vec![b'x'; 1 << 20];
    for _ in 0..6 {
        let entries: Vec<Entry> = (0..8).map(|index| Entry::deflated(&format!("{index}"), &octets)).collect();
        octets = archive(&entries);
    }
    assert!(has(&bounded(&octets), Limit::Octets));
}

#[test]
fn nesting_ends_at_its_depth() {
    let octets = (0..12).fold(b"x".to_vec(), |octets, _| gzip("a", &octets));
    assert!(has(&bounded(&octets), Limit::Depth));
}

/// A gzip that unpacks to itself, made of itself once more each time it is unpacked: what a quine does to a
/// reader, without its octets.
#[test]
fn what_unpacks_to_another_archive_for_ever_ends() {
    let octets = (0..200).fold(b"x".to_vec(), |octets, _| one("r/r.zip", &octets));
    let walked = bounded(&octets);
    assert!(has(&walked, Limit::Depth));
    assert_eq!(walked.members.len(), 10);
}

#[test]
fn many_members_end_at_their_number() {
    let entries: Vec<Entry> = (0..65_000).map(|index| Entry::stored(&format!("{index}"), b"")).collect();
    let walked = bounded(&archive(&entries));
    assert!(has(&walked, Limit::Members));
    assert_eq!(walked.members.len(), 1000);
}

#[test]
fn members_that_share_octets_are_named_and_end() {
    let octets = overlapping(&vec![b'x'; 100 << 10], 500);
    let walked = bounded(&octets);
    assert!(
        walked.findings().contains(&Finding::Ambiguous(Technique::Overlap)) || has(&walked, Limit::Octets)
    );
    assert!(has(&walked, Limit::Octets));
}

#[test]
fn four_gigabytes_that_are_only_stated_cost_nothing() {
    let entry = Entry { unpacked: u32::MAX - 1, ..Entry::deflated("a", b"content") };
    let walked = bounded(&archive(&[entry]));
    assert!(has(&walked, Limit::Member), "{walked:?}");
    assert!(walked.has(b"content"));
}

#[test]
fn a_member_that_is_too_large_is_seen_as_far_as_it_goes() {
    let large: Vec<u8> =
        (0..20_u32 << 20).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let walked = bounded(&archive(&[Entry::stored("a", &large), Entry::stored("b", b"content")]));
    assert!(has(&walked, Limit::Member));
    assert!(walked.has(b"content"));
}

#[test]
fn no_time_is_a_limit_too() {
    let limits = ContentLimits { deadline: Duration::ZERO, ..ContentLimits::default() };
    let walked = walk_with(&one("a", b"x"), &limits, &[]);
    assert_eq!(walked.findings(), [Finding::LimitExceeded(Limit::Time)]);
}
