//! The certificates, keys and CAs that a configuration names: read, checked against each other, and made into what
//! TLS of a resource needs.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::ServerName;

use crate::app::config::Config;
use crate::app::config::diagnostic::{ConfigErrors, Diagnostic};
use crate::app::config::problem::ConfigProblem;
use crate::app::config::resource::{ClientTls, FileSpans, Resource, ServerTls};
use crate::model::tls_facts::CertificateFacts;
use crate::policy::lint::Severity;
use crate::tls;
use crate::tls::authority_store::AuthorityError;
use crate::tls::config::{NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;
use crate::tls::identity::Identity;
use crate::tls::setup_error::TlsSetupError;
use crate::tls::trust::TrustAnchors;
use crate::tls::web::WebTls;

/// Octets of a file of certificates at most: the system's own bundle of CAs has a fifth of that.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// TLS of a resource, from its files. The configuration must be one that was loaded from a file.
pub fn context(config: &Config, resource: &Resource) -> Result<TlsContext, TlsFileProblem> {
    let refused = |problem| TlsFileProblem::Setup { key: "server_tls", problem };
    TlsContext::new(settings(config, resource)?).map_err(refused)
}

/// TLS toward the web servers that have domains' policies, believing whom the resource believes.
pub fn web(resource: &Resource) -> Result<WebTls, TlsFileProblem> {
    let trust = resource.server_ca.as_deref().map_or_else(|| Ok(TrustAnchors::system()), trust)?;
    WebTls::new(&trust).map_err(|problem| TlsFileProblem::Setup { key: "mta_sts", problem })
}

/// The certificate that originators see, or that of the CA which signs it.
pub fn shown(config: &Config, resource: &Resource) -> Option<CertificateFacts> {
    match settings(config, resource).ok()?.originator {
        OriginatorTls::Off => None,
        OriginatorTls::Imported(identity) => Some(identity.facts()),
        OriginatorTls::Mint(authority) => Some(authority.facts()),
    }
}

fn settings(config: &Config, resource: &Resource) -> Result<tls::config::Config, TlsFileProblem> {
    let originator = match &resource.client_tls {
        ClientTls::Off => OriginatorTls::Off,
        ClientTls::Mint => {
            let store = config.inspection_ca.store(&config.gateway.data_dir);
            OriginatorTls::Mint(Arc::new(store.load().map_err(TlsFileProblem::authority)?))
        }
        ClientTls::Imported { certificate, key, password_file } => OriginatorTls::Imported(Arc::new(
            identity(certificate, key.as_deref(), password_file.as_deref())?,
        )),
    };
    let trust = resource.server_ca.as_deref().map(trust).transpose()?.map(Arc::new);
    // Only names that can be read come this far.
    let server_name = resource.server_name.clone().and_then(|name| ServerName::try_from(name).ok());
    let verify = resource.server_tls == ServerTls::Verified;
    Ok(tls::config::Config {
        originator,
        next_hop: NextHopTls { verify, trust, server_name },
        min_version: resource.tls_min,
    })
}

fn identity(
    certificate: &Path,
    key: Option<&Path>,
    password_file: Option<&Path>,
) -> Result<Identity, TlsFileProblem> {
    let chain = read("certificate", certificate)?;
    let of = |key, path: &Path| {
        let path = path.to_owned();
        move |problem| TlsFileProblem::File { key, path, problem }
    };
    if Identity::is_pkcs12(&chain) {
        let password = match password_file {
            Some(path) => first_line(&read("password_file", path)?),
            None => String::new(),
        };
        return Identity::from_pkcs12(&chain, &password).map_err(of("certificate", certificate));
    }
    let (key_name, key_path) = key.map_or(("certificate", certificate), |path| ("key", path));
    let key = read(key_name, key_path)?;
    Identity::from_pem(&chain, &key).map_err(|problem| match problem {
        TlsSetupError::NoKey | TlsSetupError::Key | TlsSetupError::KeyMismatch => {
            of(key_name, key_path)(problem)
        }
        _ => of("certificate", certificate)(problem),
    })
}

fn trust(path: &Path) -> Result<TrustAnchors, TlsFileProblem> {
    let text = read("server_ca", path)?;
    let path = path.to_owned();
    TrustAnchors::from_pem(&text).map_err(|problem| TlsFileProblem::File { key: "server_ca", path, problem })
}

fn first_line(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).lines().next().unwrap_or_default().to_owned()
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsFileProblem> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut octets));
    read.map_err(|error| TlsFileProblem::Unreadable { key, path: path.to_owned(), why: why(&error) })?;
    Ok(octets)
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Lets relative paths begin at the configuration file's folder.
pub(crate) fn anchor(config: &mut Config, folder: &Path) {
    let join = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = folder.join(&*path);
        }
    };
    join(&mut config.inspection_ca.certificate);
    join(&mut config.inspection_ca.key);
    for resource in &mut config.resources {
        join(&mut resource.server_ca);
        if let ClientTls::Imported { certificate, key, password_file } = &mut resource.client_tls {
            *certificate = folder.join(&*certificate);
            join(key);
            join(password_file);
        }
    }
}

