//! Which certificates are the gateway's own: the inspection CA that signs leaves, or those that were imported.

use std::path::{Path, PathBuf};

use crate::app::config::resource::ClientTls;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH, tls_files};
use crate::tls::certificate_facts::{certificate_facts, is_signed_by};
use crate::tls::identity::certificates;

/// What the certificate that a client sees may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// Certificates, DER: shown as they are, or of CAs that sign what is shown. Each with its file.
    certificates: Vec<(Vec<u8>, PathBuf)>,
    /// SHA-256 of imported certificates, hexadecimal, with their files.
    imported: Vec<(String, PathBuf)>,
    /// Why there are none, or not all of them.
    problem: Option<String>,
}

/// How a certificate was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    /// It is the one in a file.
    Imported(PathBuf),
    /// It was signed by the CA in a file.
    Minted(PathBuf),
}

impl Ours {
    /// From a file of certificates, else from what a configuration names.
    pub(super) fn load(file: Option<&Path>, config: Option<&Path>) -> Self {
        match file {
            Some(file) => Self::of_file(file),
            None => Self::of_config(config.unwrap_or(DEFAULT_CONFIG_PATH.as_ref())),
        }
    }

    /// Why it cannot be told, if nothing is known.
    pub(super) fn unknown(&self) -> Option<String> {
        let is_empty = self.certificates.is_empty() && self.imported.is_empty();
        is_empty.then(|| {
            self.problem
                .clone()
                .unwrap_or_else(|| "no resource of the configuration has a `client_tls`".to_owned())
        })
    }

    /// Whether a certificate is ours.
    pub(super) fn recognise(&self, leaf: &[u8]) -> Option<Recognised> {
        let sha256 = certificate_facts(leaf).sha256;
        let imported = self.imported.iter().find(|(known, _)| *known == sha256);
        if let Some((_, file)) = imported {
            return Some(Recognised::Imported(file.clone()));
        }
        self.certificates.iter().find_map(|(certificate, file)| {
            if certificate == leaf {
                return Some(Recognised::Imported(file.clone()));
            }
            is_signed_by(leaf, certificate).then(|| Recognised::Minted(file.clone()))
        })
    }

    fn of_file(file: &Path) -> Self {
        let mut ours = Self::default();
        match std::fs::read(file) {
            Ok(pem) => ours.add(&pem, file),
            Err(error) => ours.problem = Some(format!("{} cannot be read: {error}", file.display())),
        }
        ours
    }

    fn of_config(path: &Path) -> Self {
        let mut ours = Self::default();
        let config = match Config::load(path) {
            Ok(config) => config,
            Err(error) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                ours.problem = Some(format!("the configuration cannot be used: {first}"));
                return ours;
            }
        };
        for resource in &config.resources {
            match &resource.client_tls {
                ClientTls::Off => {}
                ClientTls::Mint => {
                    let store = config.inspection_ca.store(&config.gateway.data_dir);
                    match store.certificate_pem() {
                        Ok(pem) => ours.add(&pem, &store.certificate),
                        Err(error) => ours.problem = Some(error.to_string()),
                    }
                }
                ClientTls::Imported { certificate, .. } => {
                    let shown = tls_files::shown(&config, resource);
                    ours.imported.extend(shown.map(|facts| (facts.sha256, certificate.clone())));
                }
            }
        }
        ours
    }

    fn add(&mut self, pem: &[u8], file: &Path) {
        match certificates(pem) {
            Ok(found) => self.certificates.extend(found.iter().map(|der| (der.to_vec(), file.to_owned()))),
            Err(error) => self.problem = Some(format!("{}: {error}", file.display())),
        }
    }
}
