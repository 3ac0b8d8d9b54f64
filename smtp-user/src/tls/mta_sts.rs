//! Policies of domains about their mail exchangers (RFC 8461) on disk: what was heard once holds until its time is over,
//! whatever DNS and web servers say or keep back meanwhile.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::wire::mta_sts::MtaStsPolicy;

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPolicy {
    /// Which domain's.
    pub domain: String,
    /// What its TXT record called it.
    pub id: String,
    /// Until when it holds, seconds since 1970.
    pub until: u64,
    /// The policy.
    pub policy: MtaStsPolicy,
}

/// A folder of policies, a file for each domain.
#[derive(Clone, Debug)]
pub struct PolicyFolder {
    folder: PathBuf,
}

impl PolicyFolder {
    /// Made when there is something to be kept.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The policy of a domain, if there is one that holds. What cannot be read is none.
    pub fn load(&self, domain: &str, now: u64) -> Option<KeptPolicy> {
        let octets = fs::read(self.file(domain)?).ok()?;
        let kept: KeptPolicy = serde_json::from_slice(&octets).ok()?;
        // A clock that was set back makes none hold longer than it was to.
        let holds = now < kept.until && kept.until - now <= kept.policy.max_age.saturating_add(SLACK);
        (kept.domain == domain && holds).then_some(kept)
    }

    /// Keeps a policy in place of the one before.
    pub fn store(&self, kept: &KeptPolicy) -> io::Result<()> {
        let Some(file) = self.file(&kept.domain) else { return Ok(()) };
        fs::create_dir_all(&self.folder)?;
        let mut written = tempfile::NamedTempFile::new_in(&self.folder)?;
        written.write_all(&serde_json::to_vec(kept)?)?;
        written.as_file().sync_all()?;
        written.persist(file).map_err(|error| error.error)?;
        fs::File::open(&self.folder)?.sync_all()
    }

    /// Where a domain's policy is; nowhere if the name could lead out of the folder.
    fn file(&self, domain: &str) -> Option<PathBuf> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
        let is_name =
            (1..=240).contains(&domain.len()) && domain.bytes().all(is_plain) && !domain.starts_with('.');
        is_name.then(|| self.folder.join(Path::new(&format!("{domain}.json"))))
    }
}

/// By how much two readings of the clock may differ.
const SLACK: u64 = 3600;

#[cfg(test)]
mod tests;
