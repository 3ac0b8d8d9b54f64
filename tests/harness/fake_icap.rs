//! A scripted ICAP service: OPTIONS and RESPMOD, on connections that are used again. Some take their time over each message,
//! as one does that runs what it is shown.

mod mood;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::Socket;

pub use self::mood::Mood;
use crate::door::{Door, Place};
use crate::mail;
use crate::netns::NetNs;

/// Where the gateway in whose namespace it runs reaches it.
pub const SERVICE: &str = "icap://127.0.0.1:1345/sandbox";
/// What it finds, where a message has [`MARK`].
pub const FOUND: &str = "Behaviour.Test";
/// What it finds something in besides EICAR, and nobody else does.
pub const MARK: &[u8] = b"does something when it is run";
/// What it calls the other.
const EICAR: &str = "Eicar-Test-Signature";

/// The service; it ends on drop.
#[derive(Debug)]
pub struct FakeIcap {
    shared: Arc<Shared>,
    door: Door,
}

#[derive(Debug)]
struct Shared {
    asked: AtomicUsize,
    answered: AtomicUsize,
    /// Number of its state.
    tag: AtomicUsize,
    mood: Mutex<Mood>,
}

impl FakeIcap {
    /// Listens on the loopback of a namespace.
    ///
    /// # Panics
    ///
    /// When there can be no such socket.
    pub fn start(namespace: &NetNs, mood: Mood) -> Self {
        let shared = Arc::new(Shared {
            asked: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            tag: AtomicUsize::new(1),
            mood: Mutex::new(mood),
        });
        let serving = Arc::clone(&shared);
        let place = Place::Tcp(namespace.path(), SocketAddr::from(([127, 0, 0, 1], 1345)));
        let door = Door::open(place, move |stream, stop| {
            let _ = stream.set_tcp_nodelay(true);
            // The client tells what it misses.
            let _ = Dialogue { stream, stop, octets: Vec::new() }.hold(&serving);
        });
        Self { shared, door }
    }

    /// From the next message on it says something else.
    ///
    /// # Panics
    ///
    /// Never: no holder of the lock panics.
    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().expect("no holder panics") = mood;
    }

    /// Messages that it was asked about, and those that it has given a verdict on.
    pub fn counts(&self) -> (usize, usize) {
        (self.shared.asked.load(Ordering::Relaxed), self.shared.answered.load(Ordering::Relaxed))
    }

    /// It has read newer signatures.
    pub fn update(&self) {
        self.shared.tag.fetch_add(1, Ordering::Relaxed);
    }

    /// It is gone, and so are its connections.
    pub fn leave(&self) {
        self.door.leave();
    }

    /// It is there again.
    pub fn come_back(&self) {
        self.door.come_back();
    }
}

/// Octets of a message that are read where it stops inside.
const INSIDE: usize = 100;
/// How often it looks whether something else is due.
const POLL: Duration = Duration::from_millis(5);
/// How long a connection stays that nobody serves: longer than a client of the tests waits.
const HELD: Duration = Duration::from_secs(5);

impl Shared {
    fn mood(&self) -> io::Result<Mood> {
        self.mood.lock().map(|mood| *mood).map_err(|_| io::Error::other("poisoned"))
    }

    /// A head with the tag of the moment.
    fn head(&self, status: &str, fields: &str) -> Vec<u8> {
        let tag = self.tag.load(Ordering::Relaxed);
        format!("ICAP/1.0 {status}\r\nISTag: \"sandbox-{tag}\"\r\n{fields}\r\n").into_bytes()
    }

    fn verdict(&self, message: &[u8]) -> Vec<u8> {
        let has = |octets: &[u8]| mail::find(message, octets).is_some();
        let found = if has(MARK) { Some(FOUND) } else { has(&mail::eicar()).then_some(EICAR) };
        let Some(found) = found else { return self.head("204 Unmodified", NO_BODY) };
        let fields = format!(
            "X-Infection-Found: Type=0; Resolution=2; Threat={found};\r\nEncapsulated: res-hdr=0, null-body=19\r\n"
        );
        [self.head("200 OK", &fields), b"HTTP/1.1 403 No\r\n\r\n".to_vec()].concat()
    }
}

