//! An SMTP client of the tests, with a say in every single write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use socket2::SockRef;

use crate::certificate;
use crate::channel::Channel;
use crate::deadline::SOON;
use crate::flow_probe;
use crate::mail;
use crate::netns::NetNs;

/// A reply (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: u16,
    /// The text of every line, without code and line end.
    pub lines: Vec<String>,
}

impl Reply {
    /// All text, lines joined by a space.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Fails the test unless it has this code; returns the reply.
    ///
    /// # Panics
    ///
    /// When it has another.
    #[track_caller]
    pub fn expect(&self, code: u16) -> &Self {
        assert_eq!(self.code, code, "expected {code}, and the server said {self:?}");
        self
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Originator {
    channel: Channel,
    received: Vec<u8>,
    local: SocketAddr,
}

impl Originator {
    /// Connects from inside a namespace; the greeting is not read yet.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached.
    #[track_caller]
    pub fn connect(namespace: &NetNs, server: SocketAddr) -> Self {
        Self::try_connect(namespace, server).expect("the server can be reached")
    }

    /// The same where it may go wrong.
    pub fn try_connect(namespace: &NetNs, server: SocketAddr) -> io::Result<Self> {
        let stream = flow_probe::connect(namespace, server, SOON)?;
        let local = stream.local_addr()?;
        Ok(Self { channel: Channel::Plain(stream), received: Vec::new(), local })
    }

    /// Connects, reads the greeting and says EHLO.
    ///
    /// # Panics
    ///
    /// When the server says something else than it should.
    #[track_caller]
    pub fn greeted(namespace: &NetNs, server: SocketAddr) -> Self {
        let mut originator = Self::connect(namespace, server);
        originator.reply().expect(220);
        originator.say("EHLO client.test").expect(250);
        originator
    }

    /// Connects, upgrades by STARTTLS and says EHLO again.
    ///
    /// # Panics
    ///
    /// When the server says something else than it should.
    #[track_caller]
    pub fn secured(namespace: &NetNs, server: SocketAddr) -> Self {
        let mut originator = Self::greeted(namespace, server);
        originator.say("STARTTLS").expect(220);
        originator.start_tls().expect("the handshake succeeds");
        originator.say("EHLO client.test").expect(250);
        originator
    }

    /// Connects with TLS from the first octet, reads the greeting and says EHLO.
    ///
    /// # Panics
    ///
    /// When the server says something else than it should.
    #[track_caller]
    pub fn implicit(namespace: &NetNs, server: SocketAddr) -> Self {
        let mut originator = Self::connect(namespace, server);
        originator.start_tls().expect("the handshake succeeds");
        originator.reply().expect(220);
        originator.say("EHLO client.test").expect(250);
        originator
    }

    /// Its own address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Carries out a TLS handshake on this connection.
    pub fn start_tls(&mut self) -> io::Result<()> {
        self.channel.start_tls(&certificate::curious_client(), "server.test")
    }

    /// The certificates the server showed.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.channel.peer_certificates()
    }

    /// Sends octets in one write.
    ///
    /// # Panics
    ///
    /// When the connection is gone.
    #[track_caller]
    pub fn send(&mut self, octets: &[u8]) {
        self.try_send(octets).expect("the octets can be sent");
    }

    /// The same where the connection may be gone.
    pub fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.channel.write_all(octets)?;
        self.channel.flush()
    }

    /// Sends octets in pieces of a size, each in a write of its own, and within TLS in a record of its own.
    pub fn try_send_in_pieces(&mut self, octets: &[u8], size: usize) -> io::Result<()> {
        octets.chunks(size).try_for_each(|piece| self.try_send(piece))
    }

    /// Sends octets below TLS, where there is TLS.
    pub fn try_send_below_tls(&mut self, octets: &[u8]) -> io::Result<()> {
        self.channel.socket().write_all(octets)
    }

