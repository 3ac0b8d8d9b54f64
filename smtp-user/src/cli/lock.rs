//! `postern lock` and `postern unlock`: the `.clk` form of a file, offline. No daemon is needed, and none is asked.

use std::io;
use std::path::{Path, PathBuf};
use std::process;

use clap::Args;
use serde::Serialize;

use crate::action::clk::{self, ClkError, LockKey};
use crate::app::config::lock_key::{self, LockKeyError};
use crate::cli::exit_code::ExitCode;
use crate::cli::file::{FileError, MAX_FILE, read, write};
use crate::cli::output;
use crate::wire::hexadecimal::hexadecimal;

/// Where the key is unless said otherwise.
const KEY_FILE: &str = "/var/lib/postern/lock.key";

/// Puts a file into a form that no program opens.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
The locked file is sealed with AES-256-GCM: it opens with the key alone, and not at all once an octet of it was changed.
The key file is made if there is none; keep a copy of it.

Example:
  postern lock invoice.exe                       writes invoice.exe.clk
  postern unlock invoice.exe.clk                 writes invoice.exe, octet for octet")]
pub struct LockArgs {
    /// The file.
    pub file: PathBuf,
    /// File of the key, 64 hexadecimal digits; made if it is not there.
    #[arg(long, value_name = "FILE", default_value = KEY_FILE)]
    pub key: PathBuf,
    /// Where to write [default: the file's name and `.clk`].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What both commands take.
    #[command(flatten)]
    pub how: How,
}

/// What both commands take.
#[derive(Args, Clone, Debug)]
pub struct How {
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Opens a locked file again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A file of another kind, of another key, or changed on its way is refused, and nothing is written.

Example:
  postern unlock invoice.exe.clk --output /srv/isolated/invoice.exe")]
pub struct UnlockArgs {
    /// The locked file.
    pub file: PathBuf,
    /// File of the key.
    #[arg(long, value_name = "FILE", default_value = KEY_FILE)]
    pub key: PathBuf,
    /// Where to write [default: the name it had, in this folder].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What both commands take.
    #[command(flatten)]
    pub how: How,
}

/// Why a file was not locked or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read, or not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] LockKeyError),
    /// Not a locked file, or not for this key.
    #[error("{}: {source}", path.display())]
    Clk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ClkError,
    },
}

impl From<&LockError> for ExitCode {
    fn from(error: &LockError) -> Self {
        match error {
            LockError::File(error) => error.into(),
            LockError::Key(LockKeyError::Read { .. }) => Self::NoInput,
            LockError::Key(LockKeyError::Write { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Self::Permission
            }
            LockError::Key(LockKeyError::Write { .. }) => Self::Io,
            LockError::Key(LockKeyError::Chance) => Self::Os,
            LockError::Key(LockKeyError::Malformed { .. }) | LockError::Clk { .. } => Self::Data,
        }
    }
}

/// What was done.
#[derive(Debug, Serialize)]
struct Done<'d> {
    file: &'d Path,
    written: &'d Path,
    octets: u64,
    key: String,
}

/// Runs `postern lock`.
pub fn lock(args: &LockArgs) -> anyhow::Result<process::ExitCode> {
    let content = read(&args.file, MAX_FILE)?;
    let key = lock_key::read_or_make(&args.key).map_err(LockError::from)?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let clk = |source| LockError::Clk { path: args.file.clone(), source };
    let locked = clk::lock(&key, chance()?, &name, &content).map_err(clk)?;
    let mut path = args.output.clone().unwrap_or_else(|| args.file.clone());
    if args.output.is_none() {
        path.as_mut_os_string().push(".clk");
    }
    write(&path, &locked, args.how.force, 0o644)?;
    say(&args.file, &path, &locked, &key, args.how.json)
}

/// Runs `postern unlock`.
pub fn unlock(args: &UnlockArgs) -> anyhow::Result<process::ExitCode> {
    let locked = read(&args.file, MAX_FILE + 4096)?;
    let key = lock_key::read(&args.key).map_err(LockError::from)?;
    let clk = |source| LockError::Clk { path: args.file.clone(), source };
    let unlocked = clk::unlock(&key, &locked).map_err(clk)?;
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(plain_name(&unlocked.name)));
    // What was locked is not made runnable, nor shown to others.
    write(&path, &unlocked.content, args.how.force, 0o600)?;
    say(&args.file, &path, &unlocked.content, &key, args.how.json)
}

fn say(
    file: &Path,
    written: &Path,
    octets: &[u8],
    key: &LockKey,
    json: bool,
) -> anyhow::Result<process::ExitCode> {
    let key = hexadecimal(&key.id());
    let done = Done { file, written, octets: octets.len() as u64, key };
    if json {
        output::json_lines([&done])?;
    } else {
        output::text(&format!("{}: {} octets, key {}\n", written.display(), done.octets, done.key))?;
    }
    Ok(ExitCode::Ok.into())
}

/// The last piece of a name that somebody else chose; never a way out of this folder.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if matches!(plain.as_str(), "" | "." | "..") { "unlocked".to_owned() } else { plain }
}

/// Octets of chance.
fn chance<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| anyhow::anyhow!("the system has no chance to give"))?;
    Ok(octets)
}

#[cfg(test)]
mod tests;
