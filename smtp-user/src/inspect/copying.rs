//! Has safe copies made where that disturbs nobody.

use std::sync::Arc;

use crate::inspect::config::PageCopy;
use crate::inspect::inspector::Inspector;
use crate::worker::copy;
use crate::worker::error::WorkerError;
use crate::worker::protocol::{Copied, Original, Pages};

impl Inspector {
    /// Has a safe copy made of a part of this declared type and character set: by a worker, in the time that a part has to be
    /// unpacked. `members`: those of an archive that are to be cleaned; none: all that can be.
    pub async fn copy(
        &self,
        media_type: &str,
        charset: Option<String>,
        members: &[String],
        octets: Vec<u8>,
    ) -> Result<(Copied, Vec<u8>), WorkerError> {
        let shared = Arc::clone(self.shared());
        let original = Original {
            media_type: media_type.to_owned(),
            pages: match shared.rewriting.pages {
                PageCopy::Page => Pages::Page,
                PageCopy::Text => Pages::Text { charset },
            },
            weeds: shared.rewriting.weeds.clone(),
            limits: shared.contents,
            members: members.to_vec(),
            length: octets.len() as u64,
        };
        let mut lane = shared.lanes.enter().await;
        let copied = tokio::task::spawn_blocking(move || match &shared.workers {
            Some(workers) => workers.copy(&original, octets, shared.contents.deadline, &mut lane),
            None => Ok(copy::copy(&original, &octets)),
        });
        copied.await.unwrap_or_else(|error| Err(WorkerError::Died { how: error.to_string() }))
    }
}
