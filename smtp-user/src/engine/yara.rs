//! YARA rules, in this process: compiled when they are loaded, and anew when a file changes.
//!
//! What decides is compiled from files that the operator wrote; what is looked at is hostile. So every scan has an end, and
//! one that meets it is a limit that was met, never clean.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use yara_x::errors::{CompileError, ScanError};
use yara_x::{Compiler, Rules, Scanner, SourceCode};

use crate::engine::hash_list::HashListError;
use crate::engine::outcome::{EngineError, EngineOutcome};
use crate::model::message_octets::MessageOctets;
use crate::wire::hexadecimal::hexadecimal;

/// YARA rules that follow their files.
pub(super) struct Yara {
    paths: Vec<PathBuf>,
    state: Mutex<State>,
}

struct State {
    compiled: Arc<Compiled>,
    /// What the files looked like.
    seen: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

/// Rules as they were when they were asked for.
struct Compiled {
    rules: Rules,
    version: String,
}

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Matches of one pattern that are remembered: it is enough that there is one.
const MAX_MATCHES: usize = 1000;
/// Octets of a file of rules at most.
const MAX_FILE: u64 = 256 << 20;
/// Characters of a rule's name that are told.
const MAX_NAME: usize = 128;

impl std::fmt::Debug for Yara {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Yara").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Yara {
    /// Compiles rules; everything that is wrong with any of the files is told.
    pub(super) fn load(paths: &[PathBuf]) -> Result<Self, Vec<HashListError>> {
        let seen = looks(paths);
        let compiled = Arc::new(Compiled::read(paths)?);
        Ok(Self {
            paths: paths.to_vec(),
            state: Mutex::new(State { compiled, seen, looked: Instant::now() }),
        })
    }

    /// Looks at octets for so long at most.
    pub(super) async fn ask(
        self: &Arc<Self>,
        octets: &dyn MessageOctets,
        time: Duration,
    ) -> Result<EngineOutcome, EngineError> {
        let octets = whole(octets)?;
        let yara = Arc::clone(self);
        let scan = tokio::task::spawn_blocking(move || yara.now().scan(&octets, time));
        // A scanner that gives up has looked at nothing.
        scan.await.unwrap_or_else(|error| Err(EngineError::Cut { cause: error.to_string() }))
    }

    /// Of scanner and rules.
    pub(super) fn version(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).compiled.version.clone()
    }

    /// The rules as they are now. While a file that changed cannot be compiled, they stay as they were.
    fn now(&self) -> Arc<Compiled> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.looked) >= LOOK {
            state.looked = now;
            let seen = looks(&self.paths);
            if seen != state.seen {
                match Compiled::read(&self.paths) {
                    Ok(compiled) => state.compiled = Arc::new(compiled),
                    Err(problems) => {
                        for problem in problems {
                            tracing::error!(%problem, "the YARA rules stay as they were");
                        }
                    }
                }
                state.seen = seen;
            }
        }
        Arc::clone(&state.compiled)
    }
}

impl Compiled {
    fn read(paths: &[PathBuf]) -> Result<Self, Vec<HashListError>> {
        let (mut compiler, mut problems, mut digest) = (Compiler::new(), Vec::new(), Sha256::new());
        // Everything that counts is named in the configuration.
        compiler.enable_includes(false);
        for (number, path) in paths.iter().enumerate() {
            let text = match read(path) {
                Ok(text) => text,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            digest.update(&text);
            // Two files may have a rule of the same name.
            compiler.new_namespace(&format!("file{number}"));
            let origin = path.display().to_string();
            if let Err(error) = compiler.add_source(SourceCode::from(text.as_slice()).with_origin(&origin)) {
                problems.push(problem(path, &error));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let digest = hexadecimal(&digest.finalize());
        let version = format!("YARA rules {}", digest.get(..16).unwrap_or_default());
        Ok(Self { rules: compiler.build(), version })
    }

    fn scan(&self, octets: &[u8], time: Duration) -> Result<EngineOutcome, EngineError> {
        let mut scanner = Scanner::new(&self.rules);
        scanner.set_timeout(time).max_matches_per_pattern(MAX_MATCHES);
        match scanner.scan(octets) {
            Ok(results) => Ok(results.matching_rules().next().map_or(EngineOutcome::Clean, |rule| {
                EngineOutcome::Infected(rule.identifier().chars().take(MAX_NAME).collect())
            })),
            Err(ScanError::Timeout) => Ok(EngineOutcome::LimitExceeded("time".to_owned())),
            Err(error) => Err(EngineError::Refused { text: error.to_string() }),
        }
    }
}

fn looks(paths: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let look = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    paths.iter().map(look).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, HashListError> {
    let failed = |source| HashListError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(HashListError::TooLarge { path: path.to_owned() });
    }
    fs::read(path).map_err(failed)
}

/// In one line, with its place.
fn problem(path: &Path, error: &CompileError) -> HashListError {
    let report = serde_json::to_value(error).unwrap_or_default();
    let line = report.get("line").or_else(|| report.pointer("/labels/0/line"));
    let line = line.and_then(serde_json::Value::as_u64).and_then(|line| usize::try_from(line).ok());
    let label = report.pointer("/labels/0/text").and_then(serde_json::Value::as_str);
    let text = match label {
        Some(label) => format!("{}: {label}", error.title()),
        None => error.title().to_owned(),
    };
    HashListError::Rule { path: path.to_owned(), line: line.unwrap_or(1), text }
}

fn whole(octets: &dyn MessageOctets) -> Result<Vec<u8>, EngineError> {
    let length = usize::try_from(octets.len()).unwrap_or(usize::MAX);
    let mut all = vec![0; length];
    match octets.fill_at(0, &mut all) {
        Ok(filled) if filled == length => Ok(all),
        Ok(_) => Err(EngineError::Unreadable { cause: "it is shorter than it was".to_owned() }),
        Err(error) => Err(EngineError::Unreadable { cause: error.to_string() }),
    }
}

#[cfg(test)]
mod tests;
