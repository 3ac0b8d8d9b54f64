//! The emulated machine: Debian 12's own 6.1 kernel, an initial file system made here, and a script that
//! tries something and says PASS or FAIL.
//!
//! Nothing of this kernel is installed: its package is unpacked under `target/kernels`.

mod archive;
mod image;
mod kernel;
mod machine;
pub(crate) mod packet_path;
pub(crate) mod power_loss;
mod resets;

/// How it went.
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// It did not; with the console's last words.
    Failed(String),
    /// It could not be tried.
    Skipped(String),
}

/// Why no kernel can be tried here at all, if none can.
pub(crate) fn refusal() -> Option<String> {
    let fits = cfg!(target_arch = "x86_64");
    (!fits).then(|| "the emulated kernel is for x86-64 only".to_owned())
}
