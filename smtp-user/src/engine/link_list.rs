//! Lists of addresses and domains that nobody should be led to, read again whenever a file changes.
//!
//! A line is a domain, which stands for everything below it too, or an address with `://`, which stands for everything that
//! begins with it; and a name if there is one. `#` begins a comment.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::content::links::Link;
use crate::engine::hash_list::{HashListError, ListVersion};

/// Lists of links that follow their files. Cheap to ask.
#[derive(Debug, Default)]
pub struct LinkLists {
    paths: Vec<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lists: Arc<Lists>,
    /// What the files looked like.
    seen: Vec<Option<(SystemTime, u64)>>,
    looked: Option<Instant>,
}

/// The lists as they were when they were asked for.
#[derive(Debug, Default)]
pub struct Lists {
    domains: HashMap<String, Box<str>>,
    addresses: HashMap<String, Box<str>>,
    version: Option<String>,
}

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Octets of a list at most.
const MAX_FILE: u64 = 256 << 20;
/// Characters of a name at most.
const MAX_NAME: usize = 100;

impl LinkLists {
    /// Reads lists; everything that is wrong with any of them is told.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Vec<HashListError>> {
        let state =
            State { seen: looks(paths), lists: Arc::new(Lists::read(paths)?), looked: Some(Instant::now()) };
        Ok(Self { paths: paths.to_vec(), state: Mutex::new(state) })
    }

    /// The lists as they are now. Files that changed are read again; while one cannot be read, the lists stay as they were.
    pub fn now(&self) -> Arc<Lists> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<Lists> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = state.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK);
        if !self.paths.is_empty() && is_due {
            state.looked = Some(now);
            let seen = looks(&self.paths);
            if seen != state.seen {
                match Lists::read(&self.paths) {
                    Ok(lists) => state.lists = Arc::new(lists),
                    Err(problems) => {
                        for problem in problems {
                            tracing::error!(%problem, "the lists of links stay as they were");
                        }
                    }
                }
                state.seen = seen;
            }
        }
        Arc::clone(&state.lists)
    }
}

fn looks(paths: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let look = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    paths.iter().map(look).collect()
}

impl Lists {
    fn read(paths: &[PathBuf]) -> Result<Self, Vec<HashListError>> {
        let (mut lists, mut problems) = (Self::default(), Vec::new());
        let mut version = ListVersion::default();
        for path in paths {
            match text(path) {
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

    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.addresses.is_empty()
    }

    /// The name of what a link leads to.
    pub fn find(&self, link: &Link) -> Option<&str> {
        let mut host = link.host.as_str();
        loop {
            if let Some(name) = self.domains.get(host) {
                return Some(name);
            }
            match host.split_once('.') {
                Some((_, above)) => host = above,
                None => break,
            }
        }
        if self.addresses.is_empty() {
            return None;
        }
        let url = link.url.as_str();
        let ends = url.char_indices().filter(|(_, c)| matches!(c, '/' | '?' | '&')).map(|(at, _)| at);
        let ends = ends.flat_map(|at| [at, at + 1]).chain([url.len()]);
        let mut ends = ends;
        ends.find_map(|end| self.addresses.get(url.get(..end)?)).map(AsRef::as_ref)
    }

    fn add(&mut self, path: &Path, text: &str, problems: &mut Vec<HashListError>) {
        for (index, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let name = if name.trim().is_empty() { "Listed-Link" } else { name.trim() };
            let name: Box<str> =
                name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().into();
            let is_address = word.contains("://");
            let given = if is_address { word.to_owned() } else { format!("http://{word}") };
            let read = crate::content::links::in_text(&given);
            match read.first() {
                Some(link) if is_address => {
                    self.addresses.insert(link.url.clone(), name);
                }
                Some(link) if link.url.strip_prefix("http://") == Some(link.host.as_str()) => {
                    self.domains.insert(link.host.clone(), name);
                }
                _ => problems.push(HashListError::Link { path: path.to_owned(), line: index + 1 }),
            }
        }
    }
}

fn text(path: &Path) -> Result<String, HashListError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|source| HashListError::Read { path: path.to_owned(), source })?;
    if text.len() as u64 > MAX_FILE {
        return Err(HashListError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::LinkLists;
    use crate::content::links::in_text;

    fn found(lists: &LinkLists, later: u64, text: &str) -> Option<String> {
        let lists = lists.at(Instant::now() + Duration::from_secs(later));
        lists.find(&in_text(text)[0]).map(str::to_owned)
    }

    #[test]
    fn domains_and_addresses_are_found_and_changes_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links");
        std::fs::write(&path, "# comment\nevil.example Phish.A\nhttps://host.example/bad/ Phish.B # more\n")
            .unwrap();
        let lists = LinkLists::load(std::slice::from_ref(&path)).unwrap();
        assert_eq!(found(&lists, 0, "http://www.EVIL.example/x").as_deref(), Some("Phish.A"));
        assert_eq!(found(&lists, 0, "http://a@evil.example:81").as_deref(), Some("Phish.A"));
        assert_eq!(found(&lists, 0, "https://host.example/bad/x?y").as_deref(), Some("Phish.B"));
        assert_eq!(found(&lists, 0, "https://host.example/badness"), None);
        assert_eq!(found(&lists, 0, "http://notevil.example"), None);
        std::fs::write(&path, "other.example\n").unwrap();
        assert_eq!(found(&lists, 0, "http://evil.example").as_deref(), Some("Phish.A"), "not yet");
        assert_eq!(found(&lists, 2, "http://evil.example"), None);
        assert_eq!(found(&lists, 2, "http://other.example").as_deref(), Some("Listed-Link"));
        let version =
            |later| lists.at(Instant::now() + Duration::from_secs(later)).version().map(str::to_owned);
        let before = version(2);
        // What cannot be read leaves things as they are.
        std::fs::write(&path, "!!\nthird.example\n").unwrap();
        assert_eq!(found(&lists, 4, "http://other.example").as_deref(), Some("Listed-Link"));
        assert_eq!((version(4), before.as_ref().map(String::len)), (before.clone(), Some(16)));
        std::fs::write(&path, "other.example\nfourth.example\n").unwrap();
        assert_ne!(version(5), before);
        assert_eq!(LinkLists::load(&[]).unwrap().now().version(), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found(&lists, 6, "http://other.example").as_deref(), Some("Listed-Link"));
    }

    #[test]
    fn mistakes_have_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links");
        std::fs::write(&path, "good.example\nbad.example/with/path\n").unwrap();
        let problems = LinkLists::load(&[path]).unwrap_err();
        assert!(problems[0].to_string().contains("links:2: "), "{problems:?}");
        assert_eq!(problems.len(), 1);
    }
}
