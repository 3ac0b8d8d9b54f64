//! `[[resource]]` tables: what the inspector does with the flows of the rules that name them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::config::document::Notes;
use crate::app::config::problem::ConfigProblem;
use crate::policy::action::UnknownWord;
use crate::policy::packet_rule::check_name;
use crate::policy::toml_table::TableReader;

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
    /// Whose address the next hop sees. Default `client`: the originator's own.
    pub source: SourceAddress,
    /// Where connections made to the gateway itself go; without it, everybody goes where they meant to.
    pub next_hop: Option<SocketAddr>,
}

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
    /// The protected server's own certificate.
    Imported {
        /// PEM file of the chain; a relative path is meant from the configuration file's folder.
        certificate: PathBuf,
        /// PEM file of the key.
        key: PathBuf,
    },
}

/// TLS toward the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerTls {
    /// Never.
    Off,
    /// Where the next hop offers it, whatever its certificate.
    #[default]
    Opportunistic,
    /// Always, whatever its certificate.
    Required,
    /// Always, with a certificate that proves the next hop's name.
    Verified,
}

impl FromStr for ServerTls {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "off" => Ok(Self::Off),
            "opportunistic" => Ok(Self::Opportunistic),
            "required" => Ok(Self::Required),
            "verified" => Ok(Self::Verified),
            _ => {
                let known = ["off", "opportunistic", "required", "verified"];
                Err(UnknownWord::new(text, "a degree of TLS", &known))
            }
        }
    }
}

/// A resource as it was read, and where its name stands.
#[derive(Debug)]
pub(crate) struct ResourceTable {
    /// The resource; without a name if that could not be read.
    pub(crate) resource: Resource,
    pub(crate) name_span: Range<usize>,
}

const KEYS: &[&str] = &["name", "mode", "client_tls", "server_tls", "source", "next_hop"];

/// Reads one table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> ResourceTable {
    let mut reader = TableReader::new(table, span, "[[resource]]", KEYS);
    reader.require("name");
    let name = reader
        .text("name")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let resource = Resource {
        name: name.unwrap_or_default(),
        mode: reader.word("mode").unwrap_or_default(),
        client_tls: reader
            .value("client_tls")
            .and_then(|value| client_tls(&mut reader, value, notes))
            .unwrap_or_default(),
        server_tls: reader.word("server_tls").unwrap_or_default(),
        source: reader.word("source").unwrap_or_default(),
        next_hop: socket_address(&mut reader, "next_hop", notes),
    };
    let name_span = reader.span_of("name").unwrap_or_else(|| reader.span());
    notes.adopt(reader.finish());
    ResourceTable { resource, name_span }
}

fn client_tls(
    reader: &mut TableReader<'_>,
    value: &Spanned<DeValue<'_>>,
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
            let mut inner = TableReader::new(files, value.span(), "`client_tls`", &["certificate", "key"]);
            inner.require("certificate");
            inner.require("key");
            let certificate = file(&mut inner, "certificate", notes);
            let key = file(&mut inner, "key", notes);
            notes.adopt(inner.finish());
            Some(ClientTls::Imported { certificate: certificate?, key: key? })
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
