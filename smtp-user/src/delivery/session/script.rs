//! A next hop that says what it is told to, and writes down what it hears.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// What it does instead of what a healthy server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Says this, a whole reply without the last CRLF.
    Say(String),
    /// Closes the connection.
    HangUp,
    /// Says nothing more.
    Silence,
}

/// Where it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    Helo,
    Mail,
    /// The n-th RCPT of a transaction, from 0.
    Rcpt(usize),
    Data,
    /// In the middle of the message.
    Middle,
    Final,
    /// Before the command that follows a message.
    Next,
    Rset,
}

/// What it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) octets: Vec<u8>,
}

/// How it behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) keywords: Vec<String>,
    /// Each is done once, on the first connection that gets there.
    pub(crate) turns: Vec<(At, Turn)>,
}

/// What is done somewhere, by what the command there says: that of RCPT, otherwise that of the last MAIL; nothing was said
/// before. `None` is what the turns say, or a healthy server.
type Rule = dyn Fn(At, &str) -> Option<Turn> + Send + Sync;

const NO_SENDER: &str = "503 5.5.1 MAIL first";
const NO_RECIPIENT: &str = "503 5.5.1 RCPT first";

/// A server that goes by a script.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    turns: Arc<Mutex<VecDeque<(At, Turn)>>>,
    rule: Option<Arc<Rule>>,
    mail: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    /// Now, and at most.
    open: Arc<Mutex<(usize, usize)>>,
}

/// A connection that counts: from its acceptance to its end, which is said by QUIT before it is answered. Whoever reads
/// the answer may call again at once, and must not find itself counted twice.
struct Counted(Arc<Mutex<(usize, usize)>>);

