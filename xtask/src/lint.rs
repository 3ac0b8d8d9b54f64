//! `cargo xtask lint`: format, lints on both targets, dependencies, layers. All are run before it fails.

use anyhow::{Result, bail};
use xshell::cmd;

use crate::setup::{self, Compiler, Need};
use crate::workspace::{Workspace, find_program};
use crate::{ebpf, layers};

/// Runs the command.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    let compiler = setup::ensure(workspace, &[Need::Build])?;
    let checks: [(&str, Check); 5] = [
        ("format", format),
        ("host lints", clippy),
        ("kernel program lints", kernel_programs),
        ("dependencies", dependencies),
        ("layers", layer_table),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        match check(workspace, &compiler) {
            Ok(Outcome::Passed) => println!("{name}: ok"),
            Ok(Outcome::Skipped(why)) => println!("{name}: skipped, {why}"),
            Err(error) => {
                println!("{name}: FAILED\n{error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

type Check = fn(&Workspace, &Compiler) -> Result<Outcome>;

/// How a check ended, unless it failed.
enum Outcome {
    Passed,
    Skipped(&'static str),
}

fn format(workspace: &Workspace, _: &Compiler) -> Result<Outcome> {
    let sh = &workspace.shell;
    component(workspace, "cargo-fmt", "rustfmt")?;
    cmd!(sh, "cargo fmt --all --check").quiet().run()?;
    let manifest = workspace.root.join("smtp-ebpf/Cargo.toml");
    if workspace.root.join("smtp-ebpf/src/main.rs").exists() {
        cmd!(sh, "cargo fmt --manifest-path {manifest} --check").quiet().run()?;
    }
    Ok(Outcome::Passed)
}

fn clippy(workspace: &Workspace, _: &Compiler) -> Result<Outcome> {
    let sh = &workspace.shell;
    component(workspace, "cargo-clippy", "clippy")?;
    cmd!(sh, "cargo clippy --quiet --workspace --all-targets -- -D warnings").quiet().run()?;
    Ok(Outcome::Passed)
}

fn kernel_programs(workspace: &Workspace, compiler: &Compiler) -> Result<Outcome> {
    // Debian's Rust comes without clippy; the compiler's own warnings are what is left.
    let verb = match compiler {
        Compiler::Missing { .. } => return Ok(Outcome::Skipped("there is no BPF compiler")),
        Compiler::Debian => "check",
        Compiler::Nightly { .. } => "clippy",
    };
    ebpf::cargo(workspace, compiler, verb, &["-Dwarnings"])?.arg("--all-features").run()?;
    Ok(Outcome::Passed)
}

fn dependencies(workspace: &Workspace, _: &Compiler) -> Result<Outcome> {
    if find_program("cargo-deny").is_none() {
        return Ok(Outcome::Skipped("cargo-deny is not installed (cargo install cargo-deny)"));
    }
    let sh = &workspace.shell;
    cmd!(sh, "cargo deny --log-level error check bans licenses sources").quiet().run()?;
    let advisories =
        cmd!(sh, "cargo deny --log-level error check advisories").quiet().ignore_status().output()?;
    if advisories.status.success() {
        return Ok(Outcome::Passed);
    }
    let said = String::from_utf8_lossy(&advisories.stderr);
    // The list of advisories comes over the network; without one, nothing is known against the dependencies.
    if said.contains("failed to fetch advisory database") {
        return Ok(Outcome::Skipped(
            "licences, bans and sources are ok, but the advisories cannot be fetched",
        ));
    }
    bail!("{}", said.trim())
}

fn layer_table(workspace: &Workspace, _: &Compiler) -> Result<Outcome> {
    let violations = layers::check(&workspace.root.join("smtp-user/src"))?;
    if !violations.is_empty() {
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        bail!("{}", lines.join("\n"));
    }
    Ok(Outcome::Passed)
}

/// Installs a rustup component unless its program answers.
fn component(workspace: &Workspace, program: &str, component: &str) -> Result<()> {
    let sh = &workspace.shell;
    let answers = cmd!(sh, "{program} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok();
    if !answers {
        println!("Installing the rustup component {component}: the lint needs it.");
        cmd!(sh, "rustup component add {component}").quiet().run()?;
    }
    Ok(())
}
