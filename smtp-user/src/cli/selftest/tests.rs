//! Trials of servers on the loopback address that say what the test tells them to.

use std::net::TcpListener;
use std::path::Path;

use clap::Parser as _;

use super::record::{Deed, Untold};
use super::report::Step;
use super::trial::Seen;
use super::*;
use crate::audit::fixture::{self, judged, opened, replied, session};
use crate::cli::args::{Cli, Command};
use crate::cli::exit_code::ExitCode;
use crate::cli::fixture::server;
use crate::engine::eicar::eicar;
use crate::event::session_event::SessionEvent;
use crate::model::decision::{MessageAction, MessageVerdict};

const DIALOGUE: [&str; 5] = [
    "220 mx.example.org ESMTP\r\n",
    "250 mx.example.org\r\n",
    "250 sender\r\n",
    "250 recipient\r\n",
    "354 go on\r\n",
];

fn seen(server: &str, security: Security) -> Seen {
    let target = Target { server, implicit_tls: false, name: None, step: Duration::from_secs(5) };
    let trial = Trial { target, security, from: "", to: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(trial.carry_out())
}

/// Sends EICAR to a server that answers it so.
fn answered(final_reply: &str) -> (Report, Seen, String) {
    let lines = DIALOGUE.iter().map(|line| (*line).to_owned()).chain([format!("{final_reply}\r\n")]);
    let (address, talk) = server(lines);
    let seen = seen(&address, Security::None);
    let mut report = Report::new(&address);
    report.reached(&seen);
    report.eicar(&seen, None);
    (report, seen, talk.join().unwrap())
}

fn last(report: &Report) -> &Step {
    report.steps().last().unwrap()
}

#[test]
fn eicar_that_is_refused_in_our_words_is_ok() {
    let reply =
        format!("554 5.7.1 Message refused: Eicar-Test-Signature found (part 1) (session {})", session(1));
    let (report, seen, heard) = answered(&reply);
    assert_eq!((report.exit_code(), last(&report).ok), (ExitCode::Ok, true), "{report:?}");
    assert_eq!(seen.session(), Some(session(1)));
    let [envelope, body] = heard.split("\r\n\r\n").collect::<Vec<_>>()[..] else { panic!("{heard}") };
    assert!(
        envelope.contains("MAIL FROM:<>\r\nRCPT TO:<postmaster@mx.example.org>\r\nDATA\r\n"),
        "{envelope}"
    );
    // Nothing but EICAR is in it.
    assert_eq!(body.strip_suffix("\r\n.\r\nQUIT\r\n").map(str::as_bytes), Some(&eicar()[..]));
}

#[test]
fn a_server_that_takes_eicar_has_no_gateway_before_it() {
    let (report, _, _) = answered("250 queued");
    assert_eq!(report.exit_code(), ExitCode::Data);
    let text = report.text();
    assert!(text.contains("NOT OK  eicar        TAKEN by the server: 250 queued\n"), "{text}");
    assert!(text.contains("postmaster@mx.example.org: somebody should be told"), "{text}");
    assert!(text.contains("postern path tcp 127.0.0.1:"), "{text}");
    assert!(text.ends_with(": NOT OK.\n"), "{text}");
}

#[test]
fn other_answers_say_what_to_do() {
    for (reply, finding, code) in [
        ("554 5.7.1 Virus found", "refused by somebody else: 554 5.7.1 Virus found", ExitCode::Data),
        ("451 4.7.1 Later", "put off: 451 4.7.1 Later", ExitCode::TempFail),
    ] {
        let (report, _, _) = answered(reply);
        assert_eq!((&*last(&report).finding, report.exit_code()), (finding, code));
        assert!(last(&report).advice.is_some());
    }
    let deferred = format!("451 4.7.1 Message deferred (session {})", session(1));
    let (report, _, _) = answered(&deferred);
    assert!(last(&report).advice.as_ref().unwrap().contains(&format!("postern explain {}", session(1))));
}

#[test]
fn a_server_that_wants_no_such_recipient_gets_no_eicar() {
    let lines = [DIALOGUE[0], DIALOGUE[1], DIALOGUE[2], "550 no such user\r\n", "221 bye\r\n"];
    let (address, talk) = server(lines);
    let seen = seen(&address, Security::Starttls);
    let mut report = Report::new(&address);
    report.certificate(&seen, &Ours::default());
    report.eicar(&seen, None);
    let findings: Vec<_> = report.steps().iter().map(|step| step.finding.as_str()).collect();
    let refused = "RCPT TO:<postmaster@mx.example.org> was answered 550 no such user";
    assert_eq!(findings, ["STARTTLS is not offered", refused]);
    assert!(last(&report).advice.as_ref().unwrap().contains("--to"));
    let heard = talk.join().unwrap();
    assert!(heard.ends_with("QUIT\r\n") && !heard.contains("DATA"), "{heard}");
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut report = Report::new(&address);
    report.reached(&seen(&address, Security::Starttls));
    assert_eq!(report.exit_code(), ExitCode::Unavailable);
    assert!(report.text().contains("postern doctor"), "{}", report.text());
}

#[test]
fn the_record_is_found_and_says_refused() {
    let (one, other) = (session(1), session(2));
    let refused = judged(MessageVerdict::Infected, MessageAction::Refuse);
    let (_guard, folder) = fixture::write(vec![
        (one, None, opened()),
        (one, Some(1), refused.clone()),
        (one, Some(1), replied(554)),
        (other, None, opened()),
        (other, Some(1), refused),
        (other, Some(2), replied(554)),
    ]);
    let args = |folder: &Path| RecordsArgs { config: None, records: Some(folder.to_owned()), json: false };
    let look =
        |folder: &Path, session| record::wait_for(&args(folder), Wanted::Named(session), Duration::ZERO);
    let told = look(&folder, one).unwrap();
    assert!(told.said.contains("infected, refused: Eicar-Test-Signature"), "{told:?}");
    assert_eq!(told.deed, Deed::Refused);
    let untold = |session| match look(&folder, session).unwrap_err() {
        Untold::Nothing(why) | Untold::Otherwise(why) => why,
    };
    assert!(untold(other).contains("does not say that EICAR was stopped"));
    assert!(untold(session(3)).contains("no record is kept"));
    let (mut report, seen, _) = answered(&format!("554 5.7.1 x (session {one})"));
    report.record(&seen, look(Path::new("/nonexistent"), one));
    assert!(report.text().contains("--no-record"), "{}", report.text());
}

#[test]
fn what_was_done_instead_of_refusing_is_ok_and_said() {
    let rewritten = SessionEvent::Rewritten {
        changes: vec!["part 1 stripped by rule \"no viruses\"".to_owned()],
        broken: Vec::new(),
        octets: 500,
        sha256: String::new(),
    };
    let kept = SessionEvent::Quarantined { original: false, expires: 0 };
    let (rewrite, held) = (session(1), session(2));
    let (drop, pass) = (session(3), session(4));
    let judged_to = |action| judged(MessageVerdict::Infected, action);
    let (_guard, folder) = fixture::write(vec![
        (rewrite, None, opened()),
        (rewrite, Some(1), judged_to(MessageAction::Rewrite)),
        (rewrite, Some(1), rewritten),
        (held, Some(1), judged_to(MessageAction::Quarantine)),
        (held, Some(1), kept),
        (drop, Some(1), judged_to(MessageAction::Drop)),
        (pass, Some(1), judged_to(MessageAction::Pass)),
    ]);
    let args = RecordsArgs { config: None, records: Some(folder), json: false };
    let look = |wanted| record::wait_for(&args, wanted, Duration::ZERO);
    // The next hop's reply names no session; the ends of the connection tell it.
    let told = look(Wanted::Of("10.77.1.2:40000".parse().unwrap(), 0)).unwrap();
    assert_eq!((told.deed, told.session.as_str()), (Deed::Rewritten, rewrite.to_string().as_str()));
    assert!(told.said.contains("stripped by rule"), "{told:?}");
    assert!(matches!(look(Wanted::Of("10.77.1.9:1".parse().unwrap(), 0)), Err(Untold::Nothing(_))));
    assert_eq!(look(Wanted::Named(held)).unwrap().deed, Deed::Quarantined);
    assert_eq!(look(Wanted::Named(drop)).unwrap().deed, Deed::Dropped);
    assert!(matches!(look(Wanted::Named(pass)), Err(Untold::Otherwise(_))));
    let (_, seen, _) = answered("250 2.0.0 Ok: queued as ABC");
    let mut report = Report::new("mx:25");
    report.eicar(&seen, Some(&told));
    assert_eq!((report.exit_code(), last(&report).ok), (ExitCode::Ok, true));
    assert!(last(&report).finding.starts_with("taken out, and the rest sent on: 250 "), "{report:?}");
    // Quarantine says so itself.
    let (report, seen, _) = answered(&format!("250 2.0.0 Accepted, quarantined as {held}.1"));
    assert_eq!((report.exit_code(), seen.session()), (ExitCode::Ok, Some(held)));
    // What is queued has to be looked up.
    let (report, ..) = answered(&format!("250 2.0.0 queued as {held}.1"));
    assert_eq!(report.exit_code(), ExitCode::Data);
    assert!(last(&report).advice.as_ref().unwrap().contains("postern explain"), "{report:?}");
}

#[test]
fn without_certificates_of_ones_own_none_is_ones_own() {
    let missing = Ours::load(Some(Path::new("/nonexistent.pem")), None);
    assert!(missing.unknown().unwrap().contains("/nonexistent.pem cannot be read"));
    let missing = Ours::load(None, Some(Path::new("/nonexistent.toml")));
    assert!(missing.unknown().unwrap().starts_with("the configuration cannot be used"));
    assert_eq!(Ours::default().recognise(b"not a certificate"), None);
}

#[test]
fn addresses_cannot_bring_lines() {
    let parse = |to: &str| Cli::try_parse_from(["postern", "selftest", "mx:25", "--to", to]);
    for to in ["a b", "a\r\nQUIT", "<a@b>"] {
        assert!(parse(to).is_err(), "{to}");
    }
    let Command::Selftest(args) = parse("abuse@example.org").unwrap().command else { panic!() };
    assert_eq!((args.to.as_deref(), args.from.as_str()), (Some("abuse@example.org"), ""));
}
