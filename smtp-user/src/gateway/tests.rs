//! Whole sessions over loopback: an originator, the inspector, and a next hop that does as it is told.

mod dialogue;
mod next_hop;
mod rig;

mod admission_and_direct_calls;
mod clean_mail;
mod eicar;
mod hang_ups;
mod pipelining;
mod remedies;
mod split_everywhere;
mod spool;
mod starttls;
mod stopping;
mod time_outs;