    /// Says a line and reads the reply.
    ///
    /// # Panics
    ///
    /// When no reply comes.
    #[track_caller]
    pub fn say(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Gives the envelope of a message, every step of which must be agreed to.
    ///
    /// # Panics
    ///
    /// When the server refuses one.
    #[track_caller]
    pub fn envelope(&mut self, from: &str, to: &str) {
        self.say(&format!("MAIL FROM:<{from}>")).expect(250);
        self.say(&format!("RCPT TO:<{to}>")).expect(250);
    }

    /// Sends a message from beginning to end and returns the final reply.
    ///
    /// # Panics
    ///
    /// When it does not get as far as the data.
    #[track_caller]
    pub fn mail(&mut self, message: &[u8]) -> Reply {
        self.envelope("a@client.test", "b@server.test");
        self.say("DATA").expect(354);
        self.send(&mail::stuffed(message));
        self.reply()
    }

    /// Sends a short message for each number, and gives the last word that was said to each: in spool mode, its id.
    ///
    /// # Panics
    ///
    /// When one is not taken.
    #[track_caller]
    pub fn mail_numbers(&mut self, numbers: std::ops::Range<u32>) -> Vec<String> {
        let id = |number| {
            let text = self.mail(&mail::note(&format!("number {number}"))).expect(250).text();
            text.rsplit(' ').next().unwrap_or_default().to_owned()
        };
        numbers.map(id).collect()
    }

    /// Sends a message with BDAT in chunks of a size and returns the final reply.
    ///
    /// # Panics
    ///
    /// When an earlier chunk is refused.
    #[track_caller]
    pub fn mail_in_chunks(&mut self, message: &[u8], size: usize) -> Reply {
        self.envelope("a@client.test", "b@server.test");
        let mut chunks = message.chunks(size).peekable();
        while let Some(chunk) = chunks.next() {
            let last = chunks.peek().is_none();
            self.send(format!("BDAT {}{}\r\n", chunk.len(), if last { " LAST" } else { "" }).as_bytes());
            self.send(chunk);
            let reply = self.reply();
            if last {
                return reply;
            }
            reply.expect(250);
        }
        self.say("BDAT 0 LAST")
    }

    /// Reads a reply.
    ///
    /// # Panics
    ///
    /// When none comes.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        match self.try_reply() {
            Ok(Some(reply)) => reply,
            Ok(None) => panic!("the server closed the connection instead of replying"),
            Err(error) => panic!("no reply: {error}; received {:?}", String::from_utf8_lossy(&self.received)),
        }
    }

    /// Reads a reply; `None` when the connection is closed or reset instead.
    pub fn try_reply(&mut self) -> io::Result<Option<Reply>> {
        let mut lines = Vec::new();
        loop {
            let Some(line) = self.try_line()? else { return Ok(None) };
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("this is no reply: {line:?}")))?;
            // A hyphen behind the code announces another line (RFC 5321 §4.2.1).
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if !more {
                return Ok(Some(Reply { code, lines }));
            }
        }
    }

    fn try_line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = mail::find(&self.received, b"\r\n") {
                let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
                self.received.drain(..end + 2);
                return Ok(Some(line));
            }
            let mut buffer = [0; 4096];
            match self.channel.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if is_end(&error) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads replies until the connection is closed, or nothing comes for a while; tells which.
    pub fn rest(&mut self, silence: Duration) -> (Vec<Reply>, bool) {
        let _ = self.channel.socket().set_read_timeout(Some(silence));
        let mut replies = Vec::new();
        let closed = loop {
            match self.try_reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let _ = self.channel.socket().set_read_timeout(Some(SOON));
        (replies, closed)
    }

    /// Fails the test unless the server closes the connection, whatever it says before.
    ///
    /// # Panics
    ///
    /// When it stays open.
    #[track_caller]
    pub fn expect_close(&mut self) -> Vec<Reply> {
        let (replies, closed) = self.rest(SOON);
        assert!(closed, "the connection stays open; it said {replies:?}");
        replies
    }

    /// Ends this side's sending, without a word of TLS.
    pub fn shut_down(&mut self) {
        let _ = self.channel.socket().shutdown(Shutdown::Write);
    }

    /// Resets the connection.
    pub fn reset(self) {
        let _ = SockRef::from(self.channel.socket()).set_linger(Some(Duration::ZERO));
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        // A TLS alert is the last that comes.
        ErrorKind::InvalidData
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}
