//! `cargo xtask fuzz`: feeds the parsers and the relay octets that a fuzzer makes up, each for a while, and says where what it
//! found lies. What must be true whatever they are fed stands in `tests/fuzz`.
//!
//! Neither a nightly compiler nor `cargo fuzz` is needed: the flags that count branches are stable, and of sanitizers there is
//! none, since there is no `unsafe` to watch.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::setup::{self, Need};
use crate::workspace::{Workspace, find_program};

/// `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to feed, for example `relay`; all, one after the other, if none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// For how long each.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Begin with files of every kind that is read, too. Builds the unit tests, which write them.
    #[arg(long)]
    seeds: bool,
}

/// What makes the compiler count branches and show what is compared.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let all = targets(&workspace.root)?;
    if let Some(unknown) = arguments.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`; there are {}", all.join(", "));
    }
    setup::ensure(workspace, &[Need::Build])?;
    if std::env::var_os("CXX").is_none() && find_program("c++").is_none() {
        bail!("the fuzzer is in C++, and there is no `c++` (Debian: apt-get install g++)");
    }
    let chosen = if arguments.targets.is_empty() { &all } else { &arguments.targets };
    let folder = workspace.target().join("fuzz");
    let programs = build(workspace, &folder, chosen)?;
    let seeds = folder.join("seeds");
    if arguments.seeds {
        write_seeds(workspace, &seeds)?;
    }
    let mut failed = Vec::new();
    for name in chosen {
        println!("{name}: {} s", arguments.seconds);
        if !feed(workspace, &folder, &programs.join(name), name, arguments.seconds)? {
            failed.push(name.as_str());
        }
    }
    if !failed.is_empty() {
        let found = folder.join("found");
        bail!("{} failed; what they were fed is in {}", failed.join(", "), found.display());
    }
    println!("Nothing was found.");
    Ok(())
}

/// Names of all of them, in order.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("tests/fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Builds them; gives the folder that they are in.
fn build(workspace: &Workspace, folder: &Path, targets: &[String]) -> Result<PathBuf> {
    let sh = &workspace.shell;
    let manifest = workspace.root.join("tests/fuzz/Cargo.toml");
    let about = cmd!(sh, "rustc -vV").quiet().read().context("cannot ask rustc what it builds for")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say what it builds for")?;
    let bins: Vec<_> = targets.iter().flat_map(|name| ["--bin", name]).collect();
    println!("Building with branches counted; the first time takes some minutes.");
    // With a target named, the flags are not for build scripts.
    cmd!(
        sh,
        "cargo build --quiet --release --locked --manifest-path {manifest} --target-dir {folder} --target {host} {bins...}"
    )
    .env("RUSTFLAGS", FLAGS)
    .quiet()
    .run()
    .context("the fuzz targets did not build")?;
    Ok(folder.join(host).join("release"))
}

/// Has the unit tests write a file of every kind that is read.
fn write_seeds(workspace: &Workspace, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let sh = &workspace.shell;
    cmd!(sh, "cargo test --quiet --package smtp-user --lib -- --ignored --exact content::container::tests::seeds::seeds_are_written")
        .env("POSTERN_SEEDS", folder)
        .quiet()
        .ignore_stdout()
        .run()
        .context("the seeds were not written")
}

/// Feeds one target; says whether nothing was found.
fn feed(workspace: &Workspace, folder: &Path, program: &Path, name: &str, seconds: u32) -> Result<bool> {
    let (corpus, found) = (folder.join("corpus").join(name), folder.join("found").join(name));
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let words = workspace.root.join("tests/fuzz/words").join(words(name));
    let seeds = folder.join("seeds");
    let seeds = (is_about_files(name) && seeds.is_dir()).then_some(seeds);
    let mut options = vec![
        format!("-max_total_time={seconds}"),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=1500".to_owned(),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
        format!("-dict={}", words.display()),
        format!("-artifact_prefix={}/", found.display()),
    ];
    if is_about_files(name) {
        options.push("-max_len=65536".to_owned());
    }
    let sh = &workspace.shell;
    let run = cmd!(sh, "{program} {options...} {corpus} {seeds...}").quiet().ignore_status().output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    if run.status.success() {
        let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        println!("  {} executions, nothing found", executions.unwrap_or("?").trim());
    } else {
        println!("{said}");
    }
    Ok(run.status.success())
}

/// The list of words that a target's octets are made of.
fn words(target: &str) -> &'static str {
    match target {
        "command" | "reply" | "data" | "bdat" | "relay" => "dialogue.txt",
        "engine_replies" => "engine.txt",
        _ => "message.txt",
    }
}

/// Whether it reads what stands in files.
fn is_about_files(target: &str) -> bool {
    matches!(target, "contents" | "extraction")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{targets, words};

    #[test]
    fn every_target_is_built_and_has_words() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = std::fs::read_to_string(root.join("tests/fuzz/Cargo.toml")).unwrap();
        let names = targets(root).unwrap();
        assert!(names.len() >= 11, "{names:?}");
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
            assert!(root.join("tests/fuzz/words").join(words(&name)).is_file(), "{name}");
        }
    }
}
