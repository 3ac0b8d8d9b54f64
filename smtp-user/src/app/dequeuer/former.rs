//! Takes over what is left in folders that were the spool's before.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use crate::spool::error::SpoolError;
use crate::spool::former;
use crate::spool::store::Spool;

/// How soon a folder is tried again that somebody else works on, or that is not there.
const AGAIN: Duration = Duration::from_secs(5);

/// Works until nothing is left in any of them. What was moved is found in the spool as if it had just been taken in.
pub(super) async fn take_over(spool: Spool) {
    let mut said: HashMap<PathBuf, String> = HashMap::new();
    loop {
        let places = spool.places().clone();
        let listing = tokio::task::spawn_blocking(move || former::list(&places)).await;
        let all = match listing.map_err(io::Error::other) {
            Ok(Ok(all)) => all,
            Ok(Err(error)) if error.is_shortage() => {
                sleep(AGAIN).await;
                continue;
            }
            Ok(Err(error)) => return warn!(%error, "which folders were the spool's before cannot be read"),
            Err(error) => return warn!(%error, "which folders were the spool's before cannot be read"),
        };
        if all.is_empty() {
            return;
        }
        for folder in all {
            if let Err(error) = take_over_one(&spool, &folder).await {
                let why = error.to_string();
                // Once is enough, until it is for another reason.
                if said.get(&folder) != Some(&why) {
                    warn!(
                        folder = %folder.display(),
                        "what is left in the former spool waits: {why}. If nothing of it is wanted, remove {}",
                        spool.places().former().display()
                    );
                    said.insert(folder, why);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

async fn take_over_one(spool: &Spool, folder: &Path) -> Result<(), SpoolError> {
    let moved = former::move_all(folder, spool).await?;
    info!(
        messages = moved.messages,
        damaged = moved.damaged,
        from = %folder.display(),
        "what was left in the former spool is in this one"
    );
    let (places, folder) = (spool.places().clone(), folder.to_path_buf());
    let forgetting = tokio::task::spawn_blocking(move || former::forget(&places, &folder));
    forgetting.await.map_err(|_| SpoolError::Closed)?
}
