//! Octets that ask a worker to fail, so that tests can see what becomes of the others. Not in release builds.

/// What stands before an order, which is `TASK:WAY`.
const MARK: &[u8] = b"postern-chaos:";
/// Octets at the start of a part in which an order is looked for.
const HEAD: usize = 4096;
/// Octets that are taken at a time until there are no more.
const BLOCK: usize = 64 << 20;
/// The same of memory that is used, and not only asked for.
const PAGES: usize = 1 << 20;

/// Fails in the way that the octets ask for, if they ask for it during this task.
pub(super) fn obey(task: &str, octets: &[u8]) {
    let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default();
    let Some(at) = memchr::memmem::find(head, MARK) else { return };
    let order = head.get(at + MARK.len()..).unwrap_or_default();
    let Some(way) = order.strip_prefix(task.as_bytes()).and_then(|rest| rest.strip_prefix(b":")) else {
        return;
    };
    if way.starts_with(b"abort") {
        std::process::abort();
    } else if way.starts_with(b"hang") {
        loop {
            std::hint::spin_loop();
        }
    } else if way.starts_with(b"memory") {
        let mut taken: Vec<Vec<u8>> = Vec::new();
        loop {
            taken.push(vec![0; BLOCK]);
        }
    } else if way.starts_with(b"pages") {
        let mut taken: Vec<Vec<u8>> = Vec::new();
        loop {
            taken.push(vec![1; PAGES]);
        }
    }
}
