//! Commands, one file each. A command prints and never decides.

pub mod check;
pub mod exit_code;
pub mod stop;
