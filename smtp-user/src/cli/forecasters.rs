//! What messages would meet under a configuration: a forecaster for each of its resources.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::action::clk::LockKey;
use crate::action::envelope::EnvelopeRule;
use crate::app::config::extent::Extent;
use crate::app::config::lock_key::{self, LockKeyError};
use crate::app::config::quarantine::Originals;
use crate::app::config::resource::{DEFAULT_HOLD, Resource, ResourceMode};
use crate::app::config::{Config, inspection};
use crate::cli::mistake::CommandError;
use crate::gateway::forecast::Forecaster;
use crate::inspect::inspector::InspectorError;
use crate::inspect::{self, Inspector};
use crate::limits::Timeout;
use crate::policy::part_action::PartAction;
use crate::policy::suggest::closest;
use crate::transport::held_message::HoldLimits;
use crate::wire::smtp::data::LineEnds;
use crate::worker::pool::Pool;

/// A forecaster for each resource of a configuration.
pub(super) struct Forecasters<'c> {
    config: &'c Config,
    inspector: Inspector,
    lock_key: Option<LockKey>,
    /// The key is none of the gateway's, which has made none yet.
    pub(super) has_other_key: bool,
}

/// A resource's forecaster.
pub(super) struct Of {
    /// What it is called, if there is one.
    pub(super) resource: Option<String>,
    /// What foretells.
    pub(super) forecaster: Forecaster,
    /// What is done about paths of its envelopes.
    pub(super) envelope: Vec<EnvelopeRule>,
    /// How long its final reply waits for the verdict, if the gateway takes messages over.
    pub(super) hold: Option<Duration>,
}

impl<'c> Forecasters<'c> {
    /// Reads the lists and the key that the configuration names; makes nothing on disk.
    pub(super) fn new(config: &'c Config) -> anyhow::Result<Self> {
        let workers = Arc::new(Pool::of_this_program());
        Self::with(config, |looks| Inspector::with_workers(looks, workers))
    }

    /// The same, but what has to be unpacked is unpacked in this process.
    #[cfg(test)]
    pub(super) fn without_workers(config: &'c Config) -> anyhow::Result<Self> {
        Self::with(config, Inspector::new)
    }

    fn with(
        config: &'c Config,
        inspector: impl FnOnce(inspect::Config) -> Result<Inspector, InspectorError>,
    ) -> anyhow::Result<Self> {
        let inspector = inspector(inspection::within(&config.inspection, Path::new(&config.file)))?;
        let (lock_key, has_other_key) = lock_key(config)?;
        Ok(Self { config, inspector, lock_key, has_other_key })
    }

    /// The configuration file.
    pub(super) fn file(&self) -> &str {
        &self.config.file
    }

    /// Of the resource of this name; of the first without one.
    pub(super) fn of(&self, resource: Option<&str>) -> Result<Of, CommandError> {
        let all = &self.config.resources;
        let Some(name) = resource else { return Ok(self.made(all.first())) };
        let found = all.iter().find(|resource| resource.name == name);
        if found.is_none() {
            let suggestion = closest(name, all.iter().map(|resource| resource.name.as_str()));
            let suggestion = suggestion.map(str::to_owned);
            return Err(CommandError::NoResource { name: name.to_owned(), suggestion });
        }
        Ok(self.made(found))
    }

    fn made(&self, resource: Option<&Resource>) -> Of {
        let mode = resource.map_or(ResourceMode::Proxy, |resource| resource.mode);
        let takes_over = mode == ResourceMode::Spool;
        let mut hold = HoldLimits::new(&std::env::temp_dir());
        hold.max_octets = self.config.inspector.max_message;
        let forecaster = Forecaster {
            inspector: resource.map_or(Extent::Full, |resource| resource.inspection).of(&self.inspector),
            lock_key: self.lock_key.clone(),
            header: resource.map(|resource| resource.header.clone()).unwrap_or_default(),
            hold,
            line_ends: LineEnds::default(),
            max_octets: self.config.max_message(mode),
            patience: self.config.inspector.timeouts.of(Timeout::Judgement),
            takes_over,
            keeps_for_header: self.config.quarantine.keep_originals == Originals::All,
        };
        let wait = resource.and_then(|resource| resource.hold).unwrap_or(DEFAULT_HOLD);
        Of {
            resource: resource.map(|resource| resource.name.clone()),
            envelope: resource.map(|resource| resource.envelope.clone()).unwrap_or_default(),
            forecaster,
            hold: takes_over.then_some(wait),
        }
    }
}

/// The gateway's key where a rule locks, or one of chance where the gateway has made none yet or it may not be read; and
/// whether it is that.
fn lock_key(config: &Config) -> anyhow::Result<(Option<LockKey>, bool)> {
    if !config.inspection.rules.iter().any(|rule| rule.action == PartAction::Lock) {
        return Ok((None, false));
    }
    match lock_key::read(&config.gateway.data_dir.join(lock_key::FILE)) {
        Ok(key) => Ok((Some(key), false)),
        Err(LockKeyError::Read { .. }) => {
            let mut octets = [0; 32];
            aws_lc_rs::rand::fill(&mut octets).map_err(|_| LockKeyError::Chance)?;
            Ok((Some(LockKey::new(octets)), true))
        }
        Err(error) => Err(error.into()),
    }
}
