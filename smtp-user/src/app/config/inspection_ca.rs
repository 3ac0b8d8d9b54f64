//! The `[inspection_ca]` table: where the CA's certificate and key are, if not where `postern ca init` puts them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::app::config::document::Notes;
use crate::app::config::problem::ConfigProblem;
use crate::policy::toml_table::TableReader;
use crate::tls::authority_store::AuthorityStore;

/// Where the inspection CA is. Relative paths are meant from the configuration file's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectionCa {
    /// PEM file of the certificate, with those of its issuers behind it. Default `ca/ca.pem` in the data folder.
    pub certificate: Option<PathBuf>,
    /// PEM file of the key. Default `ca/ca.key` in the data folder.
    pub key: Option<PathBuf>,
}

impl InspectionCa {
    /// The files.
    pub fn store(&self, data_dir: &Path) -> AuthorityStore {
        let default = AuthorityStore::in_data_dir(data_dir);
        AuthorityStore {
            certificate: self.certificate.clone().unwrap_or(default.certificate),
            key: self.key.clone().unwrap_or(default.key),
        }
    }
}

const KEYS: &[&str] = &["certificate", "key"];

/// Reads the table. Certificate and key come from one hand: both are named, or none.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> InspectionCa {
    let mut reader = TableReader::new(table, span, "[inspection_ca]", KEYS);
    reader.require("certificate");
    reader.require("key");
    let mut path = |key| {
        let text = reader.text(key)?;
        if text.get_ref().is_empty() {
            notes.error(text.span(), ConfigProblem::EmptyPath { key });
        }
        Some(PathBuf::from(*text.get_ref()))
    };
    let ca = InspectionCa { certificate: path("certificate"), key: path("key") };
    notes.adopt(reader.finish());
    ca
}
