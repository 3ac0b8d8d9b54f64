//! Mail of the demo: the lab's server, and swaks as client.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::lab::{self, Host};
use crate::workspace::{Profile, Workspace};

/// Builds the lab's mail server.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let sh = &workspace.shell;
    cmd!(sh, "cargo build --quiet --release --package postern-tests --bin postern-lab-server")
        .quiet()
        .run()
        .context("the lab's mail server did not build")?;
    Ok(workspace.target().join(Profile::Release.folder()).join("postern-lab-server"))
}

/// The running server; it ends on drop.
pub(super) struct Server {
    child: Option<Child>,
}

impl Server {
    /// Starts it in the lab, and waits until it listens.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let folder = Path::new(MAILBOX).as_os_str();
        let mut child = lab::inside(Host::Server, program.as_os_str(), &["--folder".as_ref(), folder])?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the lab's mail server")?;
        let stdout = child.stdout.take().context("its output is a pipe")?;
        let server = Self { child: Some(child) };
        let mut lines = BufReader::new(stdout).lines();
        lines.next().context("the lab's mail server ended at once")??;
        // What it says later is only for people who start it by hand, but the pipe must stay open.
        thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// Leaves it running.
    pub(super) fn leave(mut self) {
        self.child = None;
    }
}

/// Messages that arrived.
pub(super) fn count() -> Result<usize> {
    let entries = fs::read_dir(MAILBOX)?.filter_map(std::result::Result::ok);
    Ok(entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "eml")).count())
}

/// A message that arrived, from 1.
pub(super) fn message(number: u32) -> Result<Vec<u8>> {
    let file = Path::new(MAILBOX).join(format!("{number}.eml"));
    let end = Instant::now() + Duration::from_secs(3);
    while !file.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    fs::read(&file).with_context(|| format!("{} did not arrive", file.display()))
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // What sudo runs is ended with the lab.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A way to send.
#[derive(Clone, Copy)]
pub(super) enum Send {
    /// Port 25, without TLS.
    Plain,
    /// Port 25, with STARTTLS.
    StartTls,
    /// Port 465.
    Implicit,
}

impl Send {
    /// Its name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plaintext",
            Self::StartTls => "STARTTLS",
            Self::Implicit => "TLS on 465",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["--port", "25"],
            Self::StartTls => &["--port", "25", "--tls"],
            Self::Implicit => &["--port", "465", "--tls-on-connect"],
        }
    }
}

/// Sends a message with swaks and returns the final reply.
pub(super) fn send(way: Send, message: &[u8]) -> Result<String> {
    let mut words = vec!["--server", lab::SERVER_V4, "--from", "ann@example.net", "--to", "bob@example.org"];
    words.extend(["--ehlo", "client.example.net", "--timeout", "15", "--data", "-"]);
    words.extend(way.arguments());
    let mut swaks = lab::inside(Host::Client, "swaks", &words)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting swaks")?;
    // swaks takes LF, sends CRLF, and ends the last line itself.
    let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    swaks.stdin.take().context("its input is a pipe")?.write_all(text.as_bytes())?;
    let output = swaks.wait_with_output()?;
    let transcript = String::from_utf8_lossy(&output.stdout).into_owned();
    // The reply behind the line with the dot: `<-  250 ...`, `<** 554 ...`, or with a tilde inside TLS.
    let mut lines = transcript.lines().skip_while(|line| !line.ends_with("-> .") && !line.ends_with("~> ."));
    let reply = lines.find(|line| line.starts_with('<')).and_then(|line| line.get(4..));
    match reply {
        Some(reply) => Ok(reply.trim().to_owned()),
        None => {
            bail!("swaks got no reply to its mail:\n{transcript}{}", String::from_utf8_lossy(&output.stderr))
        }
    }
}

/// A mail that nobody can mind.
pub(super) fn clean() -> Vec<u8> {
    mail(
        "The minutes",
        "minutes.txt",
        &"Nothing was decided, and it was decided unanimously.\r\n".repeat(400),
    )
}

/// A mail with EICAR in its attachment.
pub(super) fn infected() -> Vec<u8> {
    // Put together here so that no scanner finds it in this source.
    let eicar = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EI", "CAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat();
    mail("The invoice", "invoice.com", &format!("{eicar}\r\n"))
}

fn mail(subject: &str, name: &str, attachment: &str) -> Vec<u8> {
    let text = format!(
        "From: Ann <ann@example.net>\r\nTo: Bob <bob@example.org>\r\nSubject: {subject}\r\n\
         Date: Sun, 22 Nov 2026 09:00:00 +0000\r\nMessage-ID: <demo@example.net>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_demo\"\r\n\r\n\
         --=_demo\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nDear Bob,\r\n\r\nas you wished.\r\n..\r\nAnn\r\n\
         --=_demo\r\nContent-Type: text/plain; name=\"{name}\"\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{attachment}--=_demo--\r\n"
    );
    text.into_bytes()
}

/// Below the daemon's data, so that it goes with it.
const MAILBOX: &str = "/run/postern-demo/mailbox";
