//! The log of a process that runs for long: standard error.

use clap::Args;

/// What the log is to be.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Log as JSON lines.
    #[arg(long)]
    pub json: bool,
    /// What to log, as in `info` or `postern=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "POSTERN_LOG")]
    pub log: String,
}

impl LogArgs {
    /// Starts it.
    pub fn start(&self) {
        use tracing_subscriber::EnvFilter;
        // The BPF library tells every relocation at `debug`; nobody who asks for ours wants that.
        let filter = EnvFilter::try_new(format!("aya=warn,aya_obj=warn,{}", self.log))
            .unwrap_or_else(|_| EnvFilter::new("info"));
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            // Whoever read the log may be gone: that is no reason to end, and there is nobody to tell.
            .log_internal_errors(false);
        // A second log is a mistake of tests only.
        let _ = if self.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    }
}
