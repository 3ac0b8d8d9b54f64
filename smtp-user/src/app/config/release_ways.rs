//! How mail that is released from quarantine goes, by what its resource says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::app::config::Config;
use crate::app::config::resource::ResourceMode;
use crate::app::config::tls_files::{self, TlsFileProblem};
use crate::delivery::session::Manners;
use crate::gateway::quarantine::Way;
use crate::spool::intake::Intake;

/// How long the answer to a message that was sent is waited for (RFC 5321 §4.5.3.2.6).
const FINAL: Duration = Duration::from_mins(10);

/// The ways, by name of the resource. Without a spool, why there is none, for resources that should have it.
pub fn ways(
    config: &Config,
    hostname: &str,
    spool: Result<&Intake, &str>,
) -> Result<HashMap<String, Way>, TlsFileProblem> {
    let mut ways = HashMap::new();
    for resource in &config.resources {
        let way = match (resource.mode, spool) {
            (ResourceMode::Spool, Ok(spool)) => Way::Spool(spool.clone()),
            (ResourceMode::Spool, Err(why)) => Way::Shut(why.to_owned()),
            (ResourceMode::Proxy, _) => Way::Direct(Manners {
                hostname: hostname.to_owned(),
                timeout: config.spool.delivery.delivery_timeout,
                final_timeout: FINAL,
                server_tls: resource.server_tls,
                tls: Arc::new(tls_files::context(config, resource)?),
            }),
        };
        ways.insert(resource.name.clone(), way);
    }
    Ok(ways)
}
