//! Configuration files of gateways under test.

use std::path::Path;

use crate::topology::{CLIENT_SIDE, Hook, SERVER_SIDE};

/// How a gateway is set up: the configuration file's text in pieces.
#[derive(Clone, Debug)]
pub struct Config {
    /// Gateway interfaces.
    pub interfaces: Vec<String>,
    /// Kernel hook, as the configuration spells it.
    pub hook: String,
    /// More lines of the `[gateway]` table.
    pub gateway: String,
    /// `[[rule]]` tables.
    pub rules: String,
}

impl Config {
    /// The two interfaces of the test network, small flow tables, and these rules.
    pub fn new(hook: Hook, rules: &str) -> Self {
        Self {
            interfaces: vec![CLIENT_SIDE.to_owned(), SERVER_SIDE.to_owned()],
            hook: hook.name().to_owned(),
            gateway: "flows_v4 = 2048\nflows_v6 = 2048\n".to_owned(),
            rules: rules.to_owned(),
        }
    }

    /// The configuration file's text.
    pub fn text(&self) -> String {
        format!(
            "[gateway]\ninterfaces = {:?}\nhook = {:?}\n{}\n{}\n{RESOURCE}",
            self.interfaces, self.hook, self.gateway, self.rules
        )
    }
}

/// A configuration with the folder of what is kept, unless it names one.
pub(super) fn with_data_dir(config: &str, folder: &Path) -> String {
    if config.contains("\ndata_dir") {
        return config.to_owned();
    }
    config.replacen("[gateway]\n", &format!("[gateway]\ndata_dir = \"{}\"\n", folder.display()), 1)
}

/// What inspecting rules name.
const RESOURCE: &str = "[[resource]]\nname = \"inbound\"\nmode = \"proxy\"\n";

/// A rule that accelerates everything.
pub const ACCELERATE_ALL: &str = "[[rule]]\nname = \"all\"\naction = \"accelerate\"\n";
