//! `[[resource]]` tables: what the inspector does with the flows of the rules that name them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::envelope::EnvelopeRule;
use crate::action::header::HeaderRule;
use crate::app::config::document::Notes;
use crate::app::config::extent::{self, Extent};
use crate::app::config::problem::ConfigProblem;
use crate::app::config::spool::duration;
use crate::app::config::{envelope, header};
use crate::delivery::settings::{NextHopName, Routing};
pub use crate::model::server_tls::ServerTls;
use crate::model::tracking::Tracking;
use crate::policy::action::UnknownWord;
use crate::policy::packet_rule::check_name;
use crate::policy::toml_table::TableReader;
use crate::tls::config::MinVersion;

/// What the inspector takes a flow for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Unique among resources.
    pub name: String,
    /// Who owns a message once its data has ended. Default `proxy`: the gateway never does.
    pub mode: ResourceMode,
    /// TLS toward the originator. Default `off`.
    pub client_tls: ClientTls,
    /// TLS toward the next hop. Default `opportunistic`, RFC 7435.
    pub server_tls: ServerTls,
    /// PEM file of the CAs that next hops' certificates are verified with. Default: the system's.
    pub server_ca: Option<PathBuf>,
    /// Name that the next hop's certificate must prove, and that it is asked for. Default: its address.
    pub server_name: Option<String>,
    /// Lowest TLS version on either leg. Default `1.2`.
    pub tls_min: MinVersion,
    /// Whose address the next hop sees. Default `client`: the originator's own.
    pub source: SourceAddress,
    /// Where connections made to the gateway itself go; without it, everybody goes where they meant to.
    pub next_hop: Option<SocketAddr>,
    /// Whether anybody looks at its messages. Default `full`.
    pub inspection: Extent,
    /// How its mail is delivered, with `mode = "spool"`.
    pub delivery: Routing,
    /// With `mode = "spool"`: how long the final reply waits for the verdict. Default `5s`.
    pub hold: Option<Duration>,
    /// What is done about header fields of its mail.
    pub header: Vec<HeaderRule>,
    /// What is done about paths of its envelopes.
    pub envelope: Vec<EnvelopeRule>,
}

/// How long the final reply waits for the verdict, unless the resource says otherwise.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(5);

/// Whose address the next hop sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceAddress {
    /// The originator's own address and port.
    #[default]
    Client,
    /// The gateway's.
    Gateway,
}

impl FromStr for SourceAddress {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "client" => Ok(Self::Client),
            "gateway" => Ok(Self::Gateway),
            _ => Err(UnknownWord::new(text, "a source", &["client", "gateway"])),
        }
    }
}

impl FromStr for Tracking {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "none" => Ok(Self::None),
            "log" => Ok(Self::Log),
            "alert" => Ok(Self::Alert),
            _ => Err(UnknownWord::new(text, "a kind of tracking", &["none", "log", "alert"])),
        }
    }
}

/// Who owns a message once its data has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceMode {
    /// The next hop: our reply follows its reply.
    #[default]
    Proxy,
    /// The gateway: it accepts, commits, judges and delivers.
    Spool,
}

impl FromStr for ResourceMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "proxy" => Ok(Self::Proxy),
            "spool" => Ok(Self::Spool),
            _ => Err(UnknownWord::new(text, "a mode", &["proxy", "spool"])),
        }
    }
}

/// TLS toward the originator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientTls {
    /// STARTTLS is not offered.
    #[default]
    Off,
    /// A leaf minted by the inspection CA, after the next hop's certificate.
    Mint,
    /// The protected server's own certificate. Relative paths are meant from the configuration file's folder.
    Imported {
        /// PEM file of the chain, the server's own certificate first, or PKCS#12 file.
        certificate: PathBuf,
        /// PEM file of the key; without it, the key stands in the file of the certificate.
        key: Option<PathBuf>,
        /// File with the password of a PKCS#12 file, on its first line.
        password_file: Option<PathBuf>,
    },
}

impl FromStr for ServerTls {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "off" => Ok(Self::Off),
            "opportunistic" => Ok(Self::Opportunistic),
            "dane" => Ok(Self::Dane),
            "required" => Ok(Self::Required),
            "verified" => Ok(Self::Verified),
            _ => {
                let known = ["off", "opportunistic", "dane", "required", "verified"];
                Err(UnknownWord::new(text, "a degree of TLS", &known))
            }
        }
    }
}

/// A resource as it was read, and where its name and its files stand.
#[derive(Debug)]
pub(crate) struct ResourceTable {
    /// The resource; without a name if that could not be read.
    pub(crate) resource: Resource,
    pub(crate) name_span: Range<usize>,
    pub(crate) file_spans: FileSpans,
    /// What somebody should look at.
    pub(crate) doubts: Vec<(Range<usize>, ConfigProblem)>,
}