const NO_BODY: &str = "Encapsulated: null-body=0\r\n";

struct Dialogue<'a> {
    stream: &'a Socket,
    stop: &'a AtomicBool,
    /// What was read and not yet looked at.
    octets: Vec<u8>,
}

impl Dialogue<'_> {
    fn hold(&mut self, shared: &Shared) -> io::Result<()> {
        match shared.mood()? {
            Mood::Deaf => {
                self.wait(HELD);
                return Ok(());
            }
            Mood::CloseAtOnce => return Ok(()),
            _ => {}
        }
        loop {
            let head = self.until(b"\r\n\r\n")?;
            let mood = shared.mood()?;
            if head.starts_with(b"OPTIONS ") {
                match mood {
                    Mood::NoOptions => self.wait(HELD),
                    Mood::Options(octets) => self.say(octets)?,
                    _ => self.say(&shared.head("200 OK", NO_BODY))?,
                }
                continue;
            }
            match mood {
                Mood::CloseAtHead => return Ok(()),
                Mood::CloseInside => return self.at_least(INSIDE),
                Mood::HangInside => {
                    self.at_least(INSIDE)?;
                    self.wait(HELD);
                    return Ok(());
                }
                _ => {}
            }
            let message = self.until(b"\r\n0\r\n\r\n")?;
            let before = shared.asked.fetch_add(1, Ordering::Relaxed);
            if let Mood::ThenPending(_) = mood
                && before > 0
            {
                self.say(&shared.head("503 Still at it", NO_BODY))?;
                continue;
            }
            if !self.answer(shared, mood, &message)? {
                return Ok(());
            }
        }
    }

    /// Answers a message; says whether the connection stays.
    fn answer(&mut self, shared: &Shared, mut mood: Mood, message: &[u8]) -> io::Result<bool> {
        while mood == Mood::Reloading && !self.stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(POLL);
            mood = shared.mood()?;
        }
        self.wait(mood.time());
        match mood {
            Mood::Say(octets) => self.say(octets).map(|()| true),
            Mood::SayAndClose(octets) => self.say(octets).map(|()| false),
            Mood::Body(octets) => {
                self.say(&shared.head("200 OK", "Encapsulated: res-hdr=0, res-body=19\r\n"))?;
                self.say(b"HTTP/1.1 200 OK\r\n\r\n")?;
                self.say(octets).map(|()| false)
            }
            Mood::Endless => loop {
                self.say(&[b'x'; 1024])?;
            },
            Mood::Reset => self.stream.set_linger(Some(Duration::ZERO)).map(|()| false),
            _ => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                self.say(&shared.verdict(message))?;
                Ok(mood != Mood::AndClose)
            }
        }
    }

    fn say(&self, octets: &[u8]) -> io::Result<()> {
        (&*self.stream).write_all(octets)
    }

    fn wait(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(POLL);
        }
    }

    /// Reads to these octets.
    fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = mail::find(&self.octets, end) {
                return Ok(self.octets.drain(..at + end.len()).collect());
            }
            self.more()?;
        }
    }

    fn at_least(&mut self, count: usize) -> io::Result<()> {
        while self.octets.len() < count {
            self.more()?;
        }
        Ok(())
    }

    fn more(&mut self) -> io::Result<()> {
        let mut room = [0; 16_384];
        loop {
            match (&*self.stream).read(&mut room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // Whoever is gone reads nothing.
                Ok(_) if self.stop.load(Ordering::Relaxed) => return Err(ErrorKind::Interrupted.into()),
                Ok(count) => {
                    self.octets.extend_from_slice(&room[..count]);
                    return Ok(());
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.stop.load(Ordering::Relaxed) {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
