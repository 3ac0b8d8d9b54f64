//! What all inspections share.

use std::sync::Arc;

use crate::inspect::config::Config;
use crate::inspect::inspection::Inspection;

/// What all inspections share: limits, lists and engines. Built once, and once more on reload.
#[derive(Clone, Debug)]
pub struct Inspector {
    config: Arc<Config>,
}

impl Inspector {
    /// Reads the lists; what is wrong with them is told file by file and line by line.
    pub fn new(config: Config) -> Result<Self, InspectorError> {
        Ok(Self { config: Arc::new(config) })
    }

    /// Begins to look at a message.
    pub fn begin(&self) -> Inspection {
        Inspection::new(Arc::clone(&self.config))
    }
}

/// Why an inspector cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum InspectorError {}