/// Where the keys stand that name files.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSpans(Vec<(&'static str, Range<usize>)>);

impl FileSpans {
    /// Where a key stands; where its resource does, if it was left out.
    pub(crate) fn of(&self, key: &str) -> Range<usize> {
        let found = self.0.iter().find(|(name, _)| *name == key).or_else(|| self.0.first());
        found.map(|(_, span)| span.clone()).unwrap_or_default()
    }
}

const KEYS: &[&str] = &[
    "name",
    "mode",
    "client_tls",
    "server_tls",
    "server_ca",
    "server_name",
    "tls_min",
    "source",
    "next_hop",
    "inspection",
    "delivery_servers",
    "use_mx",
    "mta_sts",
    "error_servers",
    "error_mx",
    "notify_sender",
    "check_rule_base",
    "exception_tracking",
    "hold",
    "header",
    "envelope",
];

/// Those that need `mode = "spool"`.
const SPOOL_KEYS: [&str; 9] = [
    "delivery_servers",
    "use_mx",
    "mta_sts",
    "error_servers",
    "error_mx",
    "notify_sender",
    "check_rule_base",
    "exception_tracking",
    "hold",
];

/// Longest hold: the other side's time-out for the final reply is ten minutes (RFC 5321 §4.5.3.2.6).
const MAX_HOLD: Duration = Duration::from_mins(5);

const IMPORTED_KEYS: &[&str] = &["certificate", "key", "password_file"];

/// Reads one table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> ResourceTable {
    let mut reader = TableReader::new(table, span, "[[resource]]", KEYS);
    reader.require("name");
    let name = reader
        .text("name")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let name_span = reader.span_of("name").unwrap_or_else(|| reader.span());
    let mut file_spans = FileSpans(vec![("name", name_span.clone())]);
    for key in ["client_tls", "server_tls", "server_ca"] {
        file_spans.0.extend(reader.span_of(key).map(|span| (key, span)));
    }
    let server_tls = reader.word("server_tls").unwrap_or_default();
    let (mut header, mut doubts) = (Vec::new(), Vec::new());
    if let Some(value) = reader.value("header") {
        let (rules, mistakes) = header::read_all(value, notes, &mut doubts);
        header = rules;
        reader.adopt(mistakes);
    }
    let mut envelope = Vec::new();
    if let Some(value) = reader.value("envelope") {
        let (rules, mistakes) = envelope::read_all(value, notes);
        envelope = rules;
        reader.adopt(mistakes);
    }
    let resource = Resource {
        name: name.unwrap_or_default(),
        mode: reader.word("mode").unwrap_or_default(),
        client_tls: reader
            .value("client_tls")
            .and_then(|value| client_tls(&mut reader, value, &mut file_spans, notes))
            .unwrap_or_default(),
        server_tls,
        server_ca: file(&mut reader, "server_ca", notes),
        server_name: server_name(&mut reader, notes),
        tls_min: tls_min(&mut reader, notes).unwrap_or_default(),
        source: reader.word("source").unwrap_or_default(),
        next_hop: socket_address(&mut reader, "next_hop", notes),
        inspection: extent::read(&mut reader, &mut doubts),
        delivery: routing(&mut reader, server_tls, notes),
        hold: duration(&mut reader, "hold", Duration::from_millis(100), MAX_HOLD, notes),
        header,
        envelope,
    };
    if resource.mode == ResourceMode::Proxy
        && let Some(key) = SPOOL_KEYS.into_iter().find(|key| reader.value(key).is_some())
    {
        notes.error(reader.span_of(key).unwrap_or_default(), ConfigProblem::NeedsSpool { key });
    }
    if (resource.mode, resource.server_tls) == (ResourceMode::Proxy, ServerTls::Dane) {
        notes.error(file_spans.of("server_tls"), ConfigProblem::DaneNeedsSpool);
    }
    if let (ClientTls::Mint, ServerTls::Off) = (&resource.client_tls, resource.server_tls) {
        notes.error(file_spans.of("client_tls"), ConfigProblem::NothingToMintAfter);
    }
    notes.adopt(reader.finish());
    ResourceTable { resource, name_span, file_spans, doubts }
}

