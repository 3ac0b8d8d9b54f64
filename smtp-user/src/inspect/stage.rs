//! What is done with every part, in one order, and the words of its record.
//!
//! Content types, archives, a cache, links, extraction and policy take their places between these when
//! they come: each is one more constant and one more line in [`PartScanner`](crate::inspect::part_scan).

/// Stages of this process, in their order.
pub const STAGES: [&str; 4] = [STRUCTURE, SIGNATURE, REPUTATION, EXECUTABLES];

/// Form, nesting, transfer encoding.
pub const STRUCTURE: &str = "structure";
/// Known octets.
pub const SIGNATURE: &str = "signature";
/// Lists of digests.
pub const REPUTATION: &str = "reputation";
/// Programs for an operating system.
pub const EXECUTABLES: &str = "executables";

/// The name of an engine's stage.
pub fn engine(name: &str) -> String {
    format!("engine:{name}")
}

/// It ran, with this result.
pub fn ran(result: &str) -> String {
    format!("ran({result})")
}

/// It did not run, for this reason.
pub fn skipped(reason: &str) -> String {
    format!("skipped({reason})")
}
