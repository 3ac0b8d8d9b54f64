//! What all inspections share.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::content::ContentLimits;
use crate::engine;
use crate::engine::hash_list::{DigestKinds, HashListError, HashLists};
use crate::engine::link_list::LinkLists;
use crate::engine::remote::Engine;
use crate::inspect::cache::Cache;
use crate::inspect::config::{Actions, Config, Rewriting};
use crate::inspect::inspection::Inspection;
#[cfg(doc)]
use crate::model::decision::MessageVerdict;
use crate::policy::part_rule::PartRule;
use crate::wire::mime::walk::WalkLimits;
use crate::worker::lane::Lanes;
use crate::worker::pool::Pool;

/// What all inspections share: limits, lists and engines. Built once, and once more on reload.
#[derive(Clone, Debug)]
pub struct Inspector {
    shared: Arc<Shared>,
    looks: bool,
}

/// What an inspection takes from its inspector.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: WalkLimits,
    pub(crate) contents: ContentLimits,
    /// Parts that are unpacked or copied at a time: each may take memory up to its limits.
    pub(crate) lanes: Lanes,
    /// Who unpacks; without them it is done in this process.
    pub(crate) workers: Option<Arc<Pool>>,
    pub(crate) lists: Arc<HashLists>,
    pub(crate) links: Arc<LinkLists>,
    /// What was found out about parts before, and the settings that it was found out under.
    pub(super) cache: Cache,
    pub(super) settings: String,
    /// Those that the records are to have, and those that the lists are searched by.
    pub(crate) digests: DigestKinds,
    pub(crate) executables: bool,
    pub(crate) engines: Vec<Engine>,
    pub(crate) actions: Actions,
    pub(crate) rules: Vec<PartRule>,
    pub(crate) rewriting: Rewriting,
}

impl Shared {
    /// The lists there are now, and what tells them from those that there were.
    pub(crate) fn list_versions(&self) -> Vec<(String, String)> {
        let links = self.links.now();
        let lists = [("hash_lists", self.lists.version()), ("link_lists", links.version())];
        let version = |(name, version): (&str, Option<&str>)| Some((name.to_owned(), version?.to_owned()));
        lists.into_iter().filter_map(version).collect()
    }
}

impl Inspector {
    /// Reads the lists; what is wrong with them is told file by file and line by line. Unpacks in this process.
    pub fn new(config: Config) -> Result<Self, InspectorError> {
        Self::build(config, None)
    }

    /// The same, but what has to be unpacked is given to workers.
    pub fn with_workers(config: Config, workers: Arc<Pool>) -> Result<Self, InspectorError> {
        Self::build(config, Some(workers))
    }

    fn build(config: Config, workers: Option<Arc<Pool>>) -> Result<Self, InspectorError> {
        let lists = HashLists::load(&config.hash_lists).map_err(|problems| InspectorError { problems })?;
        let links = LinkLists::load(&config.link_lists).map_err(|problems| InspectorError { problems })?;
        let engines = load_engines(config.engines)?;
        let settings =
            format!("{:?} {:?} {}", config.contents, config.digests.or(lists.kinds()), config.executables);
        let shared = Shared {
            links: Arc::new(links),
            cache: Cache::default(),
            settings,
            limits: config.limits,
            digests: config.digests.or(lists.kinds()),
            contents: config.contents,
            lanes: Lanes::new(processors(), SLOW * processors()),
            workers,
            lists: Arc::new(lists),
            executables: config.executables,
            engines,
            actions: config.actions,
            rules: config.rules,
            rewriting: config.rewriting,
        };
        Ok(Self { shared: Arc::new(shared), looks: true })
    }

    /// For messages that are not to be looked at: each is [`MessageVerdict::NotInspected`], and passes.
    #[must_use]
    pub fn without_looking(&self) -> Self {
        Self { looks: false, ..self.clone() }
    }

    /// Whether messages are looked at.
    pub const fn looks(&self) -> bool {
        self.looks
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Every engine's name, and what it says it is now, signatures included; lists are one, too. None is asked about
    /// messages that are not looked at.
    pub async fn engines(&self) -> Vec<(String, Option<String>)> {
        if !self.looks {
            return Vec::new();
        }
        let lists = self.shared.list_versions().into_iter();
        let mut engines: Vec<_> = lists.map(|(name, version)| (name, Some(version))).collect();
        for engine in &self.shared.engines {
            engines.push(engine.current().await);
        }
        engines
    }

    /// Whether every engine is at work, as far as that can be known.
    pub async fn engines_are_at_work(&self) -> bool {
        let engines = if self.looks { self.shared.engines.as_slice() } else { &[] };
        join_all(engines.iter().map(Engine::is_at_work)).await.into_iter().all(|is_at_work| is_at_work)
    }

    /// Begins to look at a message.
    pub fn begin(&self) -> Inspection {
        self.begin_again(Vec::new())
    }

    /// How messages are rewritten of which a part may not pass.
    pub fn rewriting(&self) -> &Rewriting {
        &self.shared.rewriting
    }

    /// How far the parts of a message are followed.
    pub fn limits(&self) -> WalkLimits {
        self.shared.limits
    }

    /// Begins to look at a message that was rewritten: parts of these numbers, and what is within them, are our own, and no
    /// rule on parts is asked about them.
    pub fn begin_again(&self, replaced: Vec<String>) -> Inspection {
        Inspection::new(Arc::clone(&self.shared), replaced, self.looks)
    }
}

/// With everything that is wrong with what any of them reads.
fn load_engines(configs: Vec<engine::config::Config>) -> Result<Vec<Engine>, InspectorError> {
    let (mut engines, mut all) = (Vec::new(), Vec::new());
    for config in configs {
        match Engine::load(config) {
            Ok(engine) => engines.push(engine),
            Err(problems) => all.extend(problems),
        }
    }
    if all.is_empty() { Ok(engines) } else { Err(InspectorError { problems: all }) }
}

/// Parts that take long, for each processor: they wait for the others.
const SLOW: usize = 4;

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Why an inspector cannot be built: everything that is wrong with its lists.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InspectorError {
    /// One by one.
    pub problems: Vec<HashListError>,
}
