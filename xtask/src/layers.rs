//! The layers of `smtp-user` and the check that imports only go downwards.
//!
//! The compiler does not forbid cycles within a crate, so this must. It reads `crate::…` paths only: a
//! chain of `super::` that leaves its own top module is not recognised, and rustfmt's habit here is `crate::`.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Layer of every top module of `smtp-user`. Layer 0 is `smtp-common`, a crate of its own.
const LAYERS: &[(u8, &[&str])] = &[
    (7, &["app", "cli"]),
    (6, &["gateway", "admin"]),
    (5, &["inspect", "delivery"]),
    (
        4,
        &[
            "transport",
            "tls",
            "dns",
            "engine",
            "worker",
            "spool",
            "quarantine",
            "audit",
            "metrics",
            "packet_path",
        ],
    ),
    (3, &["session", "policy", "action"]),
    (2, &["model", "event"]),
    (1, &["wire", "limits", "content"]),
];

/// Imports within one layer that are meant: from, to, and the one sub-module if not all of it.
const EXCEPTIONS: &[(&str, &str, Option<&str>)] = &[
    ("transport", "tls", None),
    ("worker", "engine", None),
    ("quarantine", "spool", None),
    ("wire", "limits", None),
    ("content", "wire", None),
    ("content", "limits", None),
    ("event", "model", None),
    ("cli", "app", Some("config")),
    ("cli", "app", Some("run")),
    ("cli", "app", Some("dequeuer")),
];

/// Modules without code.
const DOCUMENTATION: &[&str] = &["manual"];

/// An import that goes up or sideways.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    place: String,
    from: String,
    to: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |module: &str| match layer(module) {
            Some(layer) => format!("`{module}` (layer {layer})"),
            None => format!("`{module}` (no layer; add it to xtask/src/layers.rs)"),
        };
        write!(f, "{}: {} imports {}", self.place, name(&self.from), name(&self.to))
    }
}

/// Every violation below a source folder.
pub(crate) fn check(source: &Path) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    visit(source, source, &mut violations)?;
    Ok(violations)
}

fn visit(source: &Path, folder: &Path, violations: &mut Vec<Violation>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            visit(source, &path, violations)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(source)?;
            let Some(module) = top_module(relative) else { continue };
            let text = fs::read_to_string(&path)?;
            violations.extend(check_text(&module, &relative.display().to_string(), &text)?);
        }
    }
    Ok(())
}

/// The top module a file belongs to; the crate roots stand above all layers.
fn top_module(relative: &Path) -> Option<String> {
    let first = relative.iter().next()?.to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "lib" | "main") && !DOCUMENTATION.contains(&module)).then(|| module.to_owned())
}

fn check_text(module: &str, place: &str, text: &str) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    if layer(module).is_none() {
        bail!("{place}: `{module}` has no layer; add it to xtask/src/layers.rs");
    }
    for (line, path) in crate_paths(text) {
        let mut segments = path.iter().map(String::as_str);
        let Some(to) = segments.next() else { continue };
        // An item of the crate root (a macro, a re-export) belongs to no module.
        let is_module = layer(to).is_some() || to.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_module && !is_allowed(module, to, segments.next()) {
            let place = format!("{place}:{line}");
            violations.push(Violation { place, from: module.to_owned(), to: to.to_owned() });
        }
    }
    Ok(violations)
}

fn is_allowed(from: &str, to: &str, part: Option<&str>) -> bool {
    if from == to {
        return true;
    }
    let named = EXCEPTIONS.iter().any(|(exception_from, exception_to, exception_part)| {
        *exception_from == from
            && *exception_to == to
            && exception_part.is_none_or(|exception_part| part == Some(exception_part))
    });
    named || matches!((layer(from), layer(to)), (Some(from), Some(to)) if to < from)
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// The paths after `crate::`, at most two segments each, with braces multiplied out, and their lines.
fn crate_paths(text: &str) -> Vec<(usize, Vec<String>)> {
    let code = without_comments(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut rest = &code[at + "crate::".len()..];
        let mut paths = Vec::new();
        tree(&mut rest, &[], &mut paths);
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// Reads one use tree from the front of `rest`.
fn tree(rest: &mut &str, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    *rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        *rest = inner;
        loop {
            tree(rest, prefix, paths);
            *rest = rest.trim_start();
            match rest.strip_prefix(',') {
                Some(next) if !next.trim_start().starts_with('}') => *rest = next,
                Some(next) => *rest = next.trim_start(),
                None => break,
            }
            if rest.starts_with('}') {
                break;
            }
        }
        // Whatever else stands before the end (`as name`) is of no interest.
        *rest = rest.split_once('}').map_or("", |(_, after)| after);
        return;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (segment, after) = rest.split_at(end);
    *rest = after;
    let mut path = prefix.to_vec();
    if !segment.is_empty() {
        path.push(segment.to_owned());
    }
    if let Some(inner) = rest.strip_prefix("::") {
        *rest = inner;
        return tree(rest, &path, paths);
    }
    if let Some(alias) = rest.strip_prefix(" as ") {
        *rest = alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    }
    path.truncate(2);
    paths.push(path);
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::{check, check_text, crate_paths};

    fn violations(module: &str, text: &str) -> Vec<String> {
        check_text(module, "f.rs", text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn downwards_is_allowed_and_upwards_is_not() {
        assert!(violations("packet_path", "use crate::policy::Rule;\n").is_empty());
        assert_eq!(
            violations("policy", "\nuse crate::packet_path::maps;\n"),
            ["f.rs:2: `policy` (layer 3) imports `packet_path` (layer 4)"]
        );
    }

    #[test]
    fn sideways_needs_a_named_exception() {
        assert!(violations("transport", "use crate::tls::acceptor;").is_empty());
        assert_eq!(violations("tls", "use crate::transport::stream;").len(), 1);
        assert!(violations("cli", "use crate::app::config::File;").is_empty());
        assert_eq!(violations("cli", "use crate::app::assemble;").len(), 1);
        assert_eq!(violations("app", "use crate::cli::table;").len(), 1);
    }

    #[test]
    fn a_path_in_the_middle_of_code_counts() {
        assert_eq!(violations("wire", "fn f() { let x = crate::model::Envelope::new(); }").len(), 1);
    }

    #[test]
    fn braces_are_multiplied_out() {
        let text =
            "use crate::{\n    app::{config::File, resolve as r},\n    policy,\n};\npub(crate) fn f() {}\n";
        let paths: Vec<_> = crate_paths(text).into_iter().map(|(_, path)| path.join("::")).collect();
        assert_eq!(paths, ["app::config", "app::resolve", "policy"]);
    }

    #[test]
    fn comments_and_visibility_are_not_imports() {
        assert!(
            violations("wire", "//! See [`crate::app`].\npub(crate) struct S; // crate::app\n").is_empty()
        );
    }

    #[test]
    fn a_module_without_a_layer_is_named() {
        assert!(check_text("helpers", "helpers.rs", "").is_err());
        let text = violations("cli", "use crate::helpers::f;");
        assert!(text[0].contains("`helpers` (no layer"), "{text:?}");
    }

    #[test]
    fn files_belong_to_their_top_module() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policy")).unwrap();
        std::fs::write(folder.path().join("lib.rs"), "use crate::app::x;").unwrap();
        std::fs::write(folder.path().join("policy/rule.rs"), "use crate::app::x;").unwrap();
        let found = check(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("policy/rule.rs:1: "));
    }
}
