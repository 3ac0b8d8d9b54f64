//! A file system in memory: counts its calls, fails or is cut off at one of them, and knows what a loss of power leaves.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::model::message_octets::MessageOctets;
use crate::spool::file_system::{FileSystem, Found, FoundKind, NewFile, Space, Unsynced};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed before it.
    KillBefore,
    /// The process is killed after it.
    KillAfter,
    /// It fails, with this kind of error.
    Error(io::ErrorKind),
    /// The process has as many files open as it may.
    NoDescriptors,
}

/// What is not done although it is asked for: the negative controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Omitted {
    pub(crate) file_syncs: bool,
    pub(crate) folder_syncs: bool,
}

/// A file's octets now, and those that a loss of power leaves. Disks that are copies of one another share them.
#[derive(Clone, Debug, Default)]
struct File {
    octets: Arc<Vec<u8>>,
    synced: Arc<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<File>,
    /// Names of each folder now, and those that a loss of power leaves.
    folders: BTreeMap<PathBuf, (Names, Names)>,
    /// Calls so far, by what they did.
    calls: Vec<String>,
    fault: Option<(usize, Fault)>,
    killed: bool,
    omitted: Omitted,
    space: Option<Space>,
    /// How many more files and folders can be opened to be read.
    readable: Option<usize>,
}

type Names = BTreeMap<String, usize>;

/// The file system; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    /// With an empty folder in it.
    pub(crate) fn with_folder(root: &Path) -> Self {
        let disk = Self::default();
        disk.state().folders.insert(root.to_owned(), (Names::new(), Names::new()));
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// One that goes on from the same state on its own.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Calls so far that change something.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Forgets the calls so far, and has something happen at the one of this number from now on.
    pub(crate) fn arm(&self, fault: Option<(usize, Fault)>) {
        let mut state = self.state();
        state.calls.clear();
        state.fault = fault;
    }

    pub(crate) fn omit(&self, omitted: Omitted) {
        self.state().omitted = omitted;
    }

    pub(crate) fn set_space(&self, space: Space) {
        self.state().space = Some(space);
    }

    /// From now on so many files and folders can be opened to be read, and then there are no descriptors.
    pub(crate) fn set_readable(&self, readable: Option<usize>) {
        self.state().readable = readable;
    }

    /// The process that was killed has a successor.
    pub(crate) fn restart(&self) {
        let mut state = self.state();
        state.killed = false;
        state.fault = None;
    }

    /// Leaves what a loss of power would: nothing that was not synced.
    pub(crate) fn lose_power(&self) {
        let mut state = self.state();
        for file in &mut state.files {
            file.octets = Arc::clone(&file.synced);
        }
        for (names, synced) in state.folders.values_mut() {
            *names = synced.clone();
        }
        state.killed = false;
        state.fault = None;
    }

    /// Changes a file behind the spool's back.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.find(path).unwrap();
        change(Arc::make_mut(&mut state.files[file].octets));
    }

    /// Adds a file behind the spool's back.
    pub(crate) fn plant(&self, path: &Path, octets: &[u8]) {
        let mut state = self.state();
        state.add(path, octets.to_vec());
    }

    /// Names of a folder's files.
    pub(crate) fn names(&self, folder: &Path) -> Vec<String> {
        self.state().folders[folder].0.keys().cloned().collect()
    }

    /// Does something that may be made to fail.
    fn call<T>(&self, what: String, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        if state.killed {
            return Err(killed());
        }
        let number = state.calls.len();
        state.calls.push(what);
        match state.fault.filter(|(at, _)| *at == number) {
            Some((_, Fault::KillBefore)) => {
                state.killed = true;
                Err(killed())
            }
            Some((_, Fault::KillAfter)) => {
                let _ = act(&mut state);
                state.killed = true;
                Err(killed())
            }
            Some((_, Fault::Error(kind))) => Err(io::Error::new(kind, "injected")),
            Some((_, Fault::NoDescriptors)) => Err(rustix::io::Errno::MFILE.into()),
            None => act(&mut state),
        }
    }
}

fn killed() -> io::Error {
    io::Error::other("killed")
}

