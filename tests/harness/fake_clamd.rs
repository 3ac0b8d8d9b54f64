//! A scripted clamd on a local socket or TCP: INSTREAM, FILDES, sessions, PING and VERSION.

mod answer;
mod wire;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::Socket;
use tempfile::TempDir;

pub use self::answer::Answer;
use self::wire::Wire;
use crate::door::{Door, Place};
use crate::mail;
use crate::netns::NetNs;

/// What it finds besides EICAR, and nobody else does.
pub const MARK: &[u8] = b"only a scripted clamd minds this";
/// What it calls that.
pub const FOUND: &str = "Marked.Clamd";
/// Where it listens with TCP, in the gateway's own namespace.
pub const TCP: &str = "127.0.0.1:3310";

/// The daemon; it ends on drop.
#[derive(Debug)]
pub struct FakeClamd {
    folder: TempDir,
    shared: Arc<Shared>,
    door: Door,
}

#[derive(Debug)]
struct Shared {
    scans: AtomicUsize,
    /// Number of the signatures.
    version: AtomicUsize,
    answer: Mutex<Answer>,
}

impl FakeClamd {
    /// Listens on a socket in a folder of its own.
    ///
    /// # Panics
    ///
    /// When there can be no such socket.
    pub fn start(answer: Answer) -> Self {
        Self::start_at(answer, |folder| Place::Unix(folder.path().join(SOCKET)))
    }

    /// Listens on [`TCP`] in a namespace.
    ///
    /// # Panics
    ///
    /// When there can be no such socket.
    pub fn start_inside(namespace: &NetNs, answer: Answer) -> Self {
        let address: SocketAddr = TCP.parse().expect("an address");
        Self::start_at(answer, |_| Place::Tcp(namespace.path(), address))
    }

    fn start_at(answer: Answer, place: impl FnOnce(&TempDir) -> Place) -> Self {
        let folder = tempfile::Builder::new().prefix("postern-clamd-").tempdir().expect("a folder");
        let shared = Arc::new(Shared {
            scans: AtomicUsize::new(0),
            version: AtomicUsize::new(27_000),
            answer: Mutex::new(answer),
        });
        let serving = Arc::clone(&shared);
        let door = Door::open(place(&folder), move |stream, stop| {
            // The client tells what it misses.
            let _ = serving.serve(stream, stop);
        });
        Self { folder, shared, door }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// From the next scan on it answers something else.
    ///
    /// # Panics
    ///
    /// Never: no holder of the lock panics.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().expect("no holder panics") = answer;
    }

    /// Scans asked for so far.
    pub fn scans(&self) -> usize {
        self.shared.scans.load(Ordering::Relaxed)
    }

    /// It has read newer signatures.
    pub fn update(&self) {
        self.shared.version.fetch_add(1, Ordering::Relaxed);
    }

    /// It is gone, and its socket stands there still.
    pub fn leave(&self) {
        self.door.leave();
    }

    /// It is there again.
    pub fn come_back(&self) {
        self.door.come_back();
    }
}

const SOCKET: &str = "clamd.sock";
/// Octets that are read where it stops inside: fewer than come with the test file.
const INSIDE: usize = 40;

impl Shared {
    fn current(&self) -> io::Result<Answer> {
        self.answer.lock().map(|answer| answer.clone()).map_err(|_| io::Error::other("poisoned"))
    }

    fn serve(&self, stream: &Socket, stop: &AtomicBool) -> io::Result<()> {
        let mut wire = Wire::new(stream, stop);
        match self.current()? {
            Answer::Deaf => {
                hold(stop);
                return Ok(());
            }
            Answer::CloseAtOnce => return Ok(()),
            _ => {}
        }
        let (mut session, mut number) = (false, 0);
        loop {
            let (command, end) = wire.command()?;
            number += 1;
            let answer = self.current()?;
            let is_scan = matches!(command.as_str(), "INSTREAM" | "FILDES");
            match answer {
                Answer::CloseAtCommand if is_scan => return Ok(()),
                Answer::CloseInside if is_scan => return wire.take(INSIDE).map(drop),
                Answer::HangInside if is_scan => {
                    wire.take(INSIDE)?;
                    hold(stop);
                    return Ok(());
                }
                _ => {}
            }
            let octets = match command.as_str() {
                "IDSESSION" => {
                    (session, number) = (true, 0);
                    continue;
                }
                "END" => return Ok(()),
                "INSTREAM" => Some(wire.chunks()?),
                "FILDES" => Some(wire.file()?),
                _ => None,
            };
            let prefix = if session { format!("{number}: ") } else { String::new() };
            let line = match (octets, command.as_str()) {
                (None, "PING") => "PONG".to_owned(),
                (None, "VERSION") if answer == Answer::Versionless => loop {
                    wire.fill()?;
                },
                (None, "VERSION") => {
                    let version = self.version.load(Ordering::Relaxed);
                    format!("ClamAV 1.4.6/{version}/Sun Nov 22 00:00:00 2026")
                }
                (None, _) => "UNKNOWN COMMAND".to_owned(),
                (Some(octets), _) => {
                    self.scans.fetch_add(1, Ordering::Relaxed);
                    match self.say(&octets, answer, &mut wire, stream, stop)? {
                        Some(line) => line,
                        None => return Ok(()),
                    }
                }
            };
            let mut reply = format!("{prefix}{line}").into_bytes();
            reply.push(end);
            (&*stream).write_all(&reply)?;
            if !session {
                return Ok(());
            }
        }
    }

    /// The line that answers octets; none where the connection is to end.
    fn say(
        &self,
        octets: &[u8],
        mut answer: Answer,
        wire: &mut Wire<'_>,
        mut stream: &Socket,
        stop: &AtomicBool,
    ) -> io::Result<Option<String>> {
        while answer == Answer::Reloading && !stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(POLL);
            answer = self.current()?;
        }
        if let Answer::After(time) = answer {
            let end = Instant::now() + time;
            while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(POLL);
            }
        }
        Ok(match answer {
            Answer::Line(line) => Some(line.to_owned()),
            Answer::Endless => {
                while !stop.load(Ordering::Relaxed) {
                    stream.write_all(&[b'x'; 1024])?;
                }
                None
            }
            Answer::Close | Answer::Reloading => None,
            Answer::Reset => {
                stream.set_linger(Some(Duration::ZERO))?;
                None
            }
            Answer::Cut => {
                stream.write_all(b"stream: O")?;
                None
            }
            Answer::Hang => loop {
                wire.fill()?;
            },
            _ if mail::find(octets, &mail::eicar()).is_some() => {
                Some("stream: Eicar-Test-Signature FOUND".to_owned())
            }
            _ if mail::find(octets, MARK).is_some() => Some(format!("stream: {FOUND} FOUND")),
            _ => Some("stream: OK".to_owned()),
        })
    }
}

/// Reads nothing more; the connection stays for longer than a client of the tests waits.
fn hold(stop: &AtomicBool) {
    let end = Instant::now() + HELD;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(POLL);
    }
}

/// How long that is.
const HELD: Duration = Duration::from_secs(5);
/// How often it looks whether something else is due.
const POLL: Duration = Duration::from_millis(5);
