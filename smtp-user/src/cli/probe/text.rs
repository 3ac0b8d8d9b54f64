//! A probe's report for people.

use std::fmt::Write as _;

use crate::cli::probe::dialogue::{Keyword, Report};
use crate::event::sentence::printable;

/// As text; what a server said is escaped.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<12} {}", printable(value));
    };
    let address = report.address.map(|address| format!(" ({address})")).unwrap_or_default();
    line("server", &format!("{}{address}", report.server));
    if let Some(greeting) = &report.greeting {
        line("greeting", greeting);
    }
    for keyword in &report.keywords {
        line("keyword", &words(keyword));
    }
    match report.starttls {
        Some(true) => line("starttls", "offered"),
        Some(false) => line("starttls", "not offered"),
        None => {}
    }
    if let Some(tls) = &report.tls {
        line("tls", &format!("{} {}, {} bits", tls.version, tls.cipher, tls.key_bits));
        if let Some(verified) = &tls.verified {
            line("verified", verified);
        }
        if let Some(certificate) = &tls.certificate {
            line("subject", &certificate.subject);
            line("issuer", &certificate.issuer);
            line("names", &certificate.names.join(" "));
            line("valid", &format!("{} to {}", certificate.not_before, certificate.not_after));
            line("sha256", &certificate.sha256);
        }
    }
    for keyword in &report.keywords_in_tls {
        line("within tls", &words(keyword));
    }
    if let Some(error) = &report.error {
        line("error", error);
    }
    text
}

fn words(keyword: &Keyword) -> String {
    let text = format!("{} {}", keyword.keyword, keyword.parameters);
    let note = if keyword.passed_on { "" } else { "  (the gateway does not pass it on)" };
    format!("{}{note}", text.trim_end())
}
