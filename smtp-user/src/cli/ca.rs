//! `postern ca`: the inspection CA, which mints leaves for resources with `client_tls = "mint"`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;

use crate::app::config::gateway::DEFAULT_DATA_DIR;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH, LoadError};
use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::model::tls_facts::CertificateFacts;
use crate::tls::authority_store::AuthorityStore;

/// Make, show and export the inspection CA.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Senders that verify certificates must trust this CA; give it to them with `postern ca export`.\n\n\
                  Examples:\n  postern ca init\n  postern ca init --name \"Example mail inspection\" --days 1825\n  \
                  postern ca show --json\n  postern ca export --out /usr/local/share/ca-certificates/postern.crt\n  \
                  postern ca export --der > postern.cer"
)]
pub struct CaArgs {
    /// Configuration file that says where the CA is; without one, it is below the usual data folder.
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: CaCommand,
}

/// What to do with the CA.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Make a CA: an ECDSA P-256 key that only its owner may read, and a self-signed certificate.
    Init {
        /// Its name, as senders see it as issuer.
        #[arg(long, value_name = "NAME", default_value = "Postern inspection CA", value_parser = name)]
        name: String,
        /// How long it is valid.
        #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=MAX_DAYS))]
        days: u16,
        /// Replace a CA that is there. Senders that trust the old one do not trust the new one.
        #[arg(long)]
        force: bool,
    },
    /// Show whose it is, how long it is valid, and its fingerprint.
    Show {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the certificate, never the key.
    Export {
        /// As DER, not as PEM.
        #[arg(long)]
        der: bool,
        /// Write to a file that does not exist yet.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// A hundred years, less than what a certificate's times hold.
const MAX_DAYS: i64 = 36_500;
/// RFC 5280 appendix A.1, ub-common-name.
const MAX_NAME_CHARS: usize = 64;

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control) {
        return Err(format!(
            "a CA's name has 1 to {MAX_NAME_CHARS} characters, none of them a control character"
        ));
    }
    Ok(text.to_owned())
}

/// Runs the command.
pub fn run(args: &CaArgs) -> anyhow::Result<process::ExitCode> {
    let store = store(args.config.as_deref())?;
    match &args.command {
        CaCommand::Init { name, days, force } => {
            let authority = store.create(name, *days, *force)?;
            let report = Report::new(&store, authority.facts());
            output::text(&format!("{}{AFTERWARDS}", report.text()))?;
        }
        CaCommand::Show { json } => {
            let report = Report::new(&store, store.load()?.facts());
            if *json {
                output::json(&report)?;
            } else {
                output::text(&report.text())?;
            }
        }
        CaCommand::Export { der, out } => {
            // Loaded, so that nothing is handed out that does not belong to the key.
            let authority = store.load()?;
            let octets = if *der { authority.certificate().to_vec() } else { store.certificate_pem()? };
            export(&octets, out.as_deref())?;
        }
    }
    Ok(ExitCode::Ok.into())
}

const AFTERWARDS: &str = "\nSenders that verify certificates must trust this CA: give them `postern ca export`.\n\
     Those that do not, and those that follow DANE or MTA-STS, will not deliver to a resource with\n\
     `client_tls = \"mint\"`; import the server's own certificate for them.\n";

/// Where the CA is. The files of a configuration need not exist yet.
fn store(config: Option<&Path>) -> anyhow::Result<AuthorityStore> {
    let loaded = match config {
        Some(path) => Some(Config::load_alone(path)?),
        None => match Config::load_alone(DEFAULT_CONFIG_PATH.as_ref()) {
            Err(LoadError::NotFound { .. }) => None,
            loaded => Some(loaded?),
        },
    };
    Ok(match loaded {
        Some(config) => config.inspection_ca.store(&config.gateway.data_dir),
        None => AuthorityStore::in_data_dir(DEFAULT_DATA_DIR.as_ref()),
    })
}

fn export(octets: &[u8], out: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = out {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
        file.and_then(|mut file| file.write_all(octets))
            .with_context(|| format!("cannot write {}", path.display()))?;
    } else {
        let mut out = std::io::stdout().lock();
        out.write_all(octets).and_then(|()| out.flush()).context("cannot print the certificate")?;
    }
    Ok(())
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    facts: CertificateFacts,
    certificate: PathBuf,
    key: PathBuf,
}

impl Report {
    fn new(store: &AuthorityStore, facts: CertificateFacts) -> Self {
        Self { facts, certificate: store.certificate.clone(), key: store.key.clone() }
    }

    fn text(&self) -> String {
        let Self { facts, certificate, key } = self;
        format!(
            "subject      {}\nissuer       {}\nvalid        {} to {}\nsha256       {}\ncertificate  {}\nkey          {}\n",
            facts.subject,
            facts.issuer,
            facts.not_before,
            facts.not_after,
            fingerprint(&facts.sha256),
            certificate.display(),
            key.display()
        )
    }
}

/// In pairs with colons, as `openssl x509 -fingerprint` prints it.
fn fingerprint(hexadecimal: &str) -> String {
    let digits: Vec<char> = hexadecimal.to_ascii_uppercase().chars().collect();
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests;
