//! The packet path on another kernel: makes the lab, loads Postern, forwards something.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use super::image::{Contents, build, program};
use super::machine::Machine;
use super::{Outcome, kernel, refusal};
use crate::setup::{self, Compiler, Need};
use crate::workspace::{Profile, Workspace};
use crate::{build as binaries, lab};

/// Modules that Postern and the lab need where the kernel is modular.
const MODULES: &[&str] = &["veth", "sch_ingress", "cls_bpf", "nf_tables", "8021q"];

/// Builds, boots and judges.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    if let Some(why) = refusal() {
        return Ok(Outcome::Skipped(why));
    }
    let compiler = match setup::ensure(workspace, &[Need::Build, Need::Lab, Need::Emulator]) {
        Ok(compiler) => compiler,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    if let Compiler::Missing { what } = compiler {
        return Ok(Outcome::Skipped(format!("no BPF compiler: {what} is missing")));
    }
    let folder = workspace.target().join("kernels");
    let kernel = match kernel::fetch(workspace, &folder) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let postern = binaries::postern(workspace, Profile::Dev)?;
    let programs = [program("ip")?, program("ethtool")?, program("nft")?, postern];
    let contents = Contents {
        programs: &programs,
        files: &[("postern.toml", CONFIGURATION)],
        modules: MODULES,
        script: &script(),
    };
    let machine = Machine { name: "packet-path".to_owned(), mebibytes: 1024, longest: LONGEST };
    machine.boot(&folder, &kernel, &build(&kernel, &contents)?)
}

/// The first process: makes the lab, runs Postern in it, and judges.
fn script() -> String {
    let mut steps = String::new();
    for step in lab::up_steps() {
        // Busybox's shell prefers its own `ip`, which knows no namespaces; a full path it leaves alone.
        let words = step.iter().map(|word| if word == "ip" { "/bin/ip" } else { word });
        let words: Vec<_> = words.map(|word| format!("'{word}'")).collect();
        let _ = writeln!(steps, "{}", words.join(" "));
    }
    INIT.replace("@LAB@", &steps)
}

/// Half a minute, most of it the verifier in software emulation; a busy machine takes longer.
const LONGEST: Duration = Duration::from_mins(4);
const INIT: &str = include_str!("packet_path.sh");
const CONFIGURATION: &str = include_str!("packet_path.toml");