/// Reads the files of every resource once. Errors end it with all of them; doubts become warnings.
pub(crate) fn check(config: &mut Config, spans: &[FileSpans], text: &str) -> Result<(), ConfigErrors> {
    let file = config.file.clone();
    let mut diagnostics = std::mem::take(&mut config.warnings);
    for (resource, spans) in config.resources.iter().zip(spans) {
        for (severity, problem) in problems(config, resource) {
            let span = spans.of(problem.key());
            let problem = ConfigProblem::TlsFile(problem);
            let suggestion = problem.suggestion();
            diagnostics.push(Diagnostic::new(severity, (&file, text), &span, &problem, suggestion));
        }
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(ConfigErrors { file, diagnostics });
    }
    config.warnings = diagnostics;
    Ok(())
}

fn problems(config: &Config, resource: &Resource) -> Vec<(Severity, TlsFileProblem)> {
    let settings = match settings(config, resource) {
        Ok(settings) => settings,
        Err(problem) => return vec![(Severity::Error, problem)],
    };
    let mut problems = Vec::new();
    let now = Timestamp::now().as_second();
    let mut shown = |key, path: &Path, validity: Option<(i64, i64)>| {
        let path = path.to_owned();
        match validity {
            Some((_, not_after)) if not_after < now => {
                let since = day(not_after);
                problems.push((Severity::Warning, TlsFileProblem::Expired { key, path, since }));
            }
            Some((not_before, _)) if not_before > now => {
                let from = day(not_before);
                problems.push((Severity::Warning, TlsFileProblem::NotYetValid { key, path, from }));
            }
            _ => {}
        }
    };
    let key_file = match (&settings.originator, &resource.client_tls) {
        (OriginatorTls::Imported(identity), ClientTls::Imported { certificate, key, .. }) => {
            shown("certificate", certificate, identity.validity());
            Some(key.as_ref().map_or(("certificate", certificate.clone()), |key| ("key", key.clone())))
        }
        (OriginatorTls::Mint(authority), _) => {
            let store = config.inspection_ca.store(&config.gateway.data_dir);
            shown("client_tls", &store.certificate, authority.validity());
            Some(("client_tls", store.key))
        }
        _ => None,
    };
    if let Some((key, path)) = key_file.filter(|(_, path)| others_may_read(path)) {
        problems.push((Severity::Warning, TlsFileProblem::OthersMayRead { key, path }));
    }
    if let Err(problem) = TlsContext::new(settings) {
        problems.push((Severity::Error, TlsFileProblem::Setup { key: "server_tls", problem }));
    }
    problems
}

fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// What is wrong or doubtful with a file that a resource names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFileProblem {
    /// Another path was meant, or the file belongs to another user.
    #[error("the file {} {why}", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why, as the end of a sentence.
        why: String,
    },
    /// Something else is in the file, or in its neighbour.
    #[error("the file {} cannot be used: {problem}", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: TlsSetupError,
    },
    /// No inspection CA, or none that can be used.
    #[error("{sentence}")]
    Authority {
        /// What is wrong, and what to do.
        sentence: String,
    },
    /// Each file is in order, and together they are not.
    #[error("TLS of this resource cannot be set up: {problem}")]
    Setup {
        /// The key that asks for it.
        key: &'static str,
        /// What is wrong.
        problem: TlsSetupError,
    },
    /// Renewed elsewhere and not copied here, or not renewed.
    #[error("the certificate in {} has expired on {since}: originators that verify it will not send", path.display())]
    Expired {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Its last day.
        since: String,
    },
    /// The certificate came early, or the clock is wrong.
    #[error("the certificate in {} is not valid before {from}", path.display())]
    NotYetValid {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Its first day.
        from: String,
    },
    /// Whoever has the key can pass for the server.
    #[error("the key in {} may be read by every user of this machine", path.display())]
    OthersMayRead {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl TlsFileProblem {
    fn authority(error: AuthorityError) -> Self {
        let sentence = match error {
            AuthorityError::Io { path, source } => format!("the file {} {}", path.display(), why(&source)),
            other => other.to_string(),
        };
        Self::Authority { sentence }
    }

    /// The configuration's key that it is about.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Unreadable { key, .. }
            | Self::File { key, .. }
            | Self::Setup { key, .. }
            | Self::Expired { key, .. }
            | Self::NotYetValid { key, .. }
            | Self::OthersMayRead { key, .. } => key,
            Self::Authority { .. } => "client_tls",
        }
    }

    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::File { key: "certificate", problem: TlsSetupError::NoKey, .. } => {
                Some("client_tls = { certificate = \"mx.pem\", key = \"mx.key\" }".to_owned())
            }
            Self::File { problem: TlsSetupError::Pkcs12, .. } => {
                Some("client_tls = { certificate = \"mx.p12\", password_file = \"mx.password\" }".to_owned())
            }
            Self::Setup { problem: TlsSetupError::NoTrustAnchors, .. } => {
                Some("server_ca = \"/etc/ssl/certs/ca-certificates.crt\"".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
