//! Defaults agree with the kernel programs' own, and sizes are powers of two.

use super::*;

#[test]
fn default_idle_times_are_those_of_the_kernel_programs() {
    let kernel = GatewaySettings::with_keys([1; 11]);
    let mut settings = kernel;
    settings.idle_udp = 0;
    IdleTimes::default().apply(&mut settings);
    assert_eq!(settings, kernel);
}

#[test]
fn slots_are_twice_the_flows_as_a_power_of_two() {
    let default = GatewayConfig::default();
    assert_eq!(default.flow_slots_v4(), DEFAULT_FLOW_SLOTS_V4);
    assert_eq!(default.flow_slots_v6(), DEFAULT_FLOW_SLOTS_V6);
    for (flows, slots) in
        [(0, 64), (1, 64), (32, 64), (33, 128), (100_000, 262_144), (MAX_FLOWS, 1 << 26), (u32::MAX, 1 << 26)]
    {
        assert_eq!(flow_slots(flows), slots, "{flows}");
    }
}

#[test]
fn the_longest_idle_time_is_a_number_of_ticks() {
    assert!(ticks(MAX_IDLE) < u32::MAX / 2);
}
