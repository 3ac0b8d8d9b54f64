//! What the demo shows, one act after the other.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::mail::{self, Send};
use super::{Gateway, end, heading, output};
use crate::lab::{self, Host};

/// Plays all of them.
pub(super) fn play(gateway: &Gateway) -> Result<()> {
    heading("The lab: client 10.77.1.2 ── pgw0 gateway pgw1 ── mail.example.org 10.77.2.2")?;
    for address in [lab::CLIENT_V4, lab::SERVER_V4, lab::CLIENT_V6, lab::SERVER_V6] {
        output(Host::Gw, "ping", &["-c", "1", "-W", "2", address]).context("the lab does not answer")?;
    }
    output(Host::Gw, "nft", &[PROOF])?;
    println!(
        "Rules: mail to 10.77.2.0/24 is inspected, with TLS taken apart; everything else is accelerated."
    );

    let _iperf = Iperf::start()?;
    heading("A clean mail over STARTTLS, beside a bulk transfer")?;
    let bulk = transfer(3)?;
    certificate()?;
    let clean = mail::clean();
    let reply = mail::send(Send::StartTls, &clean)?;
    println!("swaks: {reply}");
    ensure!(reply.starts_with("250 "), "the clean mail was not taken");
    let arrived = mail::message(1)?;
    let fields = arrived.strip_suffix(clean.as_slice()).context("what arrived is not what was sent")?;
    println!(
        "arrived: {} octets, octet for octet those that were sent, behind {} trace fields of {} octets",
        clean.len(),
        fields
            .split(|&octet| octet == b'\n')
            .filter(|line| line.first().is_some_and(u8::is_ascii_uppercase))
            .count(),
        fields.len()
    );

    heading("EICAR in an attachment")?;
    let mut last = String::new();
    for way in [Send::Plain, Send::StartTls, Send::Implicit] {
        let reply = mail::send(way, &mail::infected())?;
        println!("{:<12} {reply}", way.name());
        ensure!(reply.starts_with("554 5.7.1 "), "EICAR was not refused");
        last = reply;
    }
    println!("messages at the server: {}", mail::count()?);
    ensure!(mail::count()? == 1, "the server has something that it should not have");

    heading("What the gateway knows")?;
    let open = open_session()?;
    thread::sleep(Duration::from_millis(700));
    let shown = gateway.show(&["conns", "--state", "established", "--sort", "octets", "--columns", COLUMNS]);
    end(open);
    shown?;
    let session = session_in(&last).context("the reply names no session")?;
    gateway.show_records(&["explain", &format!("{session}.1")])?;
    let (rate, forwarded) = (rate(bulk)?, stack_count()?);
    println!(
        "bulk transfer meanwhile: {rate:.2} Gbit/s; packets the gateway's own stack was asked to forward: {forwarded}"
    );
    ensure!(forwarded == 0, "the stack forwarded what the program should have");
    gateway.show_section(&["stat"], "Packets by path")
}

/// Whose certificate the client sees, and who signed it.
fn certificate() -> Result<()> {
    let server = format!("{}:25", lab::SERVER_V4);
    let shown =
        lab::inside(Host::Client, "openssl", &["s_client", "-starttls", "smtp", "-connect", &server])?
            .stdin(Stdio::null())
            .output()?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = |name| text.lines().find(|line| line.starts_with(name)).context("openssl saw no certificate");
    println!("openssl s_client -starttls smtp: {}, {}", line("subject=")?, line("issuer=")?);
    Ok(())
}

/// A session inside TLS that stays for a while.
fn open_session() -> Result<Child> {
    let script = format!(
        "(sleep 1; echo EHLO client; sleep 5) | openssl s_client -quiet -starttls smtp -connect {}:25",
        lab::SERVER_V4
    );
    let mut command = lab::inside(Host::Client, "sh", &["-c", &script])?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting openssl")
}

/// The session's name in a reply: a UUID.
fn session_in(reply: &str) -> Option<&str> {
    let is_id = |word: &&str| word.len() == 36 && word.bytes().filter(|&octet| octet == b'-').count() == 4;
    reply.split(|c: char| !c.is_ascii_hexdigit() && c != '-').find(is_id)
}

/// The far end of bulk transfers.
struct Iperf(Option<Child>);

impl Iperf {
    fn start() -> Result<Self> {
        let server = lab::inside(Host::Server, "iperf3", &["-s"])?
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        thread::sleep(LISTENING_WITHIN);
        Ok(Self(Some(server)))
    }
}

impl Drop for Iperf {
    fn drop(&mut self) {
        if let Some(server) = self.0.take() {
            end(server);
        }
    }
}

/// Begins a bulk transfer.
fn transfer(seconds: u32) -> Result<Child> {
    let seconds = seconds.to_string();
    let arguments = ["-c", lab::SERVER_V4, "-t", &seconds, "-J", "--connect-timeout", "3000"];
    let mut command: Command = lab::inside(Host::Client, "iperf3", &arguments)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting iperf3")
}

/// Gbit/s of a transfer.
fn rate(transfer: Child) -> Result<f64> {
    let said = transfer.wait_with_output()?;
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).context("iperf3 said no JSON")?;
    if let Some(error) = report["error"].as_str() {
        bail!("iperf3: {error}");
    }
    let rate = report["end"]["sum_received"]["bits_per_second"].as_f64();
    Ok(rate.context("iperf3 named no rate")? / 1e9)
}

fn stack_count() -> Result<u64> {
    let listed = output(Host::Gw, "nft", &["list chain inet postern_proof forward"])?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let (_, rest) = listed.split_once("counter packets ").context("nft lists no counter")?;
    rest.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .context("nft's counter is no number")
}

/// Of a flow; all of them do not fit beside each other.
const COLUMNS: &str = "initiator,responder,path,starttls,octets,session";
/// iperf3 says nothing when it begins to listen, and takes a look from outside for a client.
const LISTENING_WITHIN: Duration = Duration::from_millis(300);
const PROOF: &str = "table inet postern_proof { chain forward { type filter hook forward priority 0; policy drop; counter; }; }";
