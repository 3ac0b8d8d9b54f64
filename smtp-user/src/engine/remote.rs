//! An engine in another process: how many messages it gets at a time, how long it may take, whether it is at work at
//! all. What is spoken with it is its protocol's business.

use std::pin::pin;
#[cfg(feature = "yara")]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::engine::breaker::{Breaker, Pass, TEST_WAIT};
use crate::engine::clamd::Clamd;
use crate::engine::config::{Config, Protocol};
use crate::engine::eicar::eicar;
use crate::engine::hash_list::HashListError;
use crate::engine::icap::Icap;
use crate::engine::outcome::{EngineError, EngineOutcome, EngineReport};
use crate::engine::slots::Slots;
#[cfg(feature = "yara")]
use crate::engine::yara::Yara;
use crate::model::message_octets::MessageOctets;

/// An engine in another process.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    slots: Slots,
    breaker: Breaker,
    speaker: Speaker,
}

#[derive(Debug)]
enum Speaker {
    Clamd(Clamd),
    Icap(Icap),
    #[cfg(feature = "yara")]
    Yara(Arc<Yara>),
}

/// The part of the deadline that a scan in this process has.
#[cfg(feature = "yara")]
const SCAN: f32 = 0.8;

/// How long an answer that is there waits for the engine's version, which is for the record.
const VERSION_GRACE: Duration = Duration::from_millis(100);

/// How long the test may take where only that is to be known.
const LOOK: Duration = Duration::from_secs(2);

/// When an engine was asked, and whether that was the test; known also of a question that was given up.
struct Asked(Mutex<(Instant, bool)>);

impl Asked {
    const fn at(now: Instant) -> Self {
        Self(Mutex::new((now, false)))
    }

