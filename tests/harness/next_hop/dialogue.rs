//! One connection of the test mail server.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;

use super::script::{Fault, Script, Step, Upgrade};
use super::{Delivery, Shared, verb_of};
use crate::channel::Channel;

/// Holds the dialogue until the client leaves, a fault ends it, or the server is stopped.
pub(super) fn hold(
    shared: &Arc<Shared>,
    stream: TcpStream,
    number: usize,
    script: &Script,
) -> io::Result<()> {
    let mut dialogue = Dialogue {
        shared,
        number,
        script,
        channel: Channel::Plain(stream),
        buffer: Vec::new(),
        after_cr: false,
        from: None,
        to: Vec::new(),
        chunks: None,
    };
    if script.upgrade == Upgrade::Implicit {
        dialogue.accept_tls()?;
    }
    dialogue.say(&Step::Connect, &script.greeting)?;
    dialogue.run()
}

struct Dialogue<'a> {
    shared: &'a Arc<Shared>,
    number: usize,
    script: &'a Script,
    channel: Channel,
    buffer: Vec<u8>,
    /// For a tolerant server: the last octet was CR, so that LF belongs to it.
    after_cr: bool,
    from: Option<String>,
    to: Vec<String>,
    chunks: Option<Vec<u8>>,
}

impl Dialogue<'_> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let tls = self.channel.is_tls();
            self.shared.note(self.number, |heard| heard.commands.push((tls, line.clone())));
            let verb = verb_of(&line);
            match verb.as_str() {
                "EHLO" => {
                    self.reset();
                    let reply = self.ehlo();
                    self.command("EHLO", &reply)?;
                }
                "HELO" => {
                    self.reset();
                    self.command("HELO", "250 server.test\r\n")?;
                }
                "STARTTLS" => self.starttls()?,
                "AUTH" => {
                    self.command("AUTH", "235 2.7.0 welcome\r\n")?;
                }
                "MAIL" => {
                    if self.from.is_some() {
                        self.say(&Step::Command("MAIL"), "503 5.5.1 nested MAIL\r\n")?;
                    } else if self.command("MAIL", "250 2.1.0 OK\r\n")? {
                        self.from = Some(argument(&line, "MAIL FROM:"));
                    }
                }
                "RCPT" => {
                    if self.from.is_none() {
                        self.say(&Step::Command("RCPT"), "503 5.5.1 MAIL first\r\n")?;
                    } else if self.command("RCPT", "250 2.1.5 OK\r\n")? {
                        self.to.push(argument(&line, "RCPT TO:"));
                    }
                }
                "DATA" => {
                    if self.to.is_empty() || self.chunks.is_some() {
                        self.say(&Step::Command("DATA"), "503 5.5.1 RCPT first\r\n")?;
                    } else if self.command("DATA", "354 go on\r\n")? {
                        let octets = self.data()?;
                        self.end(octets, false)?;
                    }
                }
                "BDAT" => self.bdat(&line)?,
                "RSET" => {
                    self.reset();
                    self.command("RSET", "250 2.0.0 OK\r\n")?;
                }
                "NOOP" => {
                    self.command("NOOP", "250 2.0.0 OK\r\n")?;
                }
                "QUIT" => {
                    self.command("QUIT", "221 2.0.0 bye\r\n")?;
                    return Ok(());
                }
                _ => {
                    // Each is a word of the script's own, if it has a fault for it.
                    let step = self.script.faults.iter().map(|(step, _)| step);
                    let known = step.into_iter().find(|step| matches!(step, Step::Command(v) if *v == verb));
                    let step = known.cloned().unwrap_or(Step::Command("unknown"));
                    self.say(&step, "500 5.5.1 what?\r\n")?;
                }
            }
        }
    }

    fn ehlo(&self) -> String {
        let mut lines = vec!["server.test".to_owned()];
        lines.extend(self.script.extensions.iter().cloned());
        if self.script.upgrade == Upgrade::StartTls && !self.channel.is_tls() {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.len() - 1;
        let mut reply = String::new();
        for (i, line) in lines.iter().enumerate() {
            let _ = write!(reply, "250{}{line}\r\n", if i == last { ' ' } else { '-' });
        }
        reply
    }

    fn starttls(&mut self) -> io::Result<()> {
        let behind = std::mem::take(&mut self.buffer);
        self.shared.note(self.number, |heard| heard.behind_starttls.clone_from(&behind));
        if self.script.upgrade == Upgrade::None {
            self.say(&Step::Command("STARTTLS"), "502 5.5.1 no TLS here\r\n")?;
            return Ok(());
        }
        if !self.command("STARTTLS", "220 2.0.0 go ahead\r\n")? {
            return Ok(());
        }
        if self.script.fault_at(&Step::Command("STARTTLS")) == Some(&Fault::BreakTls) {
            let mut socket = self.channel.socket();
            socket.write_all(b"this is no ServerHello, whatever you take it for\r\n")?;
            // Whatever comes now belongs to a handshake that failed.
            loop {
                self.fill()?;
                self.buffer.clear();
            }
        }
        self.reset();
        self.accept_tls()
    }

    fn accept_tls(&mut self) -> io::Result<()> {
        self.channel.accept_tls(&self.shared.certificate.server_config())?;
        self.shared.note(self.number, |heard| heard.tls = true);
        Ok(())
    }

    fn bdat(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.split(' ').skip(1);
        let size: usize = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
        let last = words.next().is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
        while self.buffer.len() < size {
            self.fill()?;
        }
        let chunk: Vec<u8> = self.buffer.drain(..size).collect();
        if self.to.is_empty() {
            self.say(&Step::Command("BDAT"), "503 5.5.1 RCPT first\r\n")?;
            return Ok(());
        }
        self.chunks.get_or_insert_default().extend_from_slice(&chunk);
        if last {
            let octets = self.chunks.take().unwrap_or_default();
            return self.end(octets, true);
        }
        self.command("BDAT", "250 2.0.0 chunk taken\r\n")?;
        Ok(())
    }

    fn end(&mut self, octets: Vec<u8>, chunked: bool) -> io::Result<()> {
        // The message counts before the reply can be read by anyone.
        let usual = "250 2.0.0 taken\r\n";
        let accepted = match self.script.fault_at(&Step::EndOfData) {
            Some(Fault::Say(reply)) => reply.starts_with('2'),
            Some(Fault::Close | Fault::Reset | Fault::Hang) => false,
            _ => true,
        };
        self.shared.deliver(Delivery {
            connection: self.number,
            tls: self.channel.is_tls(),
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            octets,
            chunked,
            accepted,
        });
        self.say(&Step::EndOfData, usual)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
        self.chunks = None;
    }

    fn command(&mut self, verb: &'static str, usual: &str) -> io::Result<bool> {
        self.say(&Step::Command(verb), usual)
    }

    /// Replies, or does what the script says instead; tells whether the reply agrees to the command.
    fn say(&mut self, step: &Step, usual: &str) -> io::Result<bool> {
        let agrees = |reply: &str| reply.starts_with(['2', '3']);
        match self.script.fault_at(step) {
            None | Some(Fault::BreakTls) => self.write(usual.as_bytes())?,
            Some(Fault::Say(reply)) => {
                self.write(reply.as_bytes())?;
                return Ok(agrees(reply));
            }
            Some(Fault::SayAlso(more)) => self.write(format!("{usual}{more}").as_bytes())?,
            Some(Fault::Trickle) => {
                for octet in usual.as_bytes() {
                    self.write(&[*octet])?;
                }
            }
            Some(Fault::Close) => return Err(ErrorKind::ConnectionAborted.into()),
            Some(Fault::Reset) => {
                let _ = SockRef::from(self.channel.socket()).set_linger(Some(Duration::ZERO));
                return Err(ErrorKind::ConnectionAborted.into());
            }
            Some(Fault::Hang) => loop {
                self.fill()?;
            },
        }
        Ok(agrees(usual))
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.channel.write_all(octets)?;
        self.channel.flush()
    }

    /// Reads more octets into the buffer; fails at the connection's end.
    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        loop {
            match self.channel.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    let (octets, tls) = (&buffer[..length], self.channel.is_tls());
                    self.shared.note(self.number, |heard| {
                        if tls { &mut heard.secured } else { &mut heard.plain }.extend_from_slice(octets);
                    });
                    self.buffer.extend_from_slice(octets);
                    return Ok(());
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    if self.shared.stop.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A command line; a bare LF ends it too, and for a tolerant server a bare CR.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if self.script.tolerant {
                self.buffer.retain(|&octet| octet != 0);
            }
            let is_end = |&octet: &u8| octet == b'\n' || (self.script.tolerant && octet == b'\r');
            if let Some(end) = self.buffer.iter().position(is_end) {
                let after_cr = std::mem::replace(&mut self.after_cr, self.buffer[end] == b'\r');
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if after_cr && line == b"\n" {
                    // The second half of the CRLF whose CR ended the line before.
                    continue;
                }
                let text = String::from_utf8_lossy(&line).into_owned();
                return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
            }
            self.fill()?;
        }
    }

    /// Mail data up to the line with a single dot.
    fn data(&mut self) -> io::Result<Vec<u8>> {
        if self.script.tolerant {
            return self.tolerant_data();
        }
        let (mut message, mut taken) = (Vec::new(), 0);
        loop {
            // Whole lines only: what is behind the last CRLF stays in the buffer.
            let mut start = 0;
            while let Some(length) = end_of_line(&self.buffer[start..]) {
                let line = &self.buffer[start..start + length];
                start += length;
                if line == b".\r\n" {
                    self.buffer.drain(..start);
                    return Ok(message);
                }
                message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            }
            self.buffer.drain(..start);
            taken += start;
            if self.script.close_in_data_after.is_some_and(|limit| taken + self.buffer.len() >= limit) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            self.fill()?;
        }
    }

    /// The same as the most forgiving of servers would read it.
    fn tolerant_data(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(message);
            }
            message.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
            message.extend_from_slice(b"\r\n");
        }
    }
}

/// Length of the first line with its CRLF; bare CR and LF are part of a line.
fn end_of_line(octets: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let lf = octets[from..].iter().position(|&octet| octet == b'\n')? + from;
        if lf > 0 && octets[lf - 1] == b'\r' {
            return Some(lf + 1);
        }
        from = lf + 1;
    }
}

fn argument(line: &str, command: &str) -> String {
    line.get(command.len()..).unwrap_or_default().trim_start().to_owned()
}
