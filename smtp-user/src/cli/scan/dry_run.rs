//! What the gateway would do with a message: what it would answer, send on and keep.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::file;
use crate::cli::forecasters::{Forecasters, Of};
use crate::cli::quantity::counted;
use crate::cli::scan::line_ends::UnixLines;
use crate::cli::scan::report::Report;
use crate::event::sentence::printable;
use crate::event::session_event::SessionEvent;
use crate::gateway::forecast::Forecast;
use crate::model::decision::MessageAction;
use crate::transport::held_message::HeldMessage;
use crate::wire::smtp::data::DataDefect;

/// What would follow. Where the name of a message stands, there is one of zeros.
#[derive(Debug, Serialize)]
pub(super) struct Prediction {
    /// The resource that the message would come under.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// Why it is not even judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<&'static str>,
    /// What the originator would hear; null: what the next hop answers.
    reply: Option<String>,
    /// What the next hop would get: `nothing`, `as it is`, `rewritten`.
    next_hop_gets: &'static str,
    /// What would be done with which part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<String>,
    /// Signatures that would no longer hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken: Vec<String>,
    /// Octets of what goes on, without trace fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<u64>,
    /// Of those octets, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Value of `X-Postern-Rewritten`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// What would be put into quarantine: `message`, `original`.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<&'static str>,
    /// Seconds for which the originator's address would be banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_for_s: Option<u64>,
    /// What else the record would say, and what the prediction hangs on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip)]
    defect_is_ours: bool,
}

/// Octets read at a time.
const CHUNK: usize = 64 << 10;

/// Foretells what would become of a message, and writes what would go on into a file if one is named.
pub(super) async fn foretell(
    forecasters: &Forecasters<'_>,
    of: &Of,
    path: &Path,
    output: Option<(&Path, bool)>,
    envelope: &[String],
) -> anyhow::Result<Report> {
    let mut source = super::open(path)?;
    let (mut coming, mut lines) = (of.forecaster.begin(), UnixLines::default());
    let mut room = vec![0; CHUNK];
    loop {
        let count = super::read(source.as_mut(), &mut room, path)?;
        if count == 0 {
            break;
        }
        coming.push(&lines.as_sent(room.get(..count).unwrap_or_default())).await;
    }
    let forecast = Box::pin(coming.end()).await;
    if let (Some((output, force)), Some(held)) = (output, &forecast.goes_on) {
        file::write(output, &whole(held).await?, force, 0o600)?;
    }
    let mut prediction = Prediction::new(&forecast, of);
    prediction.notes.extend_from_slice(envelope);
    if lines.were_unix() {
        prediction
            .notes
            .push("its lines end with LF alone; taken as CRLF, as mail programs send them".to_owned());
    }
    if forecasters.has_other_key {
        prediction
            .notes
            .push("what is locked here is locked with a key of chance, not with the gateway's".to_owned());
    }
    if output.is_some() && forecast.goes_on.is_none() {
        prediction.notes.push("nothing would go on, and so nothing was written".to_owned());
    }
    Ok(Report::of_dry_run(path, forecast.judgement, prediction))
}

async fn whole(held: &HeldMessage) -> anyhow::Result<Vec<u8>> {
    let (mut octets, mut reader) = (Vec::new(), held.reader());
    while let Some(chunk) = reader.next_chunk().await.context("reading back what would go on")? {
        octets.extend_from_slice(chunk);
    }
    Ok(octets)
}

impl Prediction {
    fn new(forecast: &Forecast, of: &Of) -> Self {
        let decision = &forecast.judgement.decision;
        let (mut changes, mut broken, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut octets, mut sha256) = (None, None);
        if forecast.goes_on.is_some() {
            (octets, sha256) = (Some(forecast.judgement.octets), Some(forecast.judgement.sha256.clone()));
        }
        for event in &forecast.events {
            match event {
                SessionEvent::Rewritten { changes: c, broken: b, octets: o, sha256: s } => {
                    (changes, broken) = (c.clone(), b.clone());
                    (octets, sha256) = (Some(*o), Some(s.clone()));
                }
                SessionEvent::Note { what, detail, .. } => {
                    notes.push(
                        detail.as_ref().map_or_else(|| what.clone(), |detail| format!("{what}: {detail}")),
                    );
                }
                _ => {}
            }
        }
        if let Some(hold) = of.hold.filter(|_| forecast.defect.is_none()) {
            notes.push(format!(
                "a verdict that takes longer than {} s comes after 250; then no part is replaced, and what may not pass stays \
                 in the spool",
                hold.as_secs_f32()
            ));
        }
        let is_rewritten = forecast.trace.is_some();
        let bans = forecast.judgement.ban_for.filter(|_| decision.action == MessageAction::Block);
        Self {
            resource: of.resource.clone(),
            defect: forecast.defect.map(DataDefect::name),
            reply: forecast
                .reply
                .as_ref()
                .map(|reply| format!("{} {}", reply.code(), reply.lines().collect::<Vec<_>>().join(" "))),
            next_hop_gets: match (&forecast.goes_on, is_rewritten) {
                (None, _) => "nothing",
                (Some(_), false) => "as it is",
                (Some(_), true) => "rewritten",
            },
            changes,
            broken,
            octets,
            sha256,
            trace: forecast.trace.clone(),
            quarantined: match decision.action {
                _ if forecast.defect.is_some() => None,
                MessageAction::Quarantine => Some("message"),
                _ => forecast.keeps_original.then_some("original"),
            },
            banned_for_s: bans.map(|time| time.as_secs()),
            notes,
            defect_is_ours: forecast.defect == Some(DataDefect::NoRoom),
        }
    }

    /// How a command ends whose message is not even judged.
    pub(super) fn exit_code_of_defect(&self) -> Option<ExitCode> {
        let code = if self.defect_is_ours { ExitCode::TempFail } else { ExitCode::NotClean };
        self.defect.map(|_| code)
    }

    /// Why it is not even judged.
    pub(super) const fn defect(&self) -> Option<&'static str> {
        self.defect
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let under = self.resource.as_ref().map(|name| format!(" under resource \"{}\"", printable(name)));
        // Writing to a string does not fail.
        let _ = writeln!(text, "  would happen{}:", under.unwrap_or_default());
        let reply = self.reply.as_deref().unwrap_or("what the next hop answers");
        let _ = writeln!(text, "    the originator hears: {}", printable(reply));
        match (self.octets, &self.sha256) {
            (Some(octets), Some(sha256)) => {
                let what = self.next_hop_gets;
                let _ = writeln!(text, "    goes on: {what}, {octets} octets, sha256 {sha256}");
            }
            _ => text.push_str("    goes on: nothing\n"),
        }
        for change in &self.changes {
            let _ = writeln!(text, "    change: {}", printable(change));
        }
        if !self.broken.is_empty() {
            let _ = writeln!(text, "    no longer valid: {}", self.broken.join(", "));
        }
        if let Some(trace) = &self.trace {
            let _ = writeln!(text, "    X-Postern-Rewritten: {trace}");
        }
        if let Some(what) = self.quarantined {
            let _ = writeln!(text, "    into quarantine: the {what}");
        }
        if let Some(seconds) = self.banned_for_s {
            let _ =
                writeln!(text, "    the originator is banned for {}", counted(seconds as usize, "second"));
        }
        for note in &self.notes {
            let _ = writeln!(text, "    note: {}", printable(note));
        }
        text
    }
}
