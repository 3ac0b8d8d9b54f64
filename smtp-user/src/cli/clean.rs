//! `postern clean`: the safe copy of a file, offline. No daemon is needed, and none is asked.

use std::path::{Path, PathBuf};
use std::process;

use clap::Args;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::action::extract::{CleanedMember, ExtractError, Removed, Weeds, safe_copy};
use crate::cli::exit_code::ExitCode;
use crate::cli::file::{FileError, MAX_FILE, read, write};
use crate::cli::output;
use crate::content::ContentLimits;
use crate::event::sentence::printable;
use crate::wire::hexadecimal::hexadecimal;

/// Makes a copy of a document without what it does by itself.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
What a file is goes by its content. Copies are made of HTML, SVG, Office documents old and new, and PDF: scripts, macros,
actions, embedded objects and addresses that run something go, all else stays. Of a zip archive these documents are
cleaned, and every other member stays as it is packed. A file that has nothing of it gets no copy, and one that cannot be read for certain, or has what cannot be taken out, is refused: exit code 65.

Examples:
  postern clean offer.docm                       writes offer.clean.docm
  postern clean papers.zip                       writes papers.clean.zip
  postern clean page.html -o page.safe.html --json")]
pub struct CleanArgs {
    /// The file.
    pub file: PathBuf,
    /// Where to write [default: the file's name, with `.clean` before its extension].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Why there is no safe copy.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// It cannot be read, or not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// No copy can be made.
    #[error("no safe copy can be made of {}: {source}", path.display())]
    Extract {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ExtractError,
    },
}

impl From<&CleanError> for ExitCode {
    fn from(error: &CleanError) -> Self {
        match error {
            CleanError::File(error) => error.into(),
            CleanError::Extract { .. } => Self::Data,
        }
    }
}

/// What was done.
#[derive(Debug, Serialize)]
struct Done<'d> {
    file: &'d Path,
    kind: &'static str,
    /// Nothing, if the file needs no copy.
    written: Option<&'d Path>,
    octets: u64,
    removed: &'d Removed,
    /// Of the file.
    sha256: String,
    /// Of the copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_sha256: Option<String>,
    /// Of an archive, what out of which members.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    members: &'d [CleanedMember],
}

/// Runs `postern clean`.
pub fn run(args: &CleanArgs) -> anyhow::Result<process::ExitCode> {
    let octets = read(&args.file, MAX_FILE)?;
    let failed = |source| CleanError::Extract { path: args.file.clone(), source };
    let limits = ContentLimits { max_member: MAX_FILE, max_octets: MAX_FILE, ..ContentLimits::default() };
    let (kind, copy) = safe_copy(&octets, "", &[], &Weeds::default(), &limits).map_err(failed)?;
    let path = args.output.clone().unwrap_or_else(|| beside(&args.file));
    if let Some(copy) = &copy {
        write(&path, &copy.octets, args.force, 0o644).map_err(CleanError::from)?;
    }
    let nothing = Removed::default();
    let done = Done {
        file: &args.file,
        kind: kind.name(),
        written: copy.is_some().then_some(&path),
        octets: copy.as_ref().map_or(octets.len(), |copy| copy.octets.len()) as u64,
        removed: copy.as_ref().map_or(&nothing, |copy| &copy.removed),
        sha256: sha256(&octets),
        copy_sha256: copy.as_ref().map(|copy| sha256(&copy.octets)),
        members: copy.as_ref().map_or(&[], |copy| &copy.members),
    };
    if args.json {
        output::json_lines([&done])?;
    } else if let Some(path) = done.written {
        output::text(&format!("{}: without {}\n", path.display(), done.removed))?;
        for CleanedMember { place, removed, .. } in done.members {
            output::text(&format!("  {}: without {removed}\n", printable(place)))?;
        }
    } else {
        output::text(&format!("{}: nothing to take out, no copy is written\n", args.file.display()))?;
    }
    Ok(ExitCode::Ok.into())
}

fn sha256(octets: &[u8]) -> String {
    hexadecimal(&Sha256::digest(octets))
}

/// `a.docx` becomes `a.clean.docx`.
fn beside(file: &Path) -> PathBuf {
    match file.extension() {
        Some(extension) => {
            let mut last = std::ffi::OsString::from("clean.");
            last.push(extension);
            file.with_extension(last)
        }
        None => file.with_extension("clean"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CleanArgs, beside, run};
    use crate::content::fixture;
    use crate::content::fixture::zip::{Entry, archive};

    fn args(folder: &Path, file: &str) -> CleanArgs {
        CleanArgs { file: folder.join(file), output: None, force: false, json: true }
    }

    #[test]
    fn a_copy_stands_beside_the_original_which_stays() {
        let folder = tempfile::tempdir().unwrap();
        let page = "<html><body onload=x><p>text</p></body></html>";
        std::fs::write(folder.path().join("a.html"), page).unwrap();
        run(&args(folder.path(), "a.html")).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("a.clean.html"), "<html><body><p>text</p></body></html>");
        assert_eq!(read("a.html"), page);
        let error = run(&args(folder.path(), "a.html")).unwrap_err();
        assert!(error.to_string().contains("`--force` writes over it"), "{error}");
        run(&args(folder.path(), "a.clean.html")).unwrap();
        assert!(!folder.path().join("a.clean.clean.html").exists(), "nothing to take out");
    }

    #[test]
    fn an_archive_has_its_documents_cleaned() {
        let folder = tempfile::tempdir().unwrap();
        let page = Entry::deflated("docs/p.html", b"<p>text</p><script>x</script>");
        let original = archive(&[page, Entry::deflated("a.txt", b"text")]);
        std::fs::write(folder.path().join("a.zip"), &original).unwrap();
        run(&args(folder.path(), "a.zip")).unwrap();
        let copy = std::fs::read(folder.path().join("a.clean.zip")).unwrap();
        let mut copy = zip::ZipArchive::new(std::io::Cursor::new(copy)).unwrap();
        let page = std::io::read_to_string(copy.by_name("docs/p.html").unwrap()).unwrap();
        assert_eq!(page, "<p>text</p>");
        run(&CleanArgs { json: false, ..args(folder.path(), "a.clean.zip") }).unwrap();
        assert!(!folder.path().join("a.clean.clean.zip").exists(), "nothing to take out");
    }

    #[test]
    fn what_no_copy_is_made_of_is_said() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.pdf"), fixture::program()).unwrap();
        let error = run(&args(folder.path(), "a.pdf")).unwrap_err().to_string();
        assert!(error.contains("safe copies are made of HTML"), "{error}");
        std::fs::write(folder.path().join("b.pdf"), b"%PDF-1.4 cut").unwrap();
        let error = run(&args(folder.path(), "b.pdf")).unwrap_err().to_string();
        assert!(error.contains("it is damaged"), "{error}");
        let error = run(&args(folder.path(), "c.pdf")).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn names_of_copies() {
        for (name, copy) in [("a.docx", "a.clean.docx"), ("a", "a.clean"), ("x/a.b.c", "x/a.b.clean.c")] {
            assert_eq!(beside(Path::new(name)), Path::new(copy));
        }
    }
}
