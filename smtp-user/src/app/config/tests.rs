//! Whole files: what is read, and that every mistake is reported at its place.

mod files;
mod mistakes;
mod shown;
mod values;

use proptest::prelude::*;

use super::Config;
use crate::policy::lint::Severity;

const SAMPLE: &str = include_str!("../postern.toml");

proptest! {
    /// Whatever a file says, it is answered, and the answer can be shown.
    #[test]
    fn no_text_is_beyond_an_answer(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,3}|[\\[\\]{}\"=\n\t.#']{0,3}"), 1..6)
    ) {
        let mut text: Vec<char> = SAMPLE.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = Config::parse(&text, "f") {
            prop_assert!(errors.of(Severity::Error).count() > 0);
            prop_assert!(errors.to_string().ends_with(" in f."));
        }
    }
}

/// Line, column, problem and suggestion of every error.
fn errors(text: &str) -> Vec<(usize, usize, String, Option<String>)> {
    let errors = Config::parse(text, "test.toml").unwrap_err();
    errors.of(Severity::Error).map(|d| (d.line, d.column, d.problem.clone(), d.suggestion.clone())).collect()
}

fn places(text: &str) -> Vec<(usize, usize)> {
    errors(text).into_iter().map(|(line, column, ..)| (line, column)).collect()
}

/// The one error of a file with a sound gateway and this text behind it.
fn one_error(text: &str) -> (usize, String, Option<String>) {
    let found = errors(&format!("[gateway]\ninterfaces = [\"eth0\"]\n{text}"));
    assert_eq!(found.len(), 1, "{found:?}");
    let (line, _, problem, suggestion) = found.into_iter().next().unwrap();
    (line - 2, problem, suggestion)
}
