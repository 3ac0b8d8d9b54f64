//! Lists of digests of what nobody wants.
//!
//! A line is a digest in hexadecimal (SHA-256, SHA-1 or MD5 by its length), and a name if there is one.
//! `#` begins a comment. The output of `sha256sum` is such a list.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::wire::hexadecimal::{from_hexadecimal, hexadecimal};

/// Lists of digests, together.
#[derive(Clone, Debug, Default)]
pub struct HashLists {
    sha256: HashMap<[u8; 32], Box<str>>,
    sha1: HashMap<[u8; 20], Box<str>>,
    md5: HashMap<[u8; 16], Box<str>>,
    version: Option<String>,
}

/// Octets of a list at most; ten million digests are not a list but a database.
const MAX_FILE: u64 = 256 << 20;
/// Problems of a file that are told.
const MAX_PROBLEMS: usize = 20;
/// Characters of a name at most.
const MAX_NAME: usize = 100;

impl HashLists {
    /// Reads lists; everything that is wrong with any of them is told.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Vec<HashListError>> {
        let (mut lists, mut problems) = (Self::default(), Vec::new());
        let mut version = ListVersion::default();
        for path in paths {
            match read(path) {
                Ok(text) => {
                    version.add(&text);
                    lists.add(path, &text, &mut problems);
                }
                Err(problem) => problems.push(problem),
            }
        }
        lists.version = version.text();
        if problems.is_empty() { Ok(lists) } else { Err(problems) }
    }

    /// What tells these lists from others; none if there are none.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Digests there are.
    pub fn len(&self) -> usize {
        self.sha256.len() + self.sha1.len() + self.md5.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digests that these lists are searched by.
    pub fn kinds(&self) -> DigestKinds {
        DigestKinds { sha1: !self.sha1.is_empty(), md5: !self.md5.is_empty() }
    }

    /// The name of what has these digests.
    pub fn find(&self, digests: &Digests) -> Option<&str> {
        let found = self.sha256.get(&digests.sha256);
        let found = found.or_else(|| self.sha1.get(digests.sha1.as_ref()?));
        found.or_else(|| self.md5.get(digests.md5.as_ref()?)).map(AsRef::as_ref)
    }

    fn add(&mut self, path: &Path, text: &str, problems: &mut Vec<HashListError>) {
        let before = problems.len();
        for (index, line) in text.lines().enumerate() {
            if problems.len() - before == MAX_PROBLEMS {
                return;
            }
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if !line.is_empty()
                && let Err(problem) = self.add_line(line)
            {
                problems.push(HashListError::Line { path: path.to_owned(), line: index + 1, problem });
            }
        }
    }

    fn add_line(&mut self, line: &str) -> Result<(), LineProblem> {
        let (digits, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let name = name.trim().trim_start_matches('*');
        let name = if name.is_empty() { "Listed-Digest" } else { name };
        let name: Box<str> =
            name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().into();
        let octets = from_hexadecimal(digits).ok_or(LineProblem::NotHexadecimal)?;
        if let Ok(digest) = <[u8; 32]>::try_from(octets.as_slice()) {
            self.sha256.insert(digest, name);
        } else if let Ok(digest) = <[u8; 20]>::try_from(octets.as_slice()) {
            self.sha1.insert(digest, name);
        } else if let Ok(digest) = <[u8; 16]>::try_from(octets.as_slice()) {
            self.md5.insert(digest, name);
        } else {
            return Err(LineProblem::Length { digits: digits.len() });
        }
        Ok(())
    }
}

/// What tells lists from others: a digest of all their texts.
#[derive(Debug, Default)]
pub(super) struct ListVersion(Option<Sha256>);

impl ListVersion {
    pub(super) fn add(&mut self, text: &str) {
        let digest = self.0.get_or_insert_default();
        // With its length, so that no two lists are taken for two others.
        digest.update(text.len().to_be_bytes());
        digest.update(text);
    }

    /// Sixteen digits; none without a list.
    pub(super) fn text(self) -> Option<String> {
        let digest = self.0?.finalize();
        digest.first_chunk::<8>().map(|first| hexadecimal(first))
    }
}

fn read(path: &Path) -> Result<String, HashListError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|source| HashListError::Read { path: path.to_owned(), source })?;
    if text.len() as u64 > MAX_FILE {
        return Err(HashListError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// How a Postern is built that reads rules of YARA.
pub const YARA_BUILD: &str = "cargo build --release --package smtp-user --features yara";

/// What is wrong with a list.
#[derive(Debug, thiserror::Error)]
pub enum HashListError {
    /// Not there, not readable, or not text.
    #[error("{}: the file cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Hardly a list.
    #[error("{}: the file is larger than {MAX_FILE} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Neither a domain nor an address.
    #[error("{}:{line}: a line of a list of links begins with a domain, or with an address that has `://`", path.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A rule of YARA that is none.
    #[error("{}:{line}: {text}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        text: String,
    },
    /// This program cannot read rules of YARA.
    #[error("rules of YARA need a Postern that was built with them: {YARA_BUILD}")]
    NoYara,
    /// Mistyped, or another format.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// Something else before the digest.
    #[error("a line begins with a digest in hexadecimal")]
    NotHexadecimal,
    /// Cut, or of another kind.
    #[error("{digits} digits are none of SHA-256 (64), SHA-1 (40) and MD5 (32)")]
    Length {
        /// How many.
        digits: usize,
    },
}

/// Which digests are made. SHA-256 always is: it names an octet string for good, the others only for old lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestKinds {
    /// FIPS 180-4.
    pub sha1: bool,
    /// RFC 1321; it costs more than the other two together.
    pub md5: bool,
}

