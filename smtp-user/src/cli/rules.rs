//! `postern rules`: the packet rules of the running gateway.

mod change;
pub mod row;

use std::path::PathBuf;
use std::process;

use clap::{ArgGroup, Subcommand};
use ipnet::IpNet;

use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::{output, word};
use crate::packet_path::rule_base;
use crate::packet_path::stats::RuleCounts;
use crate::policy::action::{Action, WhenDown};
use crate::policy::packet_rule::{PacketRule, TRACK_STARTTLS};
use crate::policy::packet_rules::{Place, RuleRef};
use crate::policy::service::Service;

/// List and change the packet rules of the running gateway.
///
/// Changes are made active at once and as a whole; a change that would be wrong is refused and the running
/// policy stays. They last until `postern stop`, or until the daemon reads its configuration again.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern rules list\n  \
    postern rules add --name newsletters --from 10.0.9.0/24 --service smtp --action accelerate --track starttls --at 1\n  \
    postern rules move newsletters --after \"inbound mail\"\n  postern rules del newsletters\n  \
    postern rules load rules.toml --dry-run")]
pub struct RulesArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to do with the rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// List the rules in order, with what each matched.
    List,
    /// Add a rule, behind all others unless told otherwise.
    Add(AddArgs),
    /// Take a rule out.
    Del {
        /// Its name or position.
        #[arg(value_name = "NAME|N", value_parser = rule_ref)]
        rule: RuleRef,
        /// Show the result and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a rule elsewhere.
    Move(MoveArgs),
    /// Put the rules of a file, of its own or a configuration, in the place of all.
    Load {
        /// File with `[[rule]]` tables.
        file: PathBuf,
        /// Show the result and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A rule to add.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("place").args(["at", "before", "after"]))]
pub struct AddArgs {
    /// Its name, which no other rule has.
    #[arg(long)]
    name: String,
    /// Source addresses or prefixes, with commas or given again; absent: any.
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', value_parser = word::prefix)]
    from: Vec<IpNet>,
    /// Destination addresses or prefixes.
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', value_parser = word::prefix)]
    to: Vec<IpNet>,
    /// smtp, smtps, submission, tcp/8000-8100, udp/53, tcp, udp or any; absent: any.
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', value_parser = word::service)]
    service: Vec<Service>,
    /// Interface that the flow's first packet comes in by.
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// accelerate, watch, inspect, drop or stack.
    #[arg(long, value_parser = word::action)]
    action: Action,
    /// Without an inspector: refuse or accelerate.
    #[arg(long, value_name = "CHOICE", value_parser = word::when_down)]
    when_down: Option<WhenDown>,
    /// `starttls`: follow how far the SMTP dialogue gets.
    #[arg(long, value_name = "WHAT", value_parser = track)]
    track: Option<Track>,
    /// What the inspector takes the flow for.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Position, counted from 1.
    #[arg(long, value_name = "N")]
    at: Option<usize>,
    /// In front of this rule.
    #[arg(long, value_name = "NAME|N", value_parser = rule_ref)]
    before: Option<RuleRef>,
    /// Behind this rule.
    #[arg(long, value_name = "NAME|N", value_parser = rule_ref)]
    after: Option<RuleRef>,
    /// Show the result and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A rule to put elsewhere.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("place").args(["to", "before", "after"]).required(true))]
pub struct MoveArgs {
    /// Its name or position.
    #[arg(value_name = "NAME|N", value_parser = rule_ref)]
    rule: RuleRef,
    /// Position that it shall have, counted from 1.
    #[arg(long, value_name = "N")]
    to: Option<usize>,
    /// In front of this rule.
    #[arg(long, value_name = "NAME|N", value_parser = rule_ref)]
    before: Option<RuleRef>,
    /// Behind this rule.
    #[arg(long, value_name = "NAME|N", value_parser = rule_ref)]
    after: Option<RuleRef>,
    /// Show the result and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What `--track` can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// The stage of the SMTP dialogue and its STARTTLS.
    Starttls,
}

impl AddArgs {
    fn rule(&self) -> PacketRule {
        PacketRule {
            from: self.from.clone(),
            to: self.to.clone(),
            service: self.service.clone(),
            interface: self.interface.clone(),
            when_down: self.when_down,
            track_starttls: self.track == Some(Track::Starttls),
            resource: self.resource.clone(),
            ..PacketRule::new(&self.name, self.action)
        }
    }
}

/// Runs the command.
pub fn run(args: &RulesArgs) -> anyhow::Result<process::ExitCode> {
    let gateway = &args.gateway;
    match &args.command {
        RulesCommand::List => list(gateway)?,
        RulesCommand::Add(add) => {
            let place = place(add.at, add.before.as_ref(), add.after.as_ref());
            let edit = change::Edit::Add { rule: add.rule(), place };
            change::apply(gateway, &edit, add.dry_run)?;
        }
        RulesCommand::Del { rule, dry_run } => {
            change::apply(gateway, &change::Edit::Remove { rule: rule.clone() }, *dry_run)?;
        }
        RulesCommand::Move(motion) => {
            let place = place(motion.to, motion.before.as_ref(), motion.after.as_ref());
            let edit = change::Edit::Move { rule: motion.rule.clone(), place };
            change::apply(gateway, &edit, motion.dry_run)?;
        }
        RulesCommand::Load { file, dry_run } => {
            change::apply(gateway, &change::Edit::load(file)?, *dry_run)?;
        }
    }
    Ok(ExitCode::Ok.into())
}

fn list(gateway: &GatewayArgs) -> anyhow::Result<()> {
    let maps = gateway.open()?;
    let rows = row::RuleRow::all(&rule_base::active_rules(&maps)?, &RuleCounts::open(&maps)?)?;
    if gateway.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::text("There are no rules: every packet is left to the kernel's own routing.\n")?;
    } else {
        output::text(&row::table(&rows).text(0))?;
    }
    Ok(())
}

fn place(at: Option<usize>, before: Option<&RuleRef>, after: Option<&RuleRef>) -> Place {
    match (at, before, after) {
        (Some(number), ..) => Place::Position(number),
        (_, Some(rule), _) => Place::Before(rule.clone()),
        (.., Some(rule)) => Place::After(rule.clone()),
        _ => Place::End,
    }
}

fn rule_ref(text: &str) -> Result<RuleRef, std::convert::Infallible> {
    text.parse()
}

fn track(text: &str) -> Result<Track, word::WordError> {
    word::one_of(text, "something to track", &[Track::Starttls], |_| TRACK_STARTTLS)
}

#[cfg(test)]
mod tests;
