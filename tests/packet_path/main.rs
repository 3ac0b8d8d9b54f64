//! Scenarios of the packet path: kernel programs by test-run, then whole gateways in namespaces.
//!
//! All of them need root. Every scenario makes its own namespaces and its own folder of pins, so they can
//! run side by side in any order.

mod abi_mismatch_is_refused;
mod accelerated_flows_bypass_the_stack;
mod ban_with_expiry;
mod detached_program_is_attached_again;
mod events_say_what_happened;
mod first_match_of_a_thousand_rules;
mod flow_ends;
mod flow_table_full;
mod frozen_daemon_does_not_stop_flows;
mod guarded_flows_follow_when_down;
mod interface_is_renamed;
mod next_hop_changes;
mod nothing_half_attached;
mod packet_cases;
mod path_of_a_flow;
mod policy_swap_under_load;
mod restart_keeps_flows;
mod starttls_flags;
mod stat_says_why;
mod tagged_mail;
mod tunables_act_at_once;
