//! The negative control: calls that have the disk keep something succeed and do nothing.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};

/// Which calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Omit {
    /// None: the spool as it is.
    Nothing,
    /// Those for what stands in files.
    FileSyncs,
    /// Those for the names in folders.
    FolderSyncs,
}

impl Omit {
    /// What is left out, for people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::FileSyncs => " without syncs of files (the negative control)",
            Self::FolderSyncs => " without syncs of folders (the negative control)",
        }
    }

    const fn calls(self) -> &'static [i64] {
        match self {
            Self::Nothing => &[],
            // The spool syncs files with the one and folders with the other.
            Self::FileSyncs => &[libc::SYS_fdatasync],
            Self::FolderSyncs => &[libc::SYS_fsync],
        }
    }

    /// Leaves them out in this thread, and in those it makes from now on.
    pub(crate) fn begin(self) -> io::Result<()> {
        if self == Self::Nothing {
            return Ok(());
        }
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
        let rules: BTreeMap<i64, _> = self.calls().iter().map(|call| (*call, Vec::new())).collect();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(0), arch);
        let program: seccompiler::BpfProgram =
            filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
        apply_filter(&program).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Omit;

    #[test]
    fn a_sync_that_is_left_out_succeeds_where_it_could_not() {
        // A pipe cannot be synced.
        let sync = || {
            let (reader, _writer) = io::pipe().unwrap();
            let file = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
            (file.sync_data().is_ok(), file.sync_all().is_ok())
        };
        let within = |omit: Omit| {
            std::thread::spawn(move || {
                omit.begin().unwrap();
                std::thread::spawn(sync).join().unwrap()
            })
            .join()
            .unwrap()
        };
        assert_eq!(within(Omit::Nothing), (false, false));
        assert_eq!(within(Omit::FileSyncs), (true, false));
        assert_eq!(within(Omit::FolderSyncs), (false, true));
        assert_eq!(sync(), (false, false));
    }
}
