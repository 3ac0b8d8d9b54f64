//! What is done with every part, in one order, and the words of its record.
//!
//! Extraction takes its place between these when it comes: it is one more
//! constant and one more line in the rows of a part.

/// Stages of this process, in their order.
pub const STAGES: [&str; 8] = [STRUCTURE, TYPE, ARCHIVE, SIGNATURE, REPUTATION, EXECUTABLES, LINKS, CACHE];

/// Form, nesting, transfer encoding.
pub const STRUCTURE: &str = "structure";
/// What it is, by its octets.
pub const TYPE: &str = "type";
/// What is in it.
pub const ARCHIVE: &str = "archive";
/// Known octets.
pub const SIGNATURE: &str = "signature";
/// Lists of digests.
pub const REPUTATION: &str = "reputation";
/// Programs for an operating system.
pub const EXECUTABLES: &str = "executables";

/// Where links in texts lead.
pub const LINKS: &str = "links";
/// What is remembered of the same octets.
pub const CACHE: &str = "cache";

/// Rules on parts; the last of all, behind the engines.
pub const POLICY: &str = "policy";

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

/// A row for every stage, all of them for the same reason skipped.
pub fn all_skipped(reason: &str) -> Vec<(String, String)> {
    STAGES.iter().map(|name| ((*name).to_owned(), skipped(reason))).collect()
}

/// Writes what a stage did into the rows of a part.
pub fn set(rows: &mut [(String, String)], stage: &str, result: String) {
    if let Some((_, place)) = rows.iter_mut().find(|(name, _)| name == stage) {
        *place = result;
    }
}