impl State {
    fn open_to_read(&mut self) -> io::Result<()> {
        if let Some(readable) = &mut self.readable {
            *readable = readable.checked_sub(1).ok_or(rustix::io::Errno::MFILE)?;
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let (folder, name) = split(path);
        let names = &self.folders.get(folder).ok_or(io::ErrorKind::NotFound)?.0;
        names.get(&name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn add(&mut self, path: &Path, octets: Vec<u8>) -> usize {
        let (folder, name) = split(path);
        self.files.push(File { octets: Arc::new(octets), synced: Arc::default() });
        let file = self.files.len() - 1;
        self.folders.get_mut(folder).unwrap().0.insert(name, file);
        file
    }
}

fn split(path: &Path) -> (&Path, String) {
    (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned())
}

fn short(path: &Path) -> String {
    let (folder, _) = split(path);
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

impl FileSystem for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = self.call(format!("create in {}", short(path)), |state| {
            if state.find(path).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(state.add(path, Vec::new()))
        })?;
        Ok(Box::new(MemoryFile { disk: self.clone(), file, folder: short(path) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn MessageOctets>> {
        let mut state = self.state();
        if state.killed {
            return Err(killed());
        }
        state.open_to_read()?;
        Ok(Box::new(Vec::clone(&state.files[state.find(path)?].octets)))
    }

    fn mark(&self, path: &Path, places: &[u64], octet: u8) -> io::Result<Box<dyn Unsynced>> {
        let file = self.call(format!("mark in {}", short(path)), |state| {
            let file = state.find(path)?;
            let octets = Arc::make_mut(&mut state.files[file].octets);
            for place in places {
                octets[usize::try_from(*place).unwrap()] = octet;
            }
            Ok(file)
        })?;
        Ok(Box::new(MemoryFile { disk: self.clone(), file, folder: short(path) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(format!("rename from {} to {}", short(from), short(to)), |state| {
            let file = state.find(from)?;
            let ((from_folder, from_name), (to_folder, to_name)) = (split(from), split(to));
            state.folders.get_mut(from_folder).unwrap().0.remove(&from_name);
            state.folders.get_mut(to_folder).unwrap().0.insert(to_name, file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(format!("remove from {}", short(path)), |state| {
            state.find(path)?;
            let (folder, name) = split(path);
            state.folders.get_mut(folder).unwrap().0.remove(&name);
            Ok(())
        })
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.call("make folder".to_owned(), |state| {
            state.folders.insert(path.to_owned(), (Names::new(), Names::new()));
            Ok(())
        })
    }

    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(Box::new(MemoryFolder { disk: self.clone(), path: path.to_owned() }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.open_to_read()?;
        let folder = state.folders.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(folder.0.keys().cloned().collect())
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        let state = self.state();
        if state.folders.contains_key(path) {
            return Ok(Found { kind: FoundKind::Folder, octets: 0, owner: 0 });
        }
        let octets = state.files[state.find(path)?].octets.len() as u64;
        Ok(Found { kind: FoundKind::File, octets, owner: 0 })
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(self.state().space.unwrap_or(Space { octets: u64::MAX, files: u64::MAX }))
    }
}

/// A file that is being written.
#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
    folder: String,
}

/// A folder in which names have changed.
#[derive(Debug)]
struct MemoryFolder {
    disk: MemoryDisk,
    path: PathBuf,
}

impl Unsynced for MemoryFolder {
    fn sync(&mut self) -> io::Result<()> {
        let name = self.path.file_name().unwrap().to_str().unwrap();
        self.disk.call(format!("sync folder {name}"), |state| {
            if !state.omitted.folder_syncs {
                let (names, synced) = state.folders.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
                synced.clone_from(names);
            }
            Ok(())
        })
    }
}

impl NewFile for MemoryFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let file = self.file;
        self.disk.call(format!("write in {}", self.folder), |state| {
            Arc::make_mut(&mut state.files[file].octets).extend_from_slice(octets);
            Ok(())
        })
    }
}

impl Unsynced for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let file = self.file;
        self.disk.call(format!("sync file in {}", self.folder), |state| {
            if !state.omitted.file_syncs {
                let file = &mut state.files[file];
                file.synced = Arc::clone(&file.octets);
            }
            Ok(())
        })
    }
}
