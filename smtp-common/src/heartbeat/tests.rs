use super::{STALE_NS, is_fresh};

#[test]
fn a_beat_is_fresh_for_one_second_and_no_longer() {
    assert!(is_fresh(5, 5 + STALE_NS));
    assert!(!is_fresh(5, 6 + STALE_NS));
}

#[test]
fn no_beat_at_all_is_never_fresh() {
    assert!(!is_fresh(0, 0));
    assert!(!is_fresh(0, 7));
}

#[test]
fn a_beat_from_another_cpus_near_future_is_fresh() {
    assert!(is_fresh(1_000, 999));
}
