//! Keeps services that come with packages from running: the tests start their own, in namespaces.

use std::path::Path;

use anyhow::{Context, Result};

use crate::root::Root;
use crate::workspace::find_program;

/// While this lives, no package starts a service; afterwards the named ones are switched off.
pub(crate) struct Quiet {
    root: Root,
    services: Vec<&'static str>,
    ours: bool,
}

impl Quiet {
    /// Forbids starting, where there is anything to forbid and the machine has no such rule of its own.
    pub(crate) fn begin(root: Root, services: &[&'static str]) -> Result<Self> {
        let ours = !services.is_empty() && !Path::new(RULE).exists();
        if ours {
            let script = format!("printf '#!/bin/sh\\nexit 101\\n' > {RULE} && chmod 755 {RULE}");
            root.run("sh", &["-c", &script]).context("keeping services from starting")?;
        }
        Ok(Self { root, services: services.to_vec(), ours })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.ours {
            // A leftover would keep every later package from starting its service.
            if let Err(error) = self.root.run("rm", &["-f", RULE]) {
                eprintln!("warning: {RULE} is left behind: {error:#}");
            }
        }
        if self.services.is_empty() || find_program("systemctl").is_none() {
            return;
        }
        let mut words = vec!["disable", "--quiet"];
        words.extend(&self.services);
        // Without systemd there is nothing that would start them.
        let _ = self.root.run("systemctl", &words);
    }
}

/// What `invoke-rc.d` asks before it starts anything; 101 is "forbidden".
const RULE: &str = "/usr/sbin/policy-rc.d";
