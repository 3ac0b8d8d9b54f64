use super::*;

#[test]
fn a_second_of_jiffies_is_a_second_of_ticks() {
    for hz in [100, 250, 300, 1000] {
        let ticks = from_jiffies(u64::from(hz) * 1_000, ticks_per_jiffy(hz));
        let milliseconds = to_ms(ticks);
        assert!((999_000..=1_000_000).contains(&milliseconds), "{hz}: {milliseconds}");
    }
}

#[test]
fn milliseconds_survive_the_way_there_and_back() {
    for ms in [1, 10, 1_000, 30_000, 7_440_000] {
        assert!(to_ms(from_ms(ms)).abs_diff(ms) <= 1, "{ms}");
    }
}

#[test]
fn time_passes_over_the_wrap_and_not_backwards() {
    assert_eq!(since(u32::MAX - 1, 3), 5);
    assert_eq!(since(10, 7), 0);
}
