//! Scenarios of the whole gateway: an originator, Postern and a next hop in three namespaces.
//!
//! All of them need root, and some a mail server or an engine from Debian; where that is missing, the scenario is
//! skipped and counted.

mod at_the_limits;
mod blast_radius;
mod chunking;
mod clean_mail;
mod daemon_is_killed;
mod dane;
mod disconnects;
mod dot_stuffing;
mod dry_run;
mod eicar_is_refused;
#[path = "../corpus/ends_of_data.rs"]
mod ends_of_data;
mod engine_down;
mod engine_faults;
mod engines_fail_under_load;
mod exim;
mod full_disk;
mod header_rules;
mod late_verdicts;
mod malformed_input;
mod mirrored_certificate;
mod mta_sts;
mod other_protocols;
mod parameters;
mod part_rules;
mod pipelining;
mod ports_used_again;
mod postfix;
mod processes_are_killed;
mod real_clamd;
mod real_clients;
mod real_icap;
mod replay;
mod selftest;
mod slow_clients;
mod smuggling;
mod spool_is_killed;
mod spool_to_real_servers;
mod starttls_injection;
mod starttls_stripping;
mod store_and_forward;
mod transaction_resets;
mod unknown_extensions;
mod unseen_by_order;
mod workers;
