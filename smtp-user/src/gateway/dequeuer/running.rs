//! Which process of this host is the dequeuer of a gateway. For commands, which have nobody to ask when the daemon is gone.

use std::fs;
use std::path::{Path, PathBuf};

/// The command that makes this program a dequeuer.
pub const COMMAND: &str = "dequeuer";
/// Names the gateway that it belongs to, by the folder of its pins.
pub const PIN_DIR: &str = "--pin-dir";
/// Names its spool.
pub const SPOOL: &str = "--spool";

/// A dequeuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its process.
    pub pid: i32,
    /// Folder of its spool.
    pub spool: PathBuf,
}

/// The dequeuers of a gateway: one, unless the spool's folder was changed while an old one was at work.
pub fn running(pin_dir: &Path) -> Vec<Running> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let spool = spool_of(&fs::read(process.path().join("cmdline")).ok()?, pin_dir)?;
            Some(Running { pid, spool })
        })
        .collect()
}

/// The spool of a process, by its command line, if it is a dequeuer of this gateway.
fn spool_of(command_line: &[u8], pin_dir: &Path) -> Option<PathBuf> {
    let mut words = command_line.split(|octet| *octet == 0).skip(1);
    if words.next()? != COMMAND.as_bytes() {
        return None;
    }
    let words: Vec<&str> = words.map(|word| std::str::from_utf8(word).unwrap_or_default()).collect();
    let value = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).map(Path::new)
    };
    (value(PIN_DIR)? == pin_dir).then(|| value(SPOOL).map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dequeuer_is_known_by_its_command_line() {
        let pins = Path::new("/sys/fs/bpf/postern");
        let line = b"postern\0dequeuer\0--pin-dir\0/sys/fs/bpf/postern\0--spool\0/var/spool/p\0";
        assert_eq!(spool_of(line, pins), Some("/var/spool/p".into()));
        assert_eq!(spool_of(line, Path::new("/sys/fs/bpf/other")), None);
        for other in ["", "postern", "postern\0run\0--pin-dir\0/sys/fs/bpf/postern\0", "vi\0dequeuer\0"] {
            assert_eq!(spool_of(other.as_bytes(), pins), None, "{other}");
        }
    }
}
