//! The configuration file: read, checked as a whole, and turned into values that hold together.
//!
//! Every mistake is reported at once, each with its place and, where it can be told, what to write instead.

pub mod diagnostic;
pub mod duration;
pub(crate) mod engine;
pub(crate) mod envelope;
pub mod extent;
pub mod gateway;
pub(crate) mod header;
pub mod inspection;
pub mod inspection_ca;
pub mod inspector;
pub mod lock_key;
pub(crate) mod part_rule;
pub mod problem;
pub mod quarantine;
pub mod records;
pub mod release_ways;
pub mod resource;
pub(crate) mod rewriting;
pub mod size;
pub mod spool;
pub mod tls_files;

pub(crate) mod document;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::app::config::diagnostic::{ConfigErrors, Diagnostic};
use crate::app::config::document::FileKind;
use crate::app::config::gateway::GatewayConfig;
use crate::app::config::inspection_ca::InspectionCa;
use crate::app::config::inspector::InspectorConfig;
use crate::app::config::quarantine::QuarantineConfig;
use crate::app::config::records::Records;
use crate::app::config::resource::{FileSpans, Resource, ResourceMode};
use crate::app::config::spool::SpoolConfig;
use crate::app::resolve;
use crate::inspect;
use crate::policy::packet_rules::PacketRules;

/// Where the configuration is looked for.
pub const DEFAULT_CONFIG_PATH: &str = "/etc/postern/postern.toml";

/// Octets of a configuration file at most: room for the largest rule text and as much again.
pub const MAX_CONFIG_BYTES: u64 = 2 << 20;

/// A configuration that holds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What it was read from, for messages.
    pub file: String,
    /// What it was read from: whoever works by it in another process reads the same. Empty where there is no file.
    pub text: String,
    /// The gateway itself.
    pub gateway: GatewayConfig,
    /// The inspector.
    pub inspector: InspectorConfig,
    /// The packet rules, with ids as if no policy had been loaded before
    /// ([`PacketRules::keep_ids`] gives them those of a loaded one).
    pub rules: PacketRules,
    /// How much of the past is kept.
    pub records: Records,
    /// How mail is inspected; paths in it are as they were written.
    pub inspection: inspect::Config,
    /// The CA that mints leaves.
    pub inspection_ca: InspectionCa,
    /// Store-and-forward, of resources with `mode = "spool"`.
    pub spool: SpoolConfig,
    /// Mail that was accepted and not sent on.
    pub quarantine: QuarantineConfig,
    /// The resources that the inspector takes flows for.
    pub resources: Vec<Resource>,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// Reads the text of a configuration; `file` is its name in messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigErrors> {
        let kind = FileKind::Configuration;
        resolve::resolve(document::read(text, kind), kind, text, file)
    }

    /// Reads a configuration file and the certificates and keys that it names.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Ok(Self::of_text(path, read_text(path)?)?)
    }

    /// The same of the text of a file that was read before.
    pub fn of_text(path: &Path, text: String) -> Result<Self, ConfigErrors> {
        let (mut config, spans) = Self::read_with_places(path, &text)?;
        tls_files::check(&mut config, &spans, &text)?;
        config.text = text;
        Ok(config)
    }

    /// Reads a configuration file, and none that it names: they may be still to be made.
    pub fn load_alone(path: &Path) -> Result<Self, LoadError> {
        let text = read_text(path)?;
        Ok(Self::read_with_places(path, &text)?.0)
    }

    /// Octets of a message at most, by who owns it.
    pub fn max_message(&self, mode: ResourceMode) -> u64 {
        match mode {
            ResourceMode::Proxy => self.inspector.max_message,
            ResourceMode::Spool => self.spool.max_mail_size.min(self.inspector.max_message),
        }
    }

    fn read_with_places(path: &Path, text: &str) -> Result<(Self, Vec<FileSpans>), ConfigErrors> {
        let kind = FileKind::Configuration;
        let document = document::read(text, kind);
        let spans = document.resources.iter().map(|table| table.file_spans.clone()).collect();
        let mut config = resolve::resolve(document, kind, text, &path.display().to_string())?;
        tls_files::anchor(&mut config, path.parent().unwrap_or_else(|| Path::new("")));
        Ok((config, spans))
    }
}

/// Rules for a gateway that runs, from a file of their own or from a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFile {
    /// The rules, with ids as in [`Config::rules`].
    pub rules: PacketRules,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

impl RuleFile {
    /// Reads the text of a file of rules; `file` is its name in messages. Interfaces and resources that
    /// rules name are checked if the text says which there are.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigErrors> {
        let kind = FileKind::Rules;
        let config = resolve::resolve(document::read(text, kind), kind, text, file)?;
        Ok(Self { rules: config.rules, warnings: config.warnings })
    }

    /// Reads a file of rules.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = read_text(path)?;
        Ok(Self::parse(&text, &path.display().to_string())?)
    }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut octets));
    read.map_err(|source| LoadError::of(path, source))?;
    if octets.len() as u64 > MAX_CONFIG_BYTES {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(octets).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = valid.split(|&octet| octet == b'\n').count();
        LoadError::Encoding { path: path.to_owned(), line }
    })
}

/// Why a file gives no configuration and no rules.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not made yet, or another path was meant.
    #[error("there is no file {}", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// Run as another user than the file is for.
    #[error("the file {} may not be read", path.display())]
    Permission {
        /// The path.
        path: PathBuf,
    },
    /// A folder, or a failing disk.
    #[error("the file {} cannot be read", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Hardly a configuration.
    #[error("the file {} is larger than {MAX_CONFIG_BYTES} octets", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
    },
    /// Saved in another encoding.
    #[error("{}:{line}: the text is not UTF-8", path.display())]
    Encoding {
        /// The path.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Mistakes in it.
    #[error(transparent)]
    Invalid(#[from] ConfigErrors),
}

impl LoadError {
    fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::Permission { path },
            _ => Self::Read { path, source },
        }
    }
}

#[cfg(test)]
mod tests;
