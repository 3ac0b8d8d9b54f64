//! Running a tool, with its words in the panic when it fails.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a tool and returns what it printed.
///
/// # Panics
///
/// When the tool is missing or fails.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> String {
    run_with_input(program, arguments, "")
}

/// Runs a tool with text on its standard input and returns what it printed.
///
/// # Panics
///
/// When the tool is missing or fails.
#[track_caller]
pub fn run_with_input(program: &str, arguments: &[&str], input: &str) -> String {
    let output = try_run(program, arguments, input);
    assert!(
        output.status.success(),
        "{program} {} failed ({}): {}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr),
        if input.is_empty() { String::new() } else { format!("\ninput:\n{input}") },
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a tool and returns its output whatever its exit code is.
///
/// # Panics
///
/// When the tool cannot be started.
#[track_caller]
pub fn try_run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that ends without reading closes the pipe; its exit code tells why.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().unwrap_or_else(|error| panic!("cannot wait for {program}: {error}"))
}