    fn set(&self, now: Instant, in_test: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now, in_test);
    }

    fn get(&self) -> (Instant, bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Nobody is called yet; what has to be read is.
    pub fn load(config: Config) -> Result<Self, Vec<HashListError>> {
        let slots = Slots::new(config.concurrency, config.queue);
        let speaker = match &config.protocol {
            Protocol::Clamd { address, pass_files } => {
                Speaker::Clamd(Clamd::new(address.clone(), *pass_files))
            }
            Protocol::Icap(service) => Speaker::Icap(Icap::new(service.clone())),
            #[cfg(feature = "yara")]
            Protocol::Yara { rules } => Speaker::Yara(Arc::new(Yara::load(rules)?)),
            #[cfg(not(feature = "yara"))]
            Protocol::Yara { .. } => return Err(vec![HashListError::NoYara]),
        };
        Ok(Self { config, slots, breaker: Breaker::default(), speaker })
    }

    /// Whether it makes nothing of a message as a whole: it does not know what encodes its parts.
    pub const fn wants_parts(&self) -> bool {
        matches!(self.config.protocol, Protocol::Yara { .. })
    }

    /// What it was made from.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Asks about a message.
    pub async fn scan(&self, message: &dyn MessageOctets) -> EngineReport {
        self.look_at(message, false).await
    }

    /// Asks about a part of one, decoded.
    pub async fn scan_part(&self, part: &dyn MessageOctets) -> EngineReport {
        self.look_at(part, true).await
    }

    async fn look_at(&self, octets: &dyn MessageOctets, is_part: bool) -> EngineReport {
        let start = Instant::now();
        let asked = Asked::at(start);
        let question = self.question(octets, is_part, &asked);
        let (outcome, version) = match timeout(self.config.deadline, question).await {
            Ok(Ok((outcome, version))) => (outcome, version),
            Ok(Err(error)) => (EngineOutcome::Error(error), self.known_version()),
            Err(_) => {
                self.failed(&asked, &EngineError::TimedOut);
                (EngineOutcome::Error(EngineError::TimedOut), self.known_version())
            }
        };
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        EngineReport { engine: self.config.name.clone(), version, outcome, micros }
    }

    async fn question(
        &self,
        octets: &dyn MessageOctets,
        is_part: bool,
        asked: &Asked,
    ) -> Result<(EngineOutcome, Option<String>), EngineError> {
        let _slot = self.slots.take().await?;
        let now = Instant::now();
        asked.set(now, false);
        match self.breaker.pass(now) {
            Pass::No(error) => return Err(error),
            Pass::Test if self.config.self_test => {
                asked.set(now, true);
                self.test(asked).await?;
                asked.set(Instant::now(), false);
            }
            Pass::Go | Pass::Test => {}
        }
        let (outcome, version) = self.ask_with_version(octets, is_part).await;
        match &outcome {
            Err(error) | Ok(EngineOutcome::Error(error)) => self.failed(asked, error),
            Ok(_) => self.breaker.succeeded(Instant::now()),
        }
        Ok((outcome?, version))
    }

    fn failed(&self, asked: &Asked, error: &EngineError) {
        let (since, in_test) = asked.get();
        self.breaker.failed(Instant::now(), since, error, in_test);
    }

    /// Shows it the test string, which every engine with signatures knows.
    async fn test(&self, asked: &Asked) -> Result<(), EngineError> {
        let outcome =
            timeout(TEST_WAIT, self.ask(&eicar(), false)).await.unwrap_or(Err(EngineError::TimedOut));
        let error = match outcome {
            Ok(EngineOutcome::Infected(_)) => {
                self.breaker.succeeded(Instant::now());
                return Ok(());
            }
            Ok(EngineOutcome::Error(error)) | Err(error) => error,
            Ok(_) => EngineError::Blind,
        };
        self.failed(asked, &error);
        Err(error)
    }

    /// The answer, and the version as it is known when that is there or a moment later: an answer is not held up by it.
    async fn ask_with_version(
        &self,
        octets: &dyn MessageOctets,
        is_part: bool,
    ) -> (Result<EngineOutcome, EngineError>, Option<String>) {
        let (mut ask, mut version) = (pin!(self.ask(octets, is_part)), pin!(self.version()));
        tokio::select! {
            version = &mut version => (ask.await, version),
            outcome = &mut ask => {
                let version = timeout(VERSION_GRACE, version).await;
                (outcome, version.unwrap_or_else(|_| self.no_version()))
            }
        }
    }

    async fn ask(&self, octets: &dyn MessageOctets, is_part: bool) -> Result<EngineOutcome, EngineError> {
        match &self.speaker {
            Speaker::Clamd(clamd) => clamd.ask(octets).await,
            Speaker::Icap(icap) => icap.ask(octets, is_part).await,
            // It ends by itself before it is given up.
            #[cfg(feature = "yara")]
            Speaker::Yara(yara) => yara.ask(octets, self.config.deadline.mul_f32(SCAN)).await,
        }
    }

    /// Whether it is at work: one that gave no answer last is shown the test file for that. One that is never shown it counts
    /// as at work.
    pub async fn is_at_work(&self) -> bool {
        if !self.config.self_test || self.breaker.is_sound() {
            return true;
        }
        let now = Instant::now();
        if let Pass::No(_) = self.breaker.pass(now) {
            return false;
        }
        let asked = Asked::at(now);
        asked.set(now, true);
        let tested = timeout(LOOK, self.test(&asked)).await;
        if tested.is_err() {
            self.failed(&asked, &EngineError::TimedOut);
        }
        matches!(tested, Ok(Ok(())))
    }

    /// Its name, and what it says it is now, if it says so.
    pub async fn current(&self) -> (String, Option<String>) {
        (self.config.name.clone(), self.version().await)
    }

    async fn version(&self) -> Option<String> {
        match &self.speaker {
            Speaker::Clamd(clamd) => clamd.version().await,
            Speaker::Icap(icap) => icap.version().await,
            #[cfg(feature = "yara")]
            Speaker::Yara(yara) => Some(yara.version()),
        }
    }

    /// It said none in time. The next messages do not wait for it again.
    fn no_version(&self) -> Option<String> {
        match &self.speaker {
            Speaker::Clamd(clamd) => clamd.no_version(),
            Speaker::Icap(icap) => icap.no_version(),
            #[cfg(feature = "yara")]
            Speaker::Yara(yara) => Some(yara.version()),
        }
    }

    fn known_version(&self) -> Option<String> {
        match &self.speaker {
            Speaker::Clamd(clamd) => clamd.known_version(),
            Speaker::Icap(icap) => icap.known_version(),
            #[cfg(feature = "yara")]
            Speaker::Yara(yara) => Some(yara.version()),
        }
    }
}

#[cfg(test)]
mod tests;
