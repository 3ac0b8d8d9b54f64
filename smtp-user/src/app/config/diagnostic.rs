//! Mistakes as people and programs read them: file, line, column, the line itself with a caret, and what
//! to write instead.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::policy::lint::Severity;
use crate::policy::mistake::line_and_column;

/// One mistake or doubt, at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// File, as it was named.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Characters that it is about, on this line.
    pub width: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The line.
    pub source_line: String,
}

impl Diagnostic {
    /// Places a problem in the text of a file.
    pub fn new(
        severity: Severity,
        (file, text): (&str, &str),
        span: &Range<usize>,
        problem: &impl fmt::Display,
        suggestion: Option<String>,
    ) -> Self {
        let (line, column) = line_and_column(text, span.start);
        let source_line = text.lines().nth(line - 1).unwrap_or_default();
        let room = source_line.chars().count().saturating_sub(column - 1);
        let width = text.get(span.clone()).unwrap_or_default().chars().take_while(|c| *c != '\n').count();
        Self {
            severity,
            file: file.to_owned(),
            line,
            column,
            width: width.clamp(1, room.max(1)),
            problem: problem.to_string(),
            suggestion,
            source_line: source_line.to_owned(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{}:{}:{}: {severity}: {}", self.file, self.line, self.column, self.problem)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // Long lists on one line are shown around the place only.
        let skipped = (self.column - 1).saturating_sub(CONTEXT_CHARS);
        let shown: String = self.source_line.chars().skip(skipped).take(SHOWN_CHARS).collect();
        // Tabs stay tabs, so that the caret stands under its character whatever a tab's width is.
        let indent: String = shown
            .chars()
            .take(self.column - 1 - skipped)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(self.width.min(SHOWN_CHARS - (self.column - 1 - skipped)));
        writeln!(f, " {number} | {}", shown.replace(|c: char| c.is_control() && c != '\t', "?"))?;
        writeln!(f, " {margin} | {indent}{carets}")?;
        if let Some(suggestion) = &self.suggestion {
            writeln!(f, " {margin} = write `{suggestion}`")?;
        }
        Ok(())
    }
}

/// Characters of a line shown before the place of a mistake, at most.
const CONTEXT_CHARS: usize = 60;
/// Characters of a line shown at most.
const SHOWN_CHARS: usize = 120;

/// Everything that is wrong with a file, and everything that is doubtful, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigErrors {
    /// The file.
    pub file: String,
    /// Errors and warnings; at least one error.
    pub diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Those of one severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(move |diagnostic| diagnostic.severity == severity)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            write!(f, "{diagnostic}")?;
        }
        let errors = self.of(Severity::Error).count();
        let noun = if errors == 1 { "error" } else { "errors" };
        write!(f, "{errors} {noun} in {}.", self.file)
    }
}
