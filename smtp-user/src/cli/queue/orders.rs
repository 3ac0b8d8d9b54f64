//! Orders about messages in the spool: given to the daemon, or carried out here if there is none.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process;

use anyhow::Context as _;

use crate::cli::exit_code::ExitCode;
use crate::cli::{moment, output, quantity};
use crate::gateway::dequeuer::orders::{Answer, Order, Request, carry_out};
use crate::model::session_id::MessageId;
use crate::spool::config::Config;
use crate::spool::place::Places;
use crate::spool::store::Spool;

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

/// Has an order carried out about messages; with none, about all of them, where that makes sense.
pub(super) fn give(
    places: &Places,
    order: Order,
    ids: &[MessageId],
    json: bool,
) -> anyhow::Result<process::ExitCode> {
    let answers = match UnixStream::connect(places.socket()) {
        Ok(stream) => ask(stream, order, ids)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            here(places, order, ids)?
        }
        Err(error) => return Err(error).context("asking the daemon"),
    };
    let failed = answers.iter().filter(|answer| answer.error.is_some()).count();
    if json {
        output::json_lines(&answers)?;
    } else {
        for answer in &answers {
            if let (Some(id), Some(error)) = (answer.id, &answer.error) {
                output::notice(&format!("{id}: {error}"));
            }
        }
        let about = if answers.iter().any(|answer| answer.id.is_none()) {
            "all messages".to_owned()
        } else {
            quantity::counted(answers.len() - failed, "message")
        };
        output::text(&format!("{}: {about}.\n", order.outcome()))?;
    }
    Ok(if failed == 0 { ExitCode::Ok } else { ExitCode::Data }.into())
}

/// Who gives orders.
pub(in crate::cli) fn who() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| nix::unistd::getuid().to_string(), |user| user.name)
}

fn ask(mut stream: UnixStream, order: Order, ids: &[MessageId]) -> anyhow::Result<Vec<Answer>> {
    let mut line = serde_json::to_vec(&Request { order, ids: ids.to_vec(), who: who() })?;
    line.push(b'\n');
    stream.write_all(&line).context("asking the daemon")?;
    let mut answers = Vec::new();
    for line in BufReader::new(stream).lines() {
        answers.push(serde_json::from_str(&line.context("the daemon's answer")?)?);
    }
    anyhow::ensure!(answers.len() >= ids.len().max(1), "the daemon did not answer for every message");
    Ok(answers)
}

fn here(places: &Places, order: Order, ids: &[MessageId]) -> anyhow::Result<Vec<Answer>> {
    let (spool, _) = Spool::open(&Config::within(places.root()))?;
    output::notice("the daemon is not running; the spool was changed by this command");
    let ids = if ids.is_empty() { spool.all().into_iter().map(|(id, _)| id).collect() } else { ids.to_vec() };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let mut answers = Vec::new();
        for id in ids {
            let done = carry_out(&spool, order, id, &who(), moment::now()).await;
            answers.push(Answer { id: Some(id), error: done.err().map(|error| error.to_string()) });
        }
        answers
    }))
}