/// How its mail is delivered.
fn routing(reader: &mut TableReader<'_>, server_tls: ServerTls, notes: &mut Notes) -> Routing {
    let routing = Routing {
        servers: hosts(reader, "delivery_servers", notes),
        use_mx: reader.switch("use_mx").unwrap_or(false),
        error_servers: hosts(reader, "error_servers", notes),
        error_mx: reader.switch("error_mx").unwrap_or(false),
        notify_sender: reader.switch("notify_sender").unwrap_or(true),
        server_tls,
        mta_sts: reader.switch("mta_sts").unwrap_or(false),
        check_rule_base: reader.switch("check_rule_base").unwrap_or(false),
        exception_tracking: reader.word("exception_tracking").unwrap_or_default(),
    };
    if routing.mta_sts && (!routing.use_mx || server_tls == ServerTls::Off) {
        notes.error(reader.span_of("mta_sts").unwrap_or_default(), ConfigProblem::StsNeedsMx);
    }
    for (on, is_empty, first, second) in [
        (routing.use_mx, routing.servers.is_empty(), "use_mx", "delivery_servers"),
        (routing.error_mx, routing.error_servers.is_empty(), "error_mx", "error_servers"),
    ] {
        if on && !is_empty {
            let span = reader.span_of(second).unwrap_or_default();
            notes.error(span, ConfigProblem::Contradiction { first, second });
        }
    }
    routing
}

fn hosts(reader: &mut TableReader<'_>, key: &'static str, notes: &mut Notes) -> Vec<NextHopName> {
    let mut hosts = Vec::new();
    for text in reader.texts(key) {
        match text.get_ref().parse() {
            Ok(host) => hosts.push(host),
            Err(problem) => notes.error(text.span(), ConfigProblem::NotAHost(problem)),
        }
    }
    hosts
}

fn client_tls(
    reader: &mut TableReader<'_>,
    value: &Spanned<DeValue<'_>>,
    file_spans: &mut FileSpans,
    notes: &mut Notes,
) -> Option<ClientTls> {
    match value.get_ref() {
        DeValue::String(word) => {
            let word = Spanned::new(value.span(), word.as_ref());
            reader.parsed(&word, |text| match text {
                "off" => Ok(ClientTls::Off),
                "mint" => Ok(ClientTls::Mint),
                _ => Err(UnknownWord::new(text, "a kind of TLS", &["off", "mint"])),
            })
        }
        DeValue::Table(files) => {
            let mut inner = TableReader::new(files, value.span(), "`client_tls`", IMPORTED_KEYS);
            inner.require("certificate");
            for key in IMPORTED_KEYS {
                file_spans.0.extend(inner.span_of(key).map(|span| (*key, span)));
            }
            let certificate = file(&mut inner, "certificate", notes);
            let key = file(&mut inner, "key", notes);
            let password_file = file(&mut inner, "password_file", notes);
            notes.adopt(inner.finish());
            Some(ClientTls::Imported { certificate: certificate?, key, password_file })
        }
        _ => {
            reader.wrong_type("client_tls", "`mint`, `off` or a table of files", value, None);
            None
        }
    }
}

fn socket_address(reader: &mut TableReader<'_>, key: &'static str, notes: &mut Notes) -> Option<SocketAddr> {
    let text = reader.text(key)?;
    let address = text.get_ref().parse::<SocketAddr>().ok().filter(|address| {
        !(address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0)
    });
    if address.is_none() {
        let suggestion = text.get_ref().parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 25).to_string());
        let text_owned = (*text.get_ref()).to_owned();
        notes.error(text.span(), ConfigProblem::NotASocketAddress { key, text: text_owned, suggestion });
    }
    address
}

fn file(reader: &mut TableReader<'_>, key: &'static str, notes: &mut Notes) -> Option<PathBuf> {
    let text = reader.text(key)?;
    if text.get_ref().is_empty() {
        notes.error(text.span(), ConfigProblem::EmptyPath { key });
        return None;
    }
    Some(PathBuf::from(*text.get_ref()))
}

/// The lowest version; those that are too old are told why.
fn tls_min(reader: &mut TableReader<'_>, notes: &mut Notes) -> Option<MinVersion> {
    let value = reader.value("tls_min")?;
    if let DeValue::Float(number) = value.get_ref() {
        let suggestion = Some(format!("tls_min = \"{}\"", number.as_str()));
        reader.wrong_type("tls_min", "a string", value, suggestion);
        return None;
    }
    let text = reader.text("tls_min")?;
    match *text.get_ref() {
        "1.2" => Some(MinVersion::Tls12),
        "1.3" => Some(MinVersion::Tls13),
        other => {
            notes.error(text.span(), ConfigProblem::TlsVersion { text: other.to_owned() });
            None
        }
    }
}

fn server_name(reader: &mut TableReader<'_>, notes: &mut Notes) -> Option<String> {
    let text = reader.text("server_name")?;
    let name = (*text.get_ref()).to_owned();
    if ServerName::try_from(name.as_str()).is_err() {
        notes.error(text.span(), ConfigProblem::NotAServerName { text: name });
        return None;
    }
    Some(name)
}
