//! Interleaved legs and the statistics of their ratios.
//!
//! Legs that are compared run right after each other, and every other block runs backwards (ABBA), so
//! that a machine that gets slower or faster moves both alike. Ratios are made within a block only,
//! never of medians from different times.

use anyhow::Result;

use crate::interrupt;

/// Runs `blocks` blocks of all legs; the answer is indexed by block, then leg.
pub(crate) fn run_blocks<L, S>(
    blocks: usize,
    legs: &[L],
    mut measure: impl FnMut(usize, &L) -> Result<S>,
) -> Result<Vec<Vec<S>>> {
    let mut all = Vec::with_capacity(blocks);
    for block in 0..blocks {
        let mut row: Vec<Option<S>> = legs.iter().map(|_| None).collect();
        let mut order: Vec<usize> = (0..legs.len()).collect();
        if block % 2 == 1 {
            order.reverse();
        }
        for leg in order {
            interrupt::check()?;
            row[leg] = Some(measure(block, &legs[leg])?);
        }
        all.push(row.into_iter().flatten().collect());
    }
    Ok(all)
}

/// A median and the interval it lies in with 90 % probability.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Estimate {
    /// Median.
    pub(crate) median: f64,
    /// Lower end.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

impl Estimate {
    /// Of some values, by the percentile bootstrap with a fixed seed.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut random = SEED;
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn: Vec<f64> =
                    values.iter().map(|_| values[draw(&mut random, values.len())]).collect();
                median(drawn)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Some(Self {
            median: median(values.to_vec()),
            low: medians[RESAMPLES * 5 / 100],
            high: medians[RESAMPLES * 95 / 100],
        })
    }
}

/// The middle value, or the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// An index below `n` (`SplitMix64`).
fn draw(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % n as u64).unwrap_or(0)
}

/// Seed of the bootstrap, printed with the results.
pub(crate) const SEED: u64 = 0x5057_4e42;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

#[cfg(test)]
mod tests;
