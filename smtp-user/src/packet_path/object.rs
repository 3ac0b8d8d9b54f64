//! The kernel programs, as built by `build.rs`.

use crate::packet_path::error::{PacketPathError, Result};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/smtp-ebpf"));

/// Why the programs were not built; empty when they were.
const MISSING: &str = env!("POSTERN_BPF_MISSING");

/// The object file.
pub fn object() -> Result<&'static [u8]> {
    if OBJECT.is_empty() {
        return Err(PacketPathError::NoObject { reason: MISSING });
    }
    Ok(OBJECT)
}
