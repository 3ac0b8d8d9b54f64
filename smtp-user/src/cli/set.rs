//! `postern set`: tunables that live in a map and act at once.

mod tunable;

use std::process;

use serde::Serialize;
use smtp_common::flow::HashKeys;
use smtp_common::settings::GatewaySettings;

use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::mistake::CommandError;
use crate::cli::output;
use crate::cli::set::tunable::Tunable;
use crate::cli::table::Column::Words;
use crate::cli::table::TextTable;
use crate::packet_path::rule_base;

/// List and change tunables of the running gateway.
///
/// Without arguments, lists them. A value acts at once, also on flows that run, and stays in the pinned maps.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern set\n  postern set idle.udp 45s\n  postern set accelerate off\n  \
                  postern set events opened,closed,refused"
)]
pub struct SetArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// The tunable.
    #[arg(value_name = "KEY", value_parser = tunable::by_key)]
    pub key: Option<Tunable>,
    /// Its new value; absent: show it.
    #[arg(value_name = "VALUE", requires = "key")]
    pub value: Option<String>,
}

/// Runs the command.
pub fn run(args: &SetArgs) -> anyhow::Result<process::ExitCode> {
    let maps = args.gateway.open()?;
    let settings = match (args.key, &args.value) {
        (Some(tunable), Some(text)) => {
            // The lock of the rules keeps two commands from overwriting each other's values.
            let _lock = rule_base::lock(&maps)?;
            let mut settings = maps.settings()?;
            tunable
                .write(&mut settings, text)
                .map_err(|problem| CommandError::Value { key: tunable.key(), problem })?;
            maps.set_settings(&settings)?;
            if tunable.decides_flows() {
                maps.raise_route_generation()?;
            }
            settings
        }
        _ => maps.settings()?,
    };
    let shown: Vec<Tunable> = args.key.map_or_else(|| Tunable::ALL.to_vec(), |tunable| vec![tunable]);
    let rows: Vec<Row> = shown.into_iter().map(|tunable| Row::new(tunable, &settings)).collect();
    if args.gateway.json {
        output::json(&rows)?;
    } else {
        output::text(&table(&rows))?;
    }
    Ok(ExitCode::Ok.into())
}

#[derive(Debug, Serialize)]
struct Row {
    key: &'static str,
    value: String,
    default: String,
    unit: &'static str,
    help: &'static str,
}

impl Row {
    fn new(tunable: Tunable, settings: &GatewaySettings) -> Self {
        Self {
            key: tunable.key(),
            value: tunable.read(settings),
            default: tunable.read(&GatewaySettings::with_keys(HashKeys::default())),
            unit: tunable.unit(),
            help: tunable.help(),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let columns = [Words("key"), Words("value"), Words("default"), Words("unit"), Words("meaning")];
    let mut table = TextTable::new(&columns);
    for row in rows {
        table.row([
            row.key.to_owned(),
            row.value.clone(),
            row.default.clone(),
            row.unit.to_owned(),
            row.help.to_owned(),
        ]);
    }
    table.text(0)
}
