//! A scripted SMTP dialogue over plain TCP (RFC 5321, RFC 3207), one line at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;

use crate::deadline::SOON;
use crate::flow_probe;
use crate::netns::NetNs;

/// A server for one connection that offers STARTTLS, agrees to it, and then answers every read with silence.
#[derive(Debug)]
pub struct SmtpServer {
    thread: Option<JoinHandle<()>>,
}

impl SmtpServer {
    /// Listens inside a namespace for one connection.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn new(namespace: &NetNs, address: SocketAddr) -> Self {
        let listener = flow_probe::listen(namespace, address);
        let thread = std::thread::spawn(move || {
            let Ok((stream, _)) = listener.accept() else { return };
            let _ = stream.set_read_timeout(Some(SOON));
            answer(&stream);
        });
        Self { thread: Some(thread) }
    }

    /// Waits until the client is gone.
    ///
    /// # Panics
    ///
    /// When the server panicked.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in peace");
        }
    }
}

fn answer(stream: &TcpStream) {
    let mut writer = stream;
    let mut lines = BufReader::new(stream);
    let _ = writer.write_all(b"220 mx.test ESMTP\r\n");
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
        let reply: &[u8] = match line.get(..4) {
            Some("EHLO") => b"250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
            Some("STAR") => b"220 2.0.0 go ahead\r\n",
            _ => b"250 2.0.0 OK\r\n",
        };
        let _ = writer.write_all(reply);
        if line.starts_with("STARTTLS") {
            // What follows is TLS; there is nobody here to speak it.
            let mut rest = Vec::new();
            let _ = lines.read_to_end(&mut rest);
            return;
        }
        line.clear();
    }
}

/// The client's side, step by step.
#[derive(Debug)]
pub struct SmtpClient {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl SmtpClient {
    /// Connects from inside a namespace and reads the greeting.
    ///
    /// # Panics
    ///
    /// When there is no server, or it says something else.
    pub fn new(namespace: &NetNs, server: SocketAddr) -> Self {
        let stream = flow_probe::connect(namespace, server, SOON).expect("the server can be reached");
        let lines = BufReader::new(stream.try_clone().expect("the socket can be shared"));
        let mut client = Self { stream, lines };
        client.expect("220");
        client
    }

    /// Says a line and reads the reply, which must have this code.
    ///
    /// # Panics
    ///
    /// When the reply has another code.
    #[track_caller]
    pub fn say(&mut self, line: &str, code: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).expect("the line can be sent");
        self.expect(code);
    }

    /// Sends octets that are not a line.
    ///
    /// # Panics
    ///
    /// When the connection is gone.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("the octets can be sent");
    }

    /// The client's address.
    ///
    /// # Panics
    ///
    /// Never: the socket is connected.
    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("the socket is connected")
    }

    #[track_caller]
    fn expect(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("a reply comes");
            assert!(line.starts_with(code), "expected {code}, and the server said {line:?}");
            // A hyphen behind the code announces another line (RFC 5321 §4.2.1).
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

/// The head of a TLS handshake record with a `ClientHello` in it (RFC 8446 §5.1).
pub const CLIENT_HELLO: [u8; 11] = [0x16, 0x03, 0x01, 0x00, 0x06, 0x01, 0x00, 0x00, 0x02, 0x03, 0x03];
