//! What every command that reads records is told, and how it finds them.

use std::path::PathBuf;

use clap::Args;

use crate::app::config::gateway::DEFAULT_DATA_DIR;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH, LoadError};
use crate::audit::config::FOLDER;
use crate::audit::error::Result;
use crate::audit::reader::Reader;
use crate::cli::output;
use crate::cli::quantity::counted;

/// Which records, and how to print.
#[derive(Clone, Debug, Args)]
pub struct RecordsArgs {
    /// Configuration file that names the data folder [default: /etc/postern/postern.toml if it exists].
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the records, in place of the one in the data folder.
    #[arg(long, value_name = "DIR", env = "POSTERN_RECORDS", conflicts_with = "config")]
    pub records: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl RecordsArgs {
    /// The folder of the records.
    pub fn folder(&self) -> std::result::Result<PathBuf, LoadError> {
        if let Some(folder) = &self.records {
            return Ok(folder.clone());
        }
        let data_dir = match &self.config {
            Some(path) => Config::load(path)?.gateway.data_dir,
            None => match Config::load(DEFAULT_CONFIG_PATH.as_ref()) {
                Ok(config) => config.gateway.data_dir,
                // Whoever looks at records need not be able to read, or to correct, the configuration.
                Err(_) => PathBuf::from(DEFAULT_DATA_DIR),
            },
        };
        Ok(data_dir.join(FOLDER))
    }

    /// Reads records from a moment on.
    pub fn open(&self, from: u64) -> anyhow::Result<Reader> {
        Ok(self.try_open(from)??)
    }

    /// As [`open`](Self::open), but what is wrong with the records is told apart.
    pub fn try_open(&self, from: u64) -> std::result::Result<Result<Reader>, LoadError> {
        Ok(Reader::open(&self.folder()?, from))
    }
}

/// Says how many lines could not be read, if any.
pub fn notice_unreadable(reader: &Reader) {
    let lines = usize::try_from(reader.unreadable()).unwrap_or(usize::MAX);
    if lines > 0 {
        output::notice(&format!("{} in the records could not be read", counted(lines, "line")));
    }
}
