//! Which folder the spool had at the last start: if it has another one now, the dequeuer moves what is left there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tracing::info;

use super::FOLDER;
use crate::spool::former;
use crate::spool::place::Places;

/// The file in the data folder that names it.
const FILE: &str = "rundir";

/// Takes note of the folder that the spool has now, and in there of the one that it had before, if that is another one.
pub(super) fn note(data_dir: &Path, places: &Places) -> anyhow::Result<()> {
    let (file, folder) = (data_dir.join(FILE), places.root());
    let before = match fs::read_to_string(&file) {
        Ok(text) => PathBuf::from(text.trim_end_matches('\n')),
        // Where it is if nobody says anything else.
        Err(error) if error.kind() == io::ErrorKind::NotFound => data_dir.join(FOLDER),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    if before != folder {
        if Places::new(&before).format().exists() {
            info!(
                before = %before.display(),
                now = %folder.display(),
                "the spool has another folder; what is queued in the former one is moved"
            );
            former::add(places, &before)?;
        }
    } else if file.exists() {
        return Ok(());
    }
    // Only now: whoever was killed in between does it again.
    write(&file, folder).with_context(|| format!("writing {}", file.display()))
}

fn write(file: &Path, folder: &Path) -> io::Result<()> {
    let data_dir = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(data_dir)?;
    let mut new = tempfile::NamedTempFile::new_in(data_dir)?;
    io::Write::write_all(&mut new, folder.as_os_str().as_encoded_bytes())?;
    io::Write::write_all(&mut new, b"\n")?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_the_spool_had_before_is_named_in_the_one_that_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let at = |name: &str| {
            let root = folder.path().join(name);
            fs::create_dir_all(&root).unwrap();
            Places::new(&root)
        };
        let (one, two) = (at("one"), at("two"));
        // A folder that has never been a spool has nothing in it.
        note(&data_dir, &one).unwrap();
        assert_eq!(former::list(&one).unwrap(), Vec::<PathBuf>::new());
        fs::write(one.format(), "").unwrap();
        for _ in 0..2 {
            note(&data_dir, &two).unwrap();
            assert_eq!(former::list(&two).unwrap(), [one.root()]);
        }
        former::forget(&two, one.root()).unwrap();
        assert!(!two.former().exists());
        note(&data_dir, &two).unwrap();
        assert_eq!(former::list(&two).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_default_folder_was_the_spools_if_nothing_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let default = Places::new(&folder.path().join(FOLDER));
        fs::create_dir_all(default.root()).unwrap();
        fs::write(default.format(), "").unwrap();
        let other = Places::new(&folder.path().join("other"));
        fs::create_dir_all(other.root()).unwrap();
        note(folder.path(), &other).unwrap();
        assert_eq!(former::list(&other).unwrap(), [default.root()]);
    }
}
