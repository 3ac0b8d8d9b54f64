//! Composition and process life: the configuration, and what is made of it.

pub mod config;
mod event_log;
pub mod gateway;
pub mod resolve;
pub mod run;
