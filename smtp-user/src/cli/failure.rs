//! The end of a command that failed: one sentence on standard error, and the exit code of the error's kind.

use std::error::Error;
use std::io::{self, Write};

use crate::app::config::LoadError;
use crate::audit::error::RecordsError;
use crate::cli::clean::CleanError;
use crate::cli::exit_code::ExitCode;
use crate::cli::file::FileError;
use crate::cli::lock::LockError;
use crate::cli::mistake::CommandError;
use crate::cli::scan::ScanError;
use crate::cli::tuple::TupleError;
use crate::inspect::inspector::InspectorError;
use crate::model::session_id::InvalidId;
use crate::packet_path::error::PacketPathError;
use crate::policy::packet_rules::RulesError;
use crate::quarantine::error::QuarantineError;
use crate::spool::error::SpoolError;
use crate::tls::authority_store::AuthorityError;

/// Prints why a command failed and gives its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let code = exit_code(error);
    if is_broken_pipe(error) {
        // Whoever read the output has seen enough.
        return ExitCode::Ok;
    }
    // Nobody is left to be told when standard error is gone.
    let _ = write_report(&mut io::stderr().lock(), error);
    code
}

fn write_report(out: &mut impl Write, error: &anyhow::Error) -> io::Result<()> {
    if let Some(LoadError::Invalid(errors)) = error.downcast_ref() {
        // Mistakes in a file, each with its place: more than a sentence.
        return writeln!(out, "{errors}");
    }
    if let Some(CommandError::Refused { findings }) = error.downcast_ref() {
        for finding in findings {
            writeln!(out, "error: {finding}.")?;
        }
    }
    writeln!(out, "postern: {}", sentence(error))
}

/// The exit code of an error's kind.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    error.chain().find_map(of_cause).unwrap_or(ExitCode::Software)
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<ExitCode> {
    if let Some(error) = cause.downcast_ref::<PacketPathError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<LoadError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<RecordsError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<ScanError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<LockError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<CleanError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<FileError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<InspectorError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<CommandError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = cause.downcast_ref::<AuthorityError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<SpoolError>() {
        return Some(error.into());
    }
    if let Some(error) = cause.downcast_ref::<QuarantineError>() {
        return Some(error.into());
    }
    if cause.is::<InvalidId>() {
        return Some(ExitCode::Usage);
    }
    if cause.is::<TupleError>() {
        return Some(ExitCode::Usage);
    }
    if cause.is::<RulesError>() {
        return Some(ExitCode::Data);
    }
    cause.is::<io::Error>().then_some(ExitCode::Io)
}

/// The error and its causes as one sentence. A cause that the message before it already tells is left out.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if text.is_empty() {
            text = message;
        } else if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
    }
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_chain_is_one_sentence_without_repetition() {
        let source = io::Error::other("no room");
        let error = PacketPathError::map("RULES", source);
        let error = Err::<(), _>(error).context("cannot install the rules").unwrap_err();
        assert_eq!(sentence(&error), "cannot install the rules: map RULES: no room.");
        assert_eq!(exit_code(&error), ExitCode::Os);
    }

    #[test]
    fn the_kind_of_an_error_is_its_exit_code() {
        let not_loaded = PacketPathError::NotLoaded { dir: "/x".into() };
        let duplicate = RulesError::DuplicateName { name: "a".to_owned() };
        for (error, code) in [
            (anyhow::Error::from(not_loaded), ExitCode::Unavailable),
            (duplicate.into(), ExitCode::Data),
            (CommandError::Refused { findings: Vec::new() }.into(), ExitCode::Data),
            (io::Error::other("x").into(), ExitCode::Io),
            (anyhow::anyhow!("something else"), ExitCode::Software),
        ] {
            assert_eq!(exit_code(&error), code, "{error}");
        }
    }
}
