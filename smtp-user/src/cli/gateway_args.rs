//! What every command that works on a loaded gateway is told, and how it gets at the maps.

use std::path::PathBuf;

use clap::Args;
use smtp_common::abi::DEFAULT_PIN_DIR;

use crate::cli::output;
use crate::packet_path::error::Result;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;

/// Which gateway, and how to print.
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// Folder of the pinned maps.
    #[arg(long, global = true, value_name = "DIR", env = "POSTERN_PIN_DIR", default_value = DEFAULT_PIN_DIR)]
    pub pin_dir: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

impl GatewayArgs {
    /// Opens the maps. When no daemon looks after them, says so on standard error.
    pub fn open(&self) -> Result<Maps> {
        let maps = self.open_quietly()?;
        if maps.daemon()?.is_none() {
            output::notice("the daemon is not running; these are the pinned maps");
        }
        Ok(maps)
    }

    /// Opens the maps and says nothing.
    pub fn open_quietly(&self) -> Result<Maps> {
        Maps::open(&Pins::new(&self.pin_dir))
    }
}
