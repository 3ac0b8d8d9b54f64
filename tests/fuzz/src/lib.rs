//! What must be true of Postern's parsers and of its relay, whatever they are fed.
//!
//! The fuzz targets call [`checks`]; `tests/session` calls the same with octets of chance in every test run.

pub mod checks;
pub mod dialogue;
pub mod sink;
