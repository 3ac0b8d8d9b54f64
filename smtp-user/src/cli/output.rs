//! Printing: text or JSON on standard output, notices on standard error.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

/// Prints text as it is.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one JSON value, for people and programs.
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    self::text(&text)
}

/// Prints one JSON value a line.
pub fn json_lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for value in values {
        serde_json::to_writer(&mut out, &value)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Says something on standard error that is not the answer and does not change the exit code.
pub fn notice(sentence: &str) {
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(io::stderr(), "postern: {}.", sentence.trim_end_matches('.'));
}
