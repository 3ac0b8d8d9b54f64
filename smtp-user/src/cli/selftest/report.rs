//! The steps of a selftest: what was found, whether that is right, and what to do if not.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::selftest::certificate::{Ours, Recognised};
use crate::cli::selftest::record::{Deed, Told, Untold};
use crate::cli::selftest::trial::Seen;
use crate::event::sentence::printable;

/// A selftest's outcome.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    server: String,
    ok: bool,
    /// The session that the gateway named.
    session: Option<String>,
    steps: Vec<Step>,
    #[serde(skip)]
    exit_code: ExitCode,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    /// What was found.
    pub(super) finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Report {
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            ok: true,
            session: None,
            steps: Vec::new(),
            exit_code: ExitCode::Ok,
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        self.exit_code
    }

    #[cfg(test)]
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether anybody greeted.
    pub(super) fn reached(&mut self, seen: &Seen) {
        let error = || seen.error.clone().unwrap_or_default();
        match (&seen.greeting, &seen.tls) {
            (Some(greeting), _) => self.passed("connection", greeting.clone()),
            (None, Some(_)) => self.failed(
                "connection",
                error(),
                "See what the server says without the gateway: postern probe, from behind it.",
                ExitCode::Unavailable,
            ),
            (None, None) => self.failed(
                "connection",
                error(),
                "Is the server up, and the gateway's inspector running? See postern stat and postern doctor on the \
                 gateway.",
                ExitCode::Unavailable,
            ),
        }
    }

    /// Whose certificate was shown.
    pub(super) fn certificate(&mut self, seen: &Seen, ours: &Ours) {
        const STEP: &str = "certificate";
        let (Some(tls), Some(leaf)) = (&seen.tls, &seen.leaf) else {
            let finding = seen.no_tls.clone().or_else(|| seen.error.clone()).unwrap_or_default();
            let advice = "Set client_tls of the resource to \"mint\" or to the server's certificate; the server must offer \
                          STARTTLS too. Where there is to be no TLS, say --plain.";
            return self.failed(STEP, finding, advice, ExitCode::Data);
        };
        let facts = tls.certificate.clone().unwrap_or_default();
        let shown = format!("{} {}, {} by {}", tls.version, tls.cipher, facts.subject, facts.issuer);
        if let Some(why) = ours.unknown() {
            let advice = "Name the inspection CA or the imported certificate with --certificate, or the configuration \
                          with --config.";
            let finding = format!("{shown}; whether that is the gateway's cannot be told: {why}");
            return self.failed(STEP, finding, advice, ExitCode::Data);
        }
        match ours.recognise(leaf) {
            Some(Recognised::Minted(file)) => {
                self.passed(STEP, format!("{shown}: signed by the CA in {}", file.display()));
            }
            Some(Recognised::Imported(file)) => {
                self.passed(STEP, format!("{shown}: the certificate in {}", file.display()));
            }
            None => {
                let advice = format!(
                    "The gateway does not take this TLS apart: it is not in between, or a rule lets the flow pass. {}",
                    which_path(seen)
                );
                self.failed(STEP, format!("{shown}: not the gateway's"), &advice, ExitCode::Data);
            }
        }
    }

    /// What became of EICAR, by the reply and what the records tell.
    pub(super) fn eicar(&mut self, seen: &Seen, told: Option<&Told>) {
        const STEP: &str = "eicar";
        self.session = seen
            .session()
            .map(|session| session.to_string())
            .or_else(|| told.map(|told| told.session.clone()));
        let Some(reply) = &seen.reply else {
            let error = seen.error.clone().unwrap_or_default();
            if let Some(told) = told.filter(|told| matches!(told.deed, Deed::Dropped | Deed::Blocked)) {
                return self.passed(STEP, format!("{}: {error}", told.deed.words()));
            }
            if seen.sent {
                let advice = format!("Whether it was dropped only the records tell. {}", which_path(seen));
                return self.failed(STEP, format!("no answer: {error}"), &advice, ExitCode::Data);
            }
            let advice =
                "EICAR was not sent. If the address is the reason, choose others with --to and --from.";
            return self.failed(STEP, error, advice, ExitCode::Data);
        };
        let code = reply.code();
        let said = format!("{code} {}", reply.first_line());
        let session = seen.session();
        if code.is_completion()
            && let Some(told) = told
        {
            return self.passed(STEP, format!("{}: {said}", told.deed.words()));
        }
        let is_ours = code.number() == 554 && reply.first_line().starts_with("5.7.1 ");
        match (session, is_ours) {
            (Some(_), true) => {
                let how = told.filter(|told| told.deed != Deed::Refused);
                let how = how.map(|told| format!("{}: ", told.deed.words())).unwrap_or_default();
                self.passed(STEP, format!("{how}{said}"));
            }
            (Some(_), false) if reply.first_line().starts_with("2.0.0 Accepted, quarantined as ") => {
                self.passed(STEP, format!("{}: {said}", Deed::Quarantined.words()));
            }
            (Some(session), false) if code.is_completion() => {
                let advice = format!(
                    "It is in the gateway's care; what became of it the records tell, there: postern explain {session}"
                );
                self.failed(STEP, format!("not judged so far: {said}"), &advice, ExitCode::Data);
            }
            (Some(session), false) if code.is_transient() => {
                let advice =
                    format!("An engine is away, or the gateway has no room: postern explain {session}");
                self.failed(STEP, format!("put off: {said}"), &advice, ExitCode::TempFail);
            }
            _ if code.is_completion() => {
                let advice = format!(
                    "No gateway is between, no rule inspects this flow, or its resource has `inspection = \"none\"`. A mail \
                     with the EICAR test string, and nothing else, is on its way to {}: somebody should be told. {}",
                    seen.to,
                    which_path(seen)
                );
                self.failed(STEP, format!("TAKEN by the server: {said}"), &advice, ExitCode::Data);
            }
            _ if code.is_transient() => {
                let advice = "Try again; if it stays so, see the records of the gateway.";
                self.failed(STEP, format!("put off: {said}"), advice, ExitCode::TempFail);
            }
            _ => {
                let advice = format!(
                    "The reply names no session, so it was not the gateway's inspection that refused it. {}",
                    which_path(seen)
                );
                self.failed(STEP, format!("refused by somebody else: {said}"), &advice, ExitCode::Data);
            }
        }
    }

    /// What the records say of it.
    pub(super) fn record(&mut self, seen: &Seen, found: Result<Told, Untold>) {
        match found {
            Ok(told) => self.passed("record", told.said),
            // Nobody but the gateway names a session; without one there may be no gateway at all.
            Err(Untold::Nothing(_)) if seen.session().is_none() => {}
            Err(Untold::Nothing(why) | Untold::Otherwise(why)) => {
                let session = self.session.clone().unwrap_or_default();
                let advice = format!(
                    "On the gateway: postern explain {session}. Here, name the folder with --records, or say --no-record."
                );
                self.failed("record", why, &advice, ExitCode::Data);
            }
        }
    }

    fn passed(&mut self, name: &'static str, finding: String) {
        self.steps.push(Step { name, ok: true, finding, advice: None });
    }

    fn failed(&mut self, name: &'static str, finding: String, advice: &str, code: ExitCode) {
        self.steps.push(Step { name, ok: false, finding, advice: Some(advice.to_owned()) });
        // What says most about what to do next stays: not reached, then not now, then not in order.
        let weight = |code| match code {
            ExitCode::Unavailable => 3,
            ExitCode::TempFail => 2,
            ExitCode::Ok => 0,
            _ => 1,
        };
        if weight(code) > weight(self.exit_code) {
            self.exit_code = code;
        }
        self.ok = false;
    }

    /// For people; what a server said is escaped.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let word = if step.ok { "ok    " } else { "NOT OK" };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{word}  {:<11}  {}", step.name, printable(&step.finding));
            if let Some(advice) = &step.advice {
                let _ = writeln!(text, "{:21}{}", "", printable(advice));
            }
        }
        let outcome = if self.ok { "ok" } else { "NOT OK" };
        let _ = writeln!(text, "{}: {outcome}.", printable(&self.server));
        text
    }
}

/// The command that tells on which path the flow was.
fn which_path(seen: &Seen) -> String {
    seen.ends
        .map_or_else(String::new, |[own, server]| format!("On the gateway: postern path tcp {own} {server}"))
}
