//! Orders about messages in the spool: given to the daemon, or carried out here if there is none.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::app::config::Config;
use crate::audit;
use crate::audit::recorder::Recorder;
use crate::cli::exit_code::ExitCode;
use crate::cli::{moment, output, quantity};
use crate::delivery::destination::Destination;
use crate::event::sentence::printable;
use crate::gateway::dequeuer::orders::{Answer, Order, Request, carry_out, event, nothing_for};
use crate::model::clock::Clock;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool;
use crate::spool::error::SpoolError;
use crate::spool::place::{Place, Places};
use crate::spool::recovery::Recovered;
use crate::spool::store::Spool;
use crate::transport::own_addresses::is_own;

/// The ids given, those on standard input in the place of `-`.
pub(in crate::cli) fn ids(given: &[String]) -> anyhow::Result<Vec<MessageId>> {
    let mut ids: Vec<MessageId> = Vec::new();
    for word in given {
        if word == "-" {
            let mut text = String::new();
            io::stdin().lock().take(MAX_INPUT).read_to_string(&mut text)?;
            for word in text.split_ascii_whitespace() {
                ids.push(word.parse()?);
            }
        } else {
            ids.push(word.parse()?);
        }
    }
    Ok(ids)
}

/// Octets of standard input at most.
const MAX_INPUT: u64 = 8 << 20;

/// Says that an order was about nothing, because standard input named no message.
pub(super) fn none_named(order: Order, json: bool) -> anyhow::Result<process::ExitCode> {
    output::notice("standard input names no message, so nothing was done");
    if !json {
        output::text(&format!("{}: {}.\n", order.outcome(), quantity::counted(0, "message")))?;
    }
    Ok(ExitCode::Ok.into())
}

/// Has an order carried out.
pub(super) fn give(
    places: &Places,
    request: &Request,
    config: Option<&Config>,
    records: Option<audit::config::Config>,
    json: bool,
) -> anyhow::Result<process::ExitCode> {
    let answers = match dequeuer_or_spool(places)? {
        Found::Dequeuer(stream) => ask(stream, request)?,
        Found::Spool(spool, recovered) => here(&spool, &recovered, request, config, records)?,
    };
    let failed = answers.iter().filter(|answer| answer.error.is_some()).count();
    if json {
        output::json_lines(&answers)?;
    } else {
        for answer in &answers {
            match (answer.id, &answer.error) {
                (Some(id), Some(error)) => output::notice(&format!("{id}: {error}")),
                (None, Some(error)) => output::notice(error),
                (_, None) => {}
            }
        }
        let about = match (&request.to, answers.iter().any(|answer| answer.id.is_none())) {
            (Some(_), true) if failed > 0 => "nothing".to_owned(),
            (Some(name), true) => format!("what goes to {}", printable(name)),
            (_, true) => "all messages".to_owned(),
            (_, false) => quantity::counted(answers.len() - failed, "message"),
        };
        output::text(&format!("{}: {about}.\n", request.order.outcome()))?;
    }
    Ok(if failed == 0 { ExitCode::Ok } else { ExitCode::Data }.into())
}

/// Who gives orders.
pub(in crate::cli) fn who() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| nix::unistd::getuid().to_string(), |user| user.name)
}

/// Who carries an order out.
enum Found {
    Dequeuer(UnixStream),
    /// This command, while there is no dequeuer.
    Spool(Spool, Recovered),
}

/// Looks for the dequeuer. One that has just been started reads the spool before it takes orders, and has it locked.
fn dequeuer_or_spool(places: &Places) -> anyhow::Result<Found> {
    let end = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(places.socket()) {
            Ok(stream) => return Ok(Found::Dequeuer(stream)),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error).context("asking the daemon"),
        }
        match Spool::open(&spool::config::Config::within(places.root())) {
            Ok((spool, recovered)) => return Ok(Found::Spool(spool, recovered)),
            Err(SpoolError::InUse { .. }) if Instant::now() < end => std::thread::sleep(BETWEEN_LOOKS),
            Err(error) => return Err(error.into()),
        }
    }
}

/// How long a dequeuer is waited for that does not take orders yet: a hundred thousand messages take it four seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// And how often it is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

fn ask(mut stream: UnixStream, request: &Request) -> anyhow::Result<Vec<Answer>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).context("asking the daemon")?;
    let mut answers = Vec::new();
    for line in BufReader::new(stream).lines() {
        answers.push(serde_json::from_str(&line.context("the daemon's answer")?)?);
    }
    anyhow::ensure!(answers.len() >= request.ids.len().max(1), "the daemon did not answer for every message");
    Ok(answers)
}

fn here(
    spool: &Spool,
    recovered: &Recovered,
    request: &Request,
    config: Option<&Config>,
    records: Option<audit::config::Config>,
) -> anyhow::Result<Vec<Answer>> {
    output::notice("the daemon is not running; the spool was changed by this command");
    // Nobody else will come across them again.
    for (id, why) in &recovered.damaged {
        output::notice(&format!("the damaged message {id} was put into `corrupt`: {why}"));
    }
    let recorder = records.map(|config| Recorder::start(config.of_dequeuer(), Arc::new(Now))).transpose();
    let (recorder, _writing) = match recorder {
        Ok(started) => started.unzip(),
        Err(error) => {
            output::notice(&format!("there will be no record of it: {error}"));
            (None, None)
        }
    };
    let meant = |is_meant: &dyn Fn(&QueuedMessage) -> bool| -> Vec<MessageId> {
        let messages = recovered.messages.iter().filter(|(place, message)| can_go(*place, message));
        messages.filter(|(_, message)| is_meant(message)).map(|(_, message)| message.id).collect()
    };
    let ids = match &request.to {
        Some(name) => meant(&|message| goes_to(message, name, config)),
        None if request.is_about_all() => meant(&|_| true),
        None => request.ids.clone(),
    };
    if let Some(name) = request.to.as_ref().filter(|_| ids.is_empty()) {
        return Ok(vec![Answer { id: None, error: Some(nothing_for(name)) }]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let mut answers = Vec::new();
        for id in ids {
            let done = carry_out(spool, request.order, id, &request.who, moment::now()).await;
            if let (Ok((message, _)), Some(recorder)) = (&done, &recorder) {
                recorder.emit(id.session, Some(id.number), event(request.order, message, &request.who));
            }
            answers.push(Answer { id: Some(id), error: done.err().map(|error| error.to_string()) });
        }
        answers
    }))
}

/// Whether a message is tried at all: what rests is not meant by an order that does not name it.
fn can_go(place: Place, message: &QueuedMessage) -> bool {
    place != Place::Quarantine && message.hold.is_none()
}

/// Whether somebody whom a message is still to be sent to is behind a destination of this name.
fn goes_to(message: &QueuedMessage, name: &str, config: Option<&Config>) -> bool {
    let resource =
        config.and_then(|config| config.resources.iter().find(|resource| resource.name == message.resource));
    let routing = resource.map(|resource| resource.delivery.clone()).unwrap_or_default();
    let settings = config.map(|config| config.spool.delivery.clone()).unwrap_or_default();
    message.pending().any(|recipient| {
        Destination::of(message, &recipient.path, &routing, &settings, is_own).is_named(name)
    })
}

/// The system's clock.
#[derive(Debug)]
pub(in crate::cli) struct Now;

impl Clock for Now {
    fn unix_micros(&self) -> u64 {
        moment::now()
    }
}
