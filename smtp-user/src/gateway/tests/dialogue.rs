//! The originator's side of a dialogue.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// EICAR's test file, in two pieces so that nothing finds it here.
pub(super) fn eicar() -> String {
    format!("X5O!P%@AP[4\\PZX54(P^)7CC)7}}{}!$H+H*", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE")
}

pub(super) struct Dialogue<S> {
    pub(super) stream: S,
    unread: Vec<u8>,
}

impl Dialogue<TcpStream> {
    pub(super) async fn call(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(super) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next whole reply, or what there was when the connection ended.
    pub(super) async fn reply(&mut self) -> String {
        loop {
            if let Some(end) = end_of_reply(&self.unread) {
                let reply: Vec<u8> = self.unread.drain(..end).collect();
                return String::from_utf8(reply).unwrap();
            }
            let mut some = [0; 4096];
            let read = timeout(Duration::from_secs(20), self.stream.read(&mut some)).await;
            match read.expect("no reply in time") {
                Ok(0) | Err(_) => return String::from_utf8(std::mem::take(&mut self.unread)).unwrap(),
                Ok(octets) => self.unread.extend_from_slice(&some[..octets]),
            }
        }
    }

    /// Sends a command and checks how its reply begins.
    pub(super) async fn ask(&mut self, command: &str, begins: &str) -> String {
        self.send(format!("{command}\r\n")).await;
        self.expect(begins).await
    }

    pub(super) async fn expect(&mut self, begins: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(begins), "expected {begins}, got {reply:?}");
        reply
    }

    /// Greeting and EHLO.
    pub(super) async fn begin(&mut self) -> String {
        self.expect("220 hop.example").await;
        self.ask("EHLO client.example", "250").await
    }

    /// MAIL and RCPT, both accepted.
    pub(super) async fn envelope(&mut self) {
        self.ask("MAIL FROM:<a@client.example>", "250").await;
        self.ask("RCPT TO:<b@hop.example>", "250").await;
    }

    /// A whole message; gives the final reply.
    pub(super) async fn mail(&mut self, message: &str) -> String {
        self.envelope().await;
        self.ask("DATA", "354").await;
        self.send(format!("{}\r\n.\r\n", message.replace("\r\n.", "\r\n.."))).await;
        self.reply().await
    }

    /// Nothing comes but the end.
    pub(super) async fn expect_end(&mut self) {
        assert_eq!(self.reply().await, "");
    }
}

fn end_of_reply(octets: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let line = octets.get(start..)?;
        let length = line.windows(2).position(|pair| pair == b"\r\n")? + 2;
        start += length;
        if line.get(3) != Some(&b'-') {
            return Some(start);
        }
    }
}
