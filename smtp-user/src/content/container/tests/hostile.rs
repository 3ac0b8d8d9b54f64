//! Containers with octets changed, cut, repeated and exchanged: whatever comes of it, the walk ends by itself.

use std::time::Duration;

use super::sound::MAKERS;
use super::walk_with;
use crate::content::fixture::zip::one;
use crate::content::fixture::{gzip, program};
use crate::content::limits::ContentLimits;

/// A generator of numbers that always gives the same ones for a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn change(octets: &mut Vec<u8>, numbers: &mut Numbers) {
    // Headers matter more than what they head.
    let reach = if numbers.below(2) == 0 { octets.len() } else { octets.len().min(512) };
    let at = numbers.below(reach);
    match numbers.below(7) {
        0 => octets.truncate(at),
        1 => octets[at] ^= 1 << numbers.below(8),
        2 => octets[at] = [0, 0xff, 0x7f, 0x80][numbers.below(4)],
        3 => {
            let end = octets.len().min(at + 4);
            octets[at..end].fill([0, 0xff, 0x7f][numbers.below(3)]);
        }
        4 => {
            let end = octets.len().min(at + 1 + numbers.below(64));
            let piece = octets[at..end].to_vec();
            let place = numbers.below(octets.len());
            octets.splice(place..place, piece);
        }
        5 => {
            let end = octets.len().min(at + 1 + numbers.below(16));
            octets.drain(at..end);
        }
        _ => {
            let other = numbers.below(octets.len());
            octets.swap(at, other);
        }
    }
    if octets.is_empty() {
        octets.push(0);
    }
}

fn limits() -> ContentLimits {
    ContentLimits {
        max_member: 1 << 20,
        max_octets: 4 << 20,
        max_members: 200,
        deadline: Duration::from_secs(10),
        ..ContentLimits::default()
    }
}

fn try_all(rounds: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let content = [program(), b"text and more text\r\n".repeat(20)].concat();
    for round in 0..rounds {
        for (name, _, make) in MAKERS {
            let mut octets = match round % 3 {
                0 => make(&content),
                1 => make(&one("a.zip", &content)),
                _ => make(&gzip("a", &content)),
            };
            let changes = 1 + numbers.below(4);
            let before = numbers.0;
            for _ in 0..changes {
                change(&mut octets, &mut numbers);
            }
            let walked = std::panic::catch_unwind(|| walk_with(&octets, &limits(), &["a"]));
            let walked = walked.unwrap_or_else(|_| {
                std::fs::write("/tmp/postern-hostile", &octets).unwrap();
                panic!("{name}, seed {seed}, numbers {before}")
            });
            let out: usize =
                walked.members.iter().filter_map(|member| member.octets.as_ref().map(Vec::len)).sum();
            assert!(out <= 16 << 20, "{name}, numbers {before}: {out}");
        }
    }
}

#[test]
fn changed_containers_end_without_a_panic() {
    try_all(30, 0x5eed);
}

#[test]
#[ignore = "takes minutes; run with --ignored after a change to a reader"]
fn many_changed_containers_end_without_a_panic() {
    let seed =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    try_all(2000, seed);
}
