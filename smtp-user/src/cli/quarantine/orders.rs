//! Orders about messages in quarantine: given to the daemon, or carried out here if there is none.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;

use anyhow::Context as _;

use crate::app::config::release_ways::ways;
use crate::app::config::resource::ResourceMode;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH};
use crate::audit;
use crate::audit::recorder::{Recorder, Writing};
use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::cli::queue::orders::{Now, who};
use crate::gateway::quarantine::{Answer, Desk, Order, Request, Way};
use crate::model::session_id::MessageId;
use crate::quarantine::SOCKET;
use crate::quarantine::store::Store;
use crate::spool;
use crate::spool::intake::Intake;

/// What is asked for.
pub(super) fn request(order: Order, ids: Vec<MessageId>, again: bool) -> Request {
    Request { order, ids, again, who: who() }
}

/// Has an order carried out.
pub(super) fn give(
    store: &Store,
    config: Option<Config>,
    request: &Request,
    json: bool,
) -> anyhow::Result<process::ExitCode> {
    let answers = match UnixStream::connect(store.folder().join(SOCKET)) {
        Ok(stream) => ask(stream, request)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            output::notice("the daemon is not running; this command does it");
            here(store, config, request)?
        }
        Err(error) => return Err(error).context("asking the daemon"),
    };
    let failed = answers.iter().any(|answer| answer.error.is_some());
    if json {
        output::json_lines(&answers)?;
    } else {
        for answer in &answers {
            match (&answer.done, &answer.error) {
                (Some(done), _) => output::text(&format!("{}: {done}.\n", answer.id))?,
                (None, error) => {
                    output::notice(&format!("{}: {}", answer.id, error.as_deref().unwrap_or("not done")));
                }
            }
        }
    }
    Ok(if failed { ExitCode::Data } else { ExitCode::Ok }.into())
}

fn ask(mut stream: UnixStream, request: &Request) -> anyhow::Result<Vec<Answer>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).context("asking the daemon")?;
    let mut answers: Vec<Answer> = Vec::new();
    for line in BufReader::new(stream).lines() {
        answers.push(serde_json::from_str(&line.context("the daemon's answer")?)?);
    }
    anyhow::ensure!(answers.len() == request.ids.len(), "the daemon did not answer for every message");
    Ok(answers)
}

fn here(store: &Store, config: Option<Config>, request: &Request) -> anyhow::Result<Vec<Answer>> {
    let config = match (config, request.order) {
        (Some(config), _) => Some(config),
        (None, Order::Delete) => None,
        // It says how mail is delivered, so why it cannot be had is the answer.
        (None, Order::Release) => Some(Config::load(DEFAULT_CONFIG_PATH.as_ref())?),
    };
    let (recorder, _writing) = match &config {
        Some(config) => records(config.records.within(&config.gateway.data_dir)),
        None => store
            .folder()
            .parent()
            .map_or((None, None), |data_dir| records(audit::config::Config::within(data_dir))),
    };
    let ways = match &config {
        Some(config) if request.order == Order::Release => ways_of(config)?,
        _ => HashMap::new(),
    };
    let desk = Desk { store: store.clone(), ways, recorder, clock: Arc::new(Now) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let mut answers = Vec::new();
        for id in &request.ids {
            answers.push(Box::pin(desk.carry_out(request, *id)).await);
        }
        answers
    }))
}

fn records(config: audit::config::Config) -> (Option<Recorder>, Option<Writing>) {
    match Recorder::start(config, Arc::new(Now)) {
        Ok((recorder, writing)) => (Some(recorder), Some(writing)),
        Err(error) => {
            output::notice(&format!("there will be no record of it: {error}"));
            (None, None)
        }
    }
}

fn ways_of(config: &Config) -> anyhow::Result<HashMap<String, Way>> {
    let opened = if config.resources.iter().any(|resource| resource.mode == ResourceMode::Spool) {
        let folder = config.spool.rundir.clone().unwrap_or_else(|| config.gateway.data_dir.join("spool"));
        Intake::open(&spool::config::Config::within(folder)).map_err(|e| e.to_string())
    } else {
        Err(String::new())
    };
    if opened.is_ok() {
        output::notice("what goes through the spool is delivered when the daemon runs again");
    }
    Ok(ways(config, &config.inspector.name(), opened.as_ref().map_err(String::as_str))?)
}
