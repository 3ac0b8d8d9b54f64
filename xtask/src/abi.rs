//! `cargo xtask abi`: has a shared layout changed without `ABI_VERSION` being raised?
//!
//! A layout is the text of every `#[repr(C)]` struct of `smtp-common`, without comments and blanks. A change
//! of meaning that leaves the layout alone cannot be seen here; whoever makes one raises the version.

use std::path::Path;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::workspace::Workspace;

/// `cargo xtask abi`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Revision to compare the working tree with.
    #[arg(default_value = "HEAD~1")]
    base: String,
}

/// The contract at one revision.
struct Contract {
    version: u32,
    layouts: Vec<String>,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let sh = &workspace.shell;
    let base = &arguments.base;
    let listed = cmd!(sh, "git ls-tree -r --name-only {base} -- {SOURCE}").quiet().ignore_stderr().read();
    let listed = listed.with_context(|| format!("git does not know the revision {base}"))?;
    let mut old = String::new();
    for file in listed.lines().filter(|file| is_contract(file)) {
        old.push_str(&cmd!(sh, "git show {base}:{file}").quiet().read()?);
    }
    let present = cmd!(sh, "git ls-files --cached --others --exclude-standard -- {SOURCE}").quiet().read()?;
    let mut new = String::new();
    for file in present.lines().filter(|file| is_contract(file) && workspace.root.join(file).exists()) {
        new.push_str(&sh.read_file(file)?);
    }
    let new = contract(&new)?;
    if listed.is_empty() {
        println!("ABI version {}; {base} has no contract to compare with.", new.version);
        return Ok(());
    }
    let old = contract(&old).with_context(|| format!("reading the contract of {base}"))?;
    println!("ABI version {} here, {} in {base}.", new.version, old.version);
    if new.layouts == old.layouts {
        println!("No shared layout differs.");
    } else if new.version > old.version {
        println!("Shared layouts differ, and the version was raised.");
    } else {
        let changed: Vec<_> = new.layouts.iter().filter(|layout| !old.layouts.contains(layout)).collect();
        let names: Vec<_> = changed.iter().map(|layout| struct_name(layout)).collect();
        bail!(
            "shared layouts differ from {base} ({}) but ABI_VERSION is still {}",
            names.join(", "),
            new.version
        );
    }
    Ok(())
}

fn contract(text: &str) -> Result<Contract> {
    let code: String = text
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ");
    let version = code
        .split_once(VERSION)
        .and_then(|(_, rest)| rest.split_once(';'))
        .and_then(|(number, _)| number.trim().parse().ok())
        .context("smtp-common defines no ABI_VERSION")?;
    let mut layouts: Vec<_> = code
        .split("#[repr(C")
        .skip(1)
        .filter_map(|rest| rest.split_once("struct ").and_then(|(_, body)| body.split_once('}')))
        .map(|(body, _)| body.trim().to_owned())
        .collect();
    layouts.sort();
    Ok(Contract { version, layouts })
}

fn struct_name(layout: &str) -> &str {
    layout.split([' ', '<', '{']).next().unwrap_or(layout)
}

fn is_contract(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs") && !file.ends_with("/tests.rs")
}

const SOURCE: &str = "smtp-common/src";
const VERSION: &str = "pub const ABI_VERSION: u32 =";

#[cfg(test)]
mod tests {
    use super::contract;

    const TEXT: &str = "pub const ABI_VERSION: u32 = 3;\n#[repr(C)]\n#[derive(Clone)]\npub struct A {\n    /// One.\n    pub x: u32,\n}\n";

    #[test]
    fn comments_are_no_layout() {
        let other = contract(&TEXT.replace("One.", "Two.")).unwrap();
        let own = contract(TEXT).unwrap();
        assert_eq!((own.version, &own.layouts), (3, &other.layouts));
        assert_eq!(own.layouts, ["A { pub x: u32,"]);
    }

    #[test]
    fn a_field_is_a_layout() {
        let other = contract(&TEXT.replace("u32,", "u64,")).unwrap();
        assert_ne!(contract(TEXT).unwrap().layouts, other.layouts);
    }
}
