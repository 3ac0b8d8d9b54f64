//! Resets: a machine with a disk of its own loses its power in the midst of its work, again and again. What it promised
//! until then is what its console had said; the next life must find it on the disk.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Outcome;
use super::archive::Archive;
use super::kernel::Kernel;
use super::machine::{Machine, last_of};

/// A machine that is reset.
pub(crate) struct Resets<'r> {
    pub(crate) kernel: &'r Kernel,
    /// Where its files go.
    pub(crate) folder: &'r Path,
    pub(crate) name: String,
    /// Its initial file system but for what each life is told.
    pub(crate) image: Vec<u8>,
    /// Octets of its disk.
    pub(crate) disk_octets: u64,
}

/// What a number of lives came to.
#[derive(Debug, Default)]
struct Found {
    resets: u32,
    /// Lives after the first that looked at what there was.
    looks: u32,
    /// What was promised so far: marks, one a line.
    ledger: String,
    /// Messages that had to be there at the last look.
    promised: u64,
    /// Messages that shared a file.
    shared: u64,
    /// What was not as it had been promised.
    broken: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resets, looks, ledger, promised, shared, broken } = self;
        let (marks, broken) = (ledger.lines().count(), broken.len());
        write!(
            f,
            "{resets} resets, {looks} looks at what they left: {broken} promises broken; {marks} marks, {shared} \
             messages shared files, {promised} promised at the last look"
        )
    }
}

/// A disk that is there for a while.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        // It is made anew the next time.
        let _ = fs::remove_file(&self.0);
    }
}

impl Resets<'_> {
    /// Goes on until it was looked that often and everything was there.
    pub(crate) fn keep_everything(&self, looks: u32, seed: u64) -> Result<Outcome> {
        let started = Instant::now();
        let who = format!("kernel {}, {}", self.kernel.name, self.name);
        let found = match self.run(looks, seed)? {
            Ok(found) => found,
            Err(why) => return Ok(Outcome::Failed(format!("{who}: {why}"))),
        };
        let seconds = started.elapsed().as_secs();
        if found.broken.is_empty() && found.shared > 0 {
            println!("{who}: {found}; seed {seed:#x}, {seconds} s");
            return Ok(Outcome::Passed);
        }
        Ok(Outcome::Failed(format!("{who}: {found}; seed {seed:#x}\n  {}", found.broken.join("\n  "))))
    }

    /// The negative control: of a spool whose syncs are left out, something is lost soon.
    pub(crate) fn lose_something(&self, looks: u32, seed: u64) -> Result<Outcome> {
        let who = format!("kernel {}, {}", self.kernel.name, self.name);
        Ok(match self.run(looks, seed)? {
            Ok(found) if found.broken.is_empty() => {
                Outcome::Failed(format!("{who}, the negative control, found nothing lost: {found}"))
            }
            Ok(found) => {
                println!("{who}, the negative control: {found}");
                Outcome::Passed
            }
            Err(why) => Outcome::Failed(format!("{who}: {why}")),
        })
    }

    /// Goes on until it was looked that often, or something was broken. A life that fails otherwise is told of.
    fn run(&self, looks: u32, seed: u64) -> Result<Result<Found, String>> {
        let disk = Disk(self.folder.join(format!("{}.disk", self.name)));
        File::create(&disk.0)?.set_len(self.disk_octets)?;
        let machine = Machine { name: self.name.clone(), mebibytes: 512, longest: Duration::from_mins(3) };
        let (mut found, mut chance) = (Found::default(), seed.max(1));
        while found.looks < looks && found.broken.is_empty() {
            let mut told = Archive::default();
            told.file("ledger", found.ledger.as_bytes());
            told.file("life", found.resets.to_string().as_bytes());
            let initial: [&[u8]; 2] = [&self.image, &told.finish()];
            let said =
                machine.reset(self.folder, self.kernel, &initial, &disk.0, (UP, some_time(&mut chance)))?;
            if !said.iter().any(|line| line == UP) {
                return Ok(Err(format!("life {} said nothing but:\n  {}", found.resets, last_of(&said))));
            }
            for word in said.iter().filter_map(|line| line.strip_prefix(WORD)) {
                found.note(word);
            }
            found.resets += 1;
        }
        Ok(Ok(found))
    }
}

impl Found {
    /// Takes note of something that a life said.
    fn note(&mut self, word: &str) {
        let Some((kind, rest)) = word.split_once(' ') else { return };
        match kind {
            "mark" => self.ledger.extend([rest, "\n"]),
            "looked" if self.resets > 0 => {
                self.looks += 1;
                let promised = rest.split(' ').next().unwrap_or_default();
                self.promised = promised.parse().unwrap_or_default();
            }
            "shared" => self.shared += rest.parse::<u64>().unwrap_or_default(),
            "broken" => self.broken.push(rest.to_owned()),
            _ => {}
        }
    }
}

/// How long a life goes on, by chance (xorshift64): a look takes about a second of it.
fn some_time(chance: &mut u64) -> Duration {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    Duration::from_millis(*chance % LONGEST_MILLIS)
}

/// What a life says when it has its disk and nothing else.
const UP: &str = "POSTERN-VM: up";
/// What goes before everything that it says.
const WORD: &str = "POSTERN-VM: ";
const LONGEST_MILLIS: u64 = 6000;

#[cfg(test)]
mod tests {
    use super::Found;

    #[test]
    fn what_lives_say_adds_up() {
        let mut found = Found::default();
        for word in ["up", "looked 0 of 0", "mark taken.1", "mark taken.2", "shared 2"] {
            found.note(word);
        }
        found.resets = 1;
        for word in ["up", "looked 2 of 3", "mark removing.1", "mark removed.1", "shared 3"] {
            found.note(word);
        }
        assert_eq!(found.ledger, "taken.1\ntaken.2\nremoving.1\nremoved.1\n");
        assert_eq!((found.looks, found.promised, found.shared), (1, 2, 5), "{found}");
        found.note("broken taken.2, and it is not there");
        assert_eq!(found.broken, ["taken.2, and it is not there"]);
    }
}