impl DigestKinds {
    /// What either asks for.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { sha1: self.sha1 || other.sha1, md5: self.md5 || other.md5 }
    }
}

/// Digests of a part, those that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// RFC 1321.
    pub md5: Option<[u8; 16]>,
    /// FIPS 180-4.
    pub sha1: Option<[u8; 20]>,
    /// FIPS 180-4.
    pub sha256: [u8; 32],
}

/// Makes the digests of octets that stream in.
#[derive(Clone, Debug)]
pub struct Digester {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Sha256,
    /// Octets of a block that is not complete.
    partial: usize,
}

/// Octets of a block of each of the three.
const BLOCK: usize = 64;

impl Digester {
    /// Makes those digests.
    pub fn new(kinds: DigestKinds) -> Self {
        Self {
            md5: kinds.md5.then(Md5::new),
            sha1: kinds.sha1.then(Sha1::new),
            sha256: Sha256::new(),
            partial: 0,
        }
    }

    /// Takes the next octets.
    ///
    /// Block by block where there are several: each step of a digest waits for the one before, and the processor
    /// fills the wait with steps of the others, which makes the three a third faster together.
    pub fn push(&mut self, octets: &[u8]) {
        if self.md5.is_none() && self.sha1.is_none() {
            self.sha256.update(octets);
            return;
        }
        let first = (BLOCK - self.partial) % BLOCK;
        let (first, rest) = octets.split_at_checked(first).unwrap_or((octets, &[]));
        self.update(first);
        for block in rest.chunks(BLOCK) {
            self.update(block);
        }
        self.partial = (self.partial + octets.len()) % BLOCK;
    }

    fn update(&mut self, octets: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(octets);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(octets);
        }
        self.sha256.update(octets);
    }

    /// The digests of all.
    pub fn finish(self) -> Digests {
        Digests {
            md5: self.md5.map(|md5| md5.finalize().into()),
            sha1: self.sha1.map(|sha1| sha1.finalize().into()),
            sha256: self.sha256.finalize().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DigestKinds, Digester, HashLists};
    use crate::wire::hexadecimal::hexadecimal;

    const ALL: DigestKinds = DigestKinds { sha1: true, md5: true };

    #[test]
    fn lists_of_every_kind_are_found_and_ask_for_no_other_digest() {
        let mut digester = Digester::new(ALL);
        digester.push(b"ab");
        digester.push(b"c");
        let digests = digester.finish();
        let (md5, sha1) = (digests.md5.unwrap(), digests.sha1.unwrap());
        assert_eq!(hexadecimal(&md5), "900150983cd24fb0d6963f7d28e17f72");
        let folder = tempfile::tempdir().unwrap();
        for (digest, name, kinds) in [
            (hexadecimal(&md5), "by md5", DigestKinds { sha1: false, md5: true }),
            (hexadecimal(&sha1).to_uppercase(), "by sha1", DigestKinds { sha1: true, md5: false }),
            (hexadecimal(&digests.sha256), "*file.exe", DigestKinds::default()),
        ] {
            let path = folder.path().join("list");
            std::fs::write(&path, format!("# comment\n\n{digest}  {name} # more\n")).unwrap();
            let lists = HashLists::load(&[path]).unwrap();
            assert_eq!(lists.kinds(), kinds);
            assert_eq!(lists.find(&digests), Some(name.trim_start_matches('*')));
            let mut asked = Digester::new(lists.kinds());
            asked.push(b"abc");
            assert_eq!(lists.find(&asked.finish()), Some(name.trim_start_matches('*')));
            assert_eq!(lists.find(&Digester::new(ALL).finish()), None);
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        let octets: Vec<u8> = (0..1000_u32).map(|i| (i % 251) as u8).collect();
        for kinds in [ALL, DigestKinds::default(), DigestKinds { sha1: true, md5: false }] {
            let digests = |step: usize| {
                let mut digester = Digester::new(kinds);
                octets.chunks(step).for_each(|piece| digester.push(piece));
                digester.finish()
            };
            let mut whole = Digester::new(kinds);
            whole.update(&octets);
            let whole = whole.finish();
            for step in [1, 3, 63, 64, 65, 100, 128, 1000] {
                assert_eq!(digests(step), whole, "{step}");
            }
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, format!("{}\nxyz\nabcd\n", "0".repeat(32))).unwrap();
        let problems = HashLists::load(&[path.clone(), folder.path().join("none")]).unwrap_err();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(problems[0].ends_with("list:2: a line begins with a digest in hexadecimal"), "{problems:?}");
        assert!(problems[1].contains("list:3: 4 digits"), "{problems:?}");
        assert!(problems[2].contains("cannot be read"), "{problems:?}");
        assert_eq!(problems.len(), 3);
    }
}
