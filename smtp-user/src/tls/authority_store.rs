//! The files of the inspection CA.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::tls::authority::{Authority, NewAuthority};
use crate::tls::setup_error::TlsSetupError;

/// Where the inspection CA's certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityStore {
    /// PEM file of the certificate, followed by those of its issuers if it is not self-signed.
    pub certificate: PathBuf,
    /// PEM file of the key; nobody but its owner may read it.
    pub key: PathBuf,
}

impl AuthorityStore {
    /// The CA that `postern ca init` makes.
    pub fn in_data_dir(data_dir: &Path) -> Self {
        let folder = data_dir.join("ca");
        Self { certificate: folder.join("ca.pem"), key: folder.join("ca.key") }
    }

    /// Loads the CA.
    pub fn load(&self) -> Result<Authority, AuthorityError> {
        let chain = self.certificate_pem()?;
        let key = read(&self.key)?;
        Authority::from_pem(&chain, &key).map_err(|problem| {
            let path = match problem {
                TlsSetupError::Key | TlsSetupError::NoKey => &self.key,
                _ => &self.certificate,
            };
            AuthorityError::File { path: path.clone(), problem }
        })
    }

    /// The certificate as it is in its file.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, AuthorityError> {
        read(&self.certificate)
    }

    /// Makes a CA and writes its files. One that is there already is only replaced when asked for: every
    /// originator that trusts it would have to be told.
    pub fn create(&self, common_name: &str, days: u16, replace: bool) -> Result<Authority, AuthorityError> {
        if !replace && let Some(path) = [&self.key, &self.certificate].into_iter().find(|path| path.exists())
        {
            return Err(AuthorityError::Exists { path: path.clone() });
        }
        let refused = |problem| AuthorityError::File { path: self.certificate.clone(), problem };
        let new = NewAuthority::generate(common_name, days).map_err(refused)?;
        write(&self.key, new.key.as_bytes(), 0o600)?;
        write(&self.certificate, new.certificate.as_bytes(), 0o644)?;
        self.load()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => AuthorityError::Missing { path: path.to_owned() },
        _ => AuthorityError::Io { path: path.to_owned(), source },
    })
}

/// Under another name first, so that there is never half a file.
fn write(path: &Path, octets: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let at = |source| AuthorityError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(at)?;
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).map_err(at)?;
    file.write_all(octets).and_then(|()| file.sync_all()).map_err(at)?;
    fs::rename(&new, path).map_err(at)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)
}

/// Why there is no inspection CA.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not made yet.
    #[error("there is no inspection CA: {} does not exist; make one with `postern ca init`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Made before.
    #[error("{} is there already; originators trust that CA: replace it with `--force`", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Run as another user, or the disk is full.
    #[error("the file {} of the inspection CA cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else is in the file.
    #[error("the file {} is of no use as inspection CA: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: TlsSetupError,
    },
}