impl Counted {
    fn new(open: &Arc<Mutex<(usize, usize)>>) -> Self {
        let mut counts = open.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.0.max(counts.1);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

impl Scripted {
    pub(crate) async fn start(script: Script) -> Self {
        Self::listen(script, None).await
    }

    /// One that asks everywhere what to do there.
    pub(crate) async fn by_rule(
        keywords: Vec<String>,
        rule: impl Fn(At, &str) -> Option<Turn> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Script { keywords, turns: vec![] }, Some(Arc::new(rule))).await
    }

    async fn listen(script: Script, rule: Option<Arc<Rule>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            turns: Arc::new(Mutex::new(script.turns.into())),
            rule,
            mail: Arc::default(),
            commands: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
        };
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *this.connections.lock().unwrap() += 1;
                let (this, keywords) = (this.clone(), script.keywords.clone());
                let counted = Counted::new(&this.open);
                tokio::spawn(async move {
                    this.converse(BufStream::new(stream), &keywords, counted).await;
                });
            }
        });
        server
    }

    pub(crate) fn mail(&self) -> Vec<Mail> {
        self.mail.lock().unwrap().clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(crate) fn most_at_a_time(&self) -> usize {
        self.open.lock().unwrap().1
    }

    fn turn(&self, at: At, said: &str) -> Option<Turn> {
        if let Some(turn) = self.rule.as_ref().and_then(|rule| rule(at, said)) {
            return Some(turn);
        }
        let mut turns = self.turns.lock().unwrap();
        let position = turns.iter().position(|(here, _)| *here == at)?;
        turns.remove(position).map(|(_, turn)| turn)
    }

    /// Does what the script says here, or says what a healthy server says. Gives whether that was positive; nothing is
    /// the end of the connection.
    async fn say(
        &self,
        stream: &mut BufStream<TcpStream>,
        at: At,
        said: &str,
        healthy: &str,
    ) -> Option<bool> {
        Self::do_turn(stream, self.turn(at, said), healthy).await
    }

    async fn do_turn(stream: &mut BufStream<TcpStream>, turn: Option<Turn>, healthy: &str) -> Option<bool> {
        let reply = match turn {
            None => healthy.to_owned(),
            Some(Turn::Say(reply)) => reply,
            Some(Turn::HangUp) => return None,
            Some(Turn::Silence) => std::future::pending().await,
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if reply.starts_with("421") {
            return None;
        }
        Some(reply.starts_with(['2', '3']))
    }

    async fn converse(
        &self,
        mut stream: BufStream<TcpStream>,
        keywords: &[String],
        counted: Counted,
    ) -> Option<()> {
        self.say(&mut stream, At::Greeting, "", "220 hop.example").await?;
        let mut mail = Mail { from: String::new(), to: Vec::new(), octets: Vec::new() };
        let mut asked = 0;
        let mut has_sender = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            self.commands.lock().unwrap().push(line.clone());
            let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
            match verb {
                "EHLO" => {
                    let mut lines = vec!["hop.example"];
                    lines.extend(keywords.iter().map(String::as_str));
                    let (last, first) = lines.split_last().unwrap();
                    let mut lines: Vec<String> = first.iter().map(|line| format!("250-{line}")).collect();
                    lines.push(format!("250 {last}"));
                    let reply = lines.join("\r\n");
                    self.say(&mut stream, At::Ehlo, "", &reply).await?;
                }
                "HELO" => _ = self.say(&mut stream, At::Helo, "", "250 hop.example").await?,
                "MAIL" => {
                    mail = Mail { from: rest.to_owned(), to: Vec::new(), octets: Vec::new() };
                    asked = 0;
                    has_sender = self.say(&mut stream, At::Mail, rest, "250 2.1.0 ok").await?;
                }
                "RCPT" => {
                    let at = At::Rcpt(asked);
                    asked += 1;
                    let healthy = if has_sender { "250 2.1.5 ok" } else { NO_SENDER };
                    if self.say(&mut stream, at, rest, healthy).await? {
                        mail.to.push(rest.to_owned());
                    }
                }
                "DATA" => {
                    let healthy = if mail.to.is_empty() { NO_RECIPIENT } else { "354 go on" };
                    if self.say(&mut stream, At::Data, &mail.from, healthy).await? {
                        loop {
                            let mut line = Vec::new();
                            if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
                                return None;
                            }
                            if line == b".\r\n" {
                                break;
                            }
                            mail.octets.extend(line.strip_prefix(b".").unwrap_or(&line));
                            if let Some(Turn::HangUp) = self.turn(At::Middle, &mail.from) {
                                return None;
                            }
                        }
                        self.finish(&mut stream, &mail).await?;
                    }
                }
                "BDAT" => {
                    let octets: usize = rest.split(' ').next()?.parse().ok()?;
                    let mut chunk = vec![0; octets];
                    stream.read_exact(&mut chunk).await.ok()?;
                    mail.octets.extend(chunk);
                    if mail.to.is_empty() {
                        self.say(&mut stream, At::Data, &mail.from, NO_RECIPIENT).await?;
                    } else {
                        self.finish(&mut stream, &mail).await?;
                    }
                }
                "RSET" => _ = self.say(&mut stream, At::Rset, &mail.from, "250 ok").await?,
                "QUIT" => {
                    drop(counted);
                    stream.write_all(b"221 bye\r\n").await.ok()?;
                    stream.flush().await.ok()?;
                    return None;
                }
                _ => {
                    stream.write_all(b"502 what\r\n").await.ok()?;
                    stream.flush().await.ok()?;
                }
            }
        }
    }

    /// A server that hangs up here has taken the message all the same: that is the worst case.
    async fn finish(&self, stream: &mut BufStream<TcpStream>, mail: &Mail) -> Option<()> {
        let turn = self.turn(At::Final, &mail.from);
        if turn == Some(Turn::HangUp) {
            self.mail.lock().unwrap().push(mail.clone());
        }
        if Self::do_turn(stream, turn, "250 2.0.0 queued").await? {
            self.mail.lock().unwrap().push(mail.clone());
        }
        (self.turn(At::Next, &mail.from) != Some(Turn::HangUp)).then_some(())
    }
}
