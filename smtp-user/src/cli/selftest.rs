//! `postern selftest`: whether mail to a server really goes through the gateway, tried as any client would.

mod certificate;
mod record;
mod report;
mod trial;

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use crate::cli::output;
use crate::cli::probe::line::Target;
use crate::cli::records_args::RecordsArgs;
use crate::cli::selftest::certificate::Ours;
use crate::cli::selftest::record::Wanted;
use crate::cli::selftest::report::Report;
use crate::cli::selftest::trial::{Security, Seen, Trial};
use crate::cli::word;

/// Send the EICAR test string to a server through the gateway, and see that it is stopped and written down.
///
/// Whose certificate is shown, what becomes of EICAR, and what the records say: each is a step, ok or not, with what
/// to do about it. Refused, put into quarantine, taken out by a rule or dropped: each is ok, and said. What a rule takes out of a
/// mail that goes on, and what is dropped, only the records tell. Nothing but EICAR is ever sent. A server that no gateway stands before may take it: the mail says
/// what it is, and goes to the postmaster unless told otherwise.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Call it from where the senders are: a gateway does not inspect what it says itself.\n\
                  Exits with 0 when every step is ok, with 69 when the server cannot be reached, with 75 when EICAR was \
                  put off, with 65 otherwise.\n\n\
                  Examples:\n  postern selftest mx.example.org:25\n  postern selftest 192.0.2.25:465 --tls --to abuse@example.org\n  \
                  postern selftest 192.0.2.25:25 --certificate ca.pem --no-record"
)]
pub struct SelftestArgs {
    /// Server behind the gateway, as a name or an address, and its port.
    #[arg(value_name = "HOST:PORT")]
    pub server: String,
    /// TLS from the first octet on, as on port 465; no STARTTLS.
    #[arg(long, conflicts_with = "plain")]
    pub tls: bool,
    /// No TLS at all, for a resource with `client_tls = "off"`.
    #[arg(long)]
    pub plain: bool,
    /// Sender; empty is the null sender, to whom nothing is ever reported.
    #[arg(long, value_name = "ADDRESS", default_value = "", value_parser = address)]
    pub from: String,
    /// Recipient [default: the postmaster of the name in the greeting].
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub to: Option<String>,
    /// PEM file of the inspection CA, or of the imported certificate [default: what the configuration names].
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub certificate: Option<PathBuf>,
    /// Do not look for the record: it is on another machine.
    #[arg(long, conflicts_with = "records")]
    pub no_record: bool,
    /// How long each step may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = word::duration)]
    pub timeout: Duration,
    /// Which records, and how to print.
    #[command(flatten)]
    pub records: RecordsArgs,
}

/// An address that cannot say more than an address.
fn address(text: &str) -> Result<String, String> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>')) {
        return Err("an address has no angle brackets, spaces or control characters here".to_owned());
    }
    Ok(text.to_owned())
}

/// Runs the command.
pub fn run(args: &SelftestArgs) -> anyhow::Result<process::ExitCode> {
    let target = Target { server: &args.server, implicit_tls: args.tls, name: None, step: args.timeout };
    let security = match (args.plain, args.tls) {
        (true, _) => Security::None,
        (false, true) => Security::Implicit,
        (false, false) => Security::Starttls,
    };
    let trial = Trial { target, security, from: &args.from, to: args.to.as_deref() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(trial.carry_out());
    let mut report = Report::new(&args.server);
    report.reached(&seen);
    if seen.greeting.is_some() || seen.tls.is_some() {
        if security != Security::None {
            let ours = Ours::load(args.certificate.as_deref(), args.records.config.as_deref());
            report.certificate(&seen, &ours);
        }
        let told = wanted(&seen)
            .filter(|_| !args.no_record)
            .map(|(wanted, limit)| record::wait_for(&args.records, wanted, limit.min(args.timeout)));
        report.eicar(&seen, told.as_ref().and_then(|told| told.as_ref().ok()));
        if let Some(told) = told {
            report.record(&seen, told);
        }
    }
    if args.records.json {
        output::json(&report)?;
    } else {
        output::text(&report.text())?;
    }
    Ok(report.exit_code().into())
}

/// How long is looked for a session that nobody names: there may be none.
const UNNAMED: Duration = Duration::from_secs(2);

/// The session that the records are asked about, and for how long.
fn wanted(seen: &Seen) -> Option<(Wanted, Duration)> {
    if let Some(session) = seen.session() {
        return Some((Wanted::Named(session), Duration::MAX));
    }
    // What is taken out of a mail that goes on leaves the next hop's reply, and what is dropped none at all.
    let is_taken = seen.reply.as_ref().is_none_or(|reply| reply.code().is_completion());
    let [own, _] = seen.ends?;
    (seen.sent && is_taken).then_some((Wanted::Of(own, seen.since), UNNAMED))
}

#[cfg(test)]
mod tests;
