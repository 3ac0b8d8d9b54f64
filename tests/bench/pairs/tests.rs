//! Order of legs, and intervals.

use super::{Estimate, run_blocks};

#[test]
fn every_other_block_runs_backwards() {
    let mut order = Vec::new();
    let rows = run_blocks(2, &['a', 'b', 'c'], |_, &leg| {
        order.push(leg);
        Ok(leg)
    })
    .unwrap();
    assert_eq!(order, ['a', 'b', 'c', 'c', 'b', 'a']);
    assert_eq!(rows, [['a', 'b', 'c'], ['a', 'b', 'c']]);
}

#[test]
fn equal_values_have_an_interval_without_width() {
    let estimate = Estimate::of(&[2.0, 2.0, 2.0]).unwrap();
    assert_eq!(estimate, Estimate { median: 2.0, low: 2.0, high: 2.0 });
}

#[test]
fn an_interval_holds_its_median_and_stays_within_the_values() {
    let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 50.0]).unwrap();
    assert!((estimate.median - 3.0).abs() < f64::EPSILON);
    assert!(estimate.low >= 1.0 && estimate.low <= 3.0);
    assert!(estimate.high >= 3.0 && estimate.high <= 50.0);
}

#[test]
fn what_is_no_number_gives_no_estimate() {
    assert_eq!(Estimate::of(&[]), None);
    assert_eq!(Estimate::of(&[1.0, f64::NAN]), None);
}
