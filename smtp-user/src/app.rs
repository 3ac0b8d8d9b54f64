//! Composition and process life: the configuration, and what is made of it.

mod attachments;
pub mod clock;
pub mod config;
pub mod dequeuer;
mod event_log;
pub mod gateway;
pub mod inspector;
mod kernel_follower;
pub mod log;
mod neighbour_probe;
pub mod quarantine;
pub mod queue_socket;
pub mod resolve;
pub mod run;
pub mod store_and_forward;
