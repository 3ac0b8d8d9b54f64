//! A next hop that records what it gets, and fails where it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a next hop took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    /// Dots taken off, the end not included.
    pub(super) octets: Vec<u8>,
    pub(super) in_tls: bool,
}

/// Where it closes the connection instead of giving its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HangUp {
    Greeting,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Middle,
    FinalDot,
    Quit,
}

impl HangUp {
    pub(super) const ALL: [Self; 8] = [
        Self::Greeting,
        Self::Ehlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Middle,
        Self::FinalDot,
        Self::Quit,
    ];
}

/// How it behaves.
#[derive(Clone)]
pub(super) struct Manner {
    pub(super) keywords: &'static [&'static str],
    pub(super) tls: Option<TlsAcceptor>,
    /// TLS from the first octet on.
    pub(super) implicit: bool,
    pub(super) hang_up: Option<HangUp>,
    /// Says nothing at all.
    pub(super) mute: bool,
    /// Says this in the middle of a message; then it closes, or reads no more.
    pub(super) early: Option<(&'static str, bool)>,
    /// Comes behind the 220 to STARTTLS in plaintext.
    pub(super) injected: &'static str,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            keywords: &["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"],
            tls: None,
            implicit: false,
            hang_up: None,
            mute: false,
            early: None,
            injected: "",
        }
    }
}

impl Manner {
    /// It takes chunks.
    pub(super) fn chunking() -> Self {
        let keywords = &["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"];
        Self { keywords, ..Self::default() }
    }
}

#[derive(Clone)]
pub(super) struct NextHop {
    pub(super) address: SocketAddr,
    mail: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
}

impl NextHop {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let next_hop = Self {
            address: listener.local_addr().unwrap(),
            mail: Arc::default(),
            commands: Arc::default(),
            peers: Arc::default(),
        };
        let this = next_hop.clone();
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                this.peers.lock().unwrap().push(peer);
                tokio::spawn(this.clone().converse(stream, manner.clone()));
            }
        });
        next_hop
    }

    pub(super) fn mail(&self) -> Vec<Mail> {
        self.mail.lock().unwrap().clone()
    }

    pub(super) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        self.peers.lock().unwrap().clone()
    }

    async fn converse(self, tcp: TcpStream, manner: Manner) {
        if manner.mute {
            std::future::pending::<()>().await;
        }
        if manner.implicit {
            let Ok(tls) = manner.tls.clone().unwrap().accept(tcp).await else { return };
            let _ = self.session(BufStream::new(tls), &manner, true, true).await;
            return;
        }
        let Ok(Some(stream)) = self.session(BufStream::new(tcp), &manner, false, true).await else { return };
        let Ok(tls) = manner.tls.clone().unwrap().accept(stream.into_inner()).await else { return };
        let _ = self.session(BufStream::new(tls), &manner, true, false).await;
    }

    /// Gives the stream back when it is to be upgraded.
    async fn session<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufStream<S>,
        manner: &Manner,
        in_tls: bool,
        greets: bool,
    ) -> std::io::Result<Option<BufStream<S>>> {
        let hangs_up = |here: HangUp| manner.hang_up == Some(here);
        if hangs_up(HangUp::Greeting) {
            return Ok(None);
        }
        if greets {
            say(&mut stream, "220 hop.example ESMTP here").await?;
        }
        let mut mail = Mail::default();
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let command = line.trim_end().to_owned();
            let upper = command.to_ascii_uppercase();
            self.commands.lock().unwrap().push(command.clone());
            match upper.split([' ', ':']).next().unwrap() {
                "EHLO" if hangs_up(HangUp::Ehlo) => return Ok(None),
                "EHLO" => {
                    let mut lines = vec!["hop.example"];
                    lines.extend(manner.keywords);
                    if manner.tls.is_some() && !in_tls {
                        lines.push("STARTTLS");
                    }
                    let last = lines.pop().unwrap();
                    let reply = format!("250-{}\r\n250 {last}", lines.join("\r\n250-"));
                    say(&mut stream, &reply).await?;
                }
                "STARTTLS" if manner.tls.is_some() && !in_tls => {
                    let injected = manner.injected;
                    say(&mut stream, &format!("220 go on{injected}")).await?;
                    return Ok(Some(stream));
                }
                "MAIL" if hangs_up(HangUp::Mail) => return Ok(None),
                "MAIL" => {
                    mail = Mail { from: path(&command), in_tls, ..Mail::default() };
                    say(&mut stream, "250 2.1.0 sender ok").await?;
                }
                "RCPT" if hangs_up(HangUp::Rcpt) => return Ok(None),
                "RCPT" if command.contains("nobody") => say(&mut stream, "550 5.1.1 nobody").await?,
                "RCPT" => {
                    mail.to.push(path(&command));
                    say(&mut stream, "250 2.1.5 recipient ok").await?;
                }
                "RSET" => {
                    mail = Mail::default();
                    say(&mut stream, "250 2.0.0 reset").await?;
                }
                "DATA" if hangs_up(HangUp::Data) => return Ok(None),
                "DATA" => {
                    say(&mut stream, "354 go ahead").await?;
                    if hangs_up(HangUp::Middle) {
                        let mut some = [0; 64];
                        let _ = stream.read(&mut some).await?;
                        return Ok(None);
                    }
                    if let Some((reply, closes)) = manner.early {
                        let mut some = [0; 64];
                        let _ = stream.read(&mut some).await?;
                        say(&mut stream, reply).await?;
                        if !closes {
                            std::future::pending::<()>().await;
                        }
                        return Ok(None);
                    }
                    mail.octets = read_data(&mut stream).await?;
                    if hangs_up(HangUp::FinalDot) {
                        return Ok(None);
                    }
                    self.mail.lock().unwrap().push(std::mem::take(&mut mail));
                    say(&mut stream, "250 2.0.0 taken as 4711").await?;
                }
                "BDAT" => {
                    let octets: usize = upper.split(' ').nth(1).unwrap().parse().unwrap();
                    let mut chunk = vec![0; octets];
                    stream.read_exact(&mut chunk).await?;
                    mail.octets.extend(chunk);
                    if upper.ends_with("LAST") {
                        self.mail.lock().unwrap().push(std::mem::take(&mut mail));
                    }
                    say(&mut stream, "250 2.0.0 chunk taken").await?;
                }
                "QUIT" if hangs_up(HangUp::Quit) => return Ok(None),
                "QUIT" => {
                    say(&mut stream, "221 2.0.0 bye").await?;
                    return Ok(None);
                }
                _ => say(&mut stream, "250 2.0.0 whatever").await?,
            }
        }
    }
}

async fn say<S: AsyncWrite + AsyncRead + Unpin>(
    stream: &mut BufStream<S>,
    reply: &str,
) -> std::io::Result<()> {
    stream.write_all(reply.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}

fn path(command: &str) -> String {
    let (_, rest) = command.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

async fn read_data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(octets);
        }
        octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
