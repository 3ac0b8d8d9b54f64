//! What an engine in another process is made from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::decision::MessageAction;

/// What an engine in another process is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name in records; unique.
    pub name: String,
    /// What is spoken with it, and where.
    pub protocol: Protocol,
    /// From the question to the answer, waiting included.
    pub deadline: Duration,
    /// Messages it looks at at a time.
    pub concurrency: usize,
    /// Messages that wait for it; more are an error at once.
    pub queue: usize,
    /// What is done with a message that it could not be asked about.
    pub when_down: MessageAction,
    /// Whether it is shown the test string (EICAR) before it is trusted, and again from time to time.
    pub self_test: bool,
}

/// What is spoken with an engine, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// clamd's own.
    Clamd {
        /// Where it listens.
        address: Address,
        /// Whether a message that is in a file is given as a descriptor, where the socket is local.
        pass_files: bool,
    },
    /// ICAP, RFC 3507.
    Icap(IcapService),
    /// None: rules of YARA, in this process.
    Yara {
        /// Their files.
        rules: Vec<PathBuf>,
    },
}

/// An ICAP service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcapService {
    /// Name or address, without brackets.
    pub host: String,
    /// 1344 unless said otherwise.
    pub port: u16,
    /// As in `avscan`.
    pub path: String,
}

impl IcapService {
    /// Host and port as they stand in an address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Config {
    /// The defaults, for a clamd.
    pub fn clamd(name: &str, address: Address) -> Self {
        Self::new(name, Protocol::Clamd { address, pass_files: true })
    }

    /// The defaults.
    pub fn new(name: &str, protocol: Protocol) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            deadline: DEFAULT_DEADLINE,
            concurrency: DEFAULT_CONCURRENCY,
            queue: DEFAULT_QUEUE,
            when_down: MessageAction::Defer,
            self_test: true,
        }
    }
}

/// From the question to the answer: clients wait 10 minutes for the reply to their data, RFC 5321 §4.5.3.2.6.
pub const DEFAULT_DEADLINE: Duration = Duration::from_mins(1);
/// Messages at a time: clamd's own `MaxThreads`.
pub const DEFAULT_CONCURRENCY: usize = 10;
/// Messages that wait; `MaxQueue` of clamd is 100.
pub const DEFAULT_QUEUE: usize = 100;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
