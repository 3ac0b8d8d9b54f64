//! The dialogue of a probe: greeting, EHLO, STARTTLS, EHLO again, QUIT. Never MAIL.

use std::net::SocketAddr;

use serde::Serialize;

use crate::cli::probe::line::{self, Line, Target};
use crate::model::tls_facts::TlsFacts;
use crate::wire::smtp::extension::{self, Extension};
use crate::wire::smtp::reply::Reply;

/// What was found out, as far as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// As it was given.
    pub server: String,
    /// Address that was called.
    pub address: Option<SocketAddr>,
    /// First line of the greeting, with its code.
    pub greeting: Option<String>,
    /// What EHLO was answered with, before TLS.
    pub keywords: Vec<Keyword>,
    /// Whether STARTTLS was offered; null when nobody could tell.
    pub starttls: Option<bool>,
    /// What TLS was agreed upon.
    pub tls: Option<TlsFacts>,
    /// What EHLO was answered with within TLS.
    pub keywords_in_tls: Vec<Keyword>,
    /// Why it went no further.
    pub error: Option<String>,
}

/// An EHLO keyword.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keyword {
    /// The word.
    pub keyword: String,
    /// What stands behind it.
    pub parameters: String,
    /// Whether the gateway lets originators know of it. It may still leave a mechanism of AUTH away.
    pub passed_on: bool,
}

impl Report {
    /// Whether a mail server answered.
    pub fn speaks_smtp(&self) -> bool {
        !self.keywords.is_empty() || !self.keywords_in_tls.is_empty() || self.starttls.is_some()
    }
}

/// Asks a server. What goes wrong is part of the answer.
pub async fn probe(target: &Target<'_>) -> Report {
    let mut report = Report { server: target.server.to_owned(), ..Report::default() };
    if let Err(error) = ask(target, &mut report).await {
        report.error = Some(error);
    }
    report
}

async fn ask(target: &Target<'_>, report: &mut Report) -> Result<(), String> {
    let stream = line::connect(target, &line::look_up(target).await?).await?;
    let address = stream.peer_addr().map_err(|error| error.to_string())?;
    report.address = Some(address);
    let hello = line::hello(stream.local_addr().map_err(|error| error.to_string())?.ip());
    if target.implicit_tls {
        let (stream, facts, _) = line::start_tls(target, stream, address).await?;
        report.tls = Some(facts);
        let mut line = Line::new(stream, target);
        report.greeting = Some(line::greeting(&mut line).await?);
        report.keywords_in_tls = keywords(&line.ask(&hello).await?)?;
        line.quit().await;
        return Ok(());
    }
    let mut line = Line::new(stream, target);
    report.greeting = Some(line::greeting(&mut line).await?);
    let reply = line.ask(&hello).await?;
    report.keywords = keywords(&reply)?;
    let offered = report.keywords.iter().any(|keyword| keyword.keyword.eq_ignore_ascii_case("STARTTLS"));
    report.starttls = Some(offered);
    if !offered {
        line.quit().await;
        return Ok(());
    }
    let reply = line.ask("STARTTLS").await?;
    if !reply.code().is_completion() {
        let refused = format!("STARTTLS was answered {} {}", reply.code(), reply.first_line());
        line.quit().await;
        return Err(refused);
    }
    if !line.unread.is_empty() {
        return Err("the server sent plaintext behind its answer to STARTTLS".to_owned());
    }
    let (stream, facts, _) = line::start_tls(target, line.stream, address).await?;
    report.tls = Some(facts);
    let mut line = Line::new(stream, target);
    report.keywords_in_tls = keywords(&line.ask(&hello).await?)?;
    line.quit().await;
    Ok(())
}

fn keywords(reply: &Reply) -> Result<Vec<Keyword>, String> {
    if !reply.code().is_completion() {
        return Err(format!("EHLO was answered {} {}", reply.code(), reply.first_line()));
    }
    let keyword = |(keyword, parameters): (&str, &str)| Keyword {
        keyword: keyword.to_owned(),
        parameters: parameters.to_owned(),
        passed_on: Extension::of(keyword).is_some(),
    };
    Ok(extension::lines(reply).map(keyword).collect())
}
