//! The command line as a whole: every command, and what each is for.

use clap::{Parser, Subcommand};

use crate::app::dequeuer;
use crate::app::run;
use crate::cli::{
    ban, ca, check, clean, conns, doctor, explain, lock, path, probe, quarantine, queue, replay, rules, scan,
    selftest, sessions, set, stat, stop, uninspected,
};

/// A guarded gate for mail: forwards in the kernel what needs no looking at.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "postern",
    version,
    propagate_version = true,
    infer_subcommands = false,
    after_help = "Start with `postern doctor`, then `postern check` and `postern run`; \
                  `postern COMMAND --help` shows examples.\n\n\
                  Exit codes: 0 as asked, 1 not clean (scan), 64 usage, 65 data, 66 no input, 69 unavailable, 70 software, \
                  71 operating system, 74 input or output, 75 try again, 77 permission, 78 configuration."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load the kernel programs, attach them, and look after them until stopped.
    Run(run::RunArgs),
    /// Detach the kernel programs and remove everything that is pinned.
    Stop(stop::StopArgs),
    /// Show what is attached, how packets are handled, and why some are not accelerated.
    Stat(stat::StatArgs),
    /// List the flow table.
    Conns(conns::ConnsArgs),
    /// List and change the packet rules of the running gateway.
    Rules(rules::RulesArgs),
    /// List and change tunables of the running gateway.
    Set(set::SetArgs),
    /// List and change banned sources.
    Ban(ban::BanArgs),
    /// Say which path a flow takes or would take, and why.
    Path(path::PathArgs),
    /// List sessions from the records, or their account.
    Sessions(sessions::SessionsArgs),
    /// Tell what happened to a session or a message, and why.
    Explain(explain::ExplainArgs),
    /// List and change what waits in the spool.
    Queue(queue::QueueArgs),
    /// List, release and delete mail that was accepted and not sent on.
    Quarantine(quarantine::QuarantineArgs),
    /// List what reached a server although nobody looked at it.
    Uninspected(uninspected::UninspectedArgs),
    /// Ask a mail server what it offers: greeting, EHLO keywords, STARTTLS, certificate.
    Probe(probe::ProbeArgs),
    /// Send the EICAR test string through the gateway, and see that it is refused and written down.
    Selftest(selftest::SelftestArgs),
    /// Judge messages from files, without a gateway.
    Scan(scan::ScanArgs),
    /// Judge retained mail again, by another configuration, and show what would be decided otherwise.
    Replay(replay::ReplayArgs),
    /// Unpack what comes in on standard input; started by the daemon, not by people.
    #[command(hide = true)]
    ScanWorker,
    /// Deliver what is in the spool; started by the daemon, not by people.
    #[command(hide = true)]
    Dequeuer(dequeuer::DequeuerArgs),
    /// Make a safe copy of a document.
    Clean(clean::CleanArgs),
    /// Lock a file: a form that no program opens.
    Lock(lock::LockArgs),
    /// Unlock a locked file.
    Unlock(lock::UnlockArgs),
    /// Check a configuration file.
    Check(check::CheckArgs),
    /// Make, show and export the inspection CA.
    Ca(ca::CaArgs),
    /// Check this machine.
    Doctor(doctor::DoctorArgs),
}

#[cfg(test)]
mod tests;
