//! An ICAP service that takes its time over each message, as one does that runs what it is shown.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::accepting::Accepting;
use crate::flow_probe;
use crate::mail;
use crate::netns::NetNs;

/// Where the gateway in whose namespace it runs reaches it.
pub const SERVICE: &str = "icap://127.0.0.1:1345/sandbox";
/// What it finds, where a message has [`MARK`].
pub const FOUND: &str = "Behaviour.Test";
/// What it finds something in.
pub const MARK: &[u8] = b"does something when it is run";

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// What is true, after this time.
    After(Duration),
    /// What is true after this time of the first message; of others that it has no verdict yet (503).
    ThenPending(Duration),
}

/// The service; it ends on drop.
#[derive(Debug)]
pub struct SlowIcap {
    shared: Arc<Shared>,
    _accepting: Accepting,
}

#[derive(Debug)]
struct Shared {
    stop: Arc<AtomicBool>,
    asked: AtomicUsize,
    answered: AtomicUsize,
    mood: Mutex<Mood>,
}

impl SlowIcap {
    /// Listens on the loopback of a namespace.
    ///
    /// # Panics
    ///
    /// When there can be no such socket.
    pub fn start(namespace: &NetNs, mood: Mood) -> Self {
        let listener = flow_probe::listen(namespace, SocketAddr::from(([127, 0, 0, 1], 1345)));
        listener.set_nonblocking(true).expect("the listener can be made not to block");
        let shared = Arc::new(Shared {
            stop: Arc::default(),
            asked: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            mood: Mutex::new(mood),
        });
        let serving = Arc::clone(&shared);
        let accepting = Accepting::start(
            Arc::clone(&shared.stop),
            move || listener.accept().map(|(stream, _)| stream),
            move |stream| {
                // The client tells what it misses.
                let _ = serving.serve(stream);
            },
        );
        Self { shared, _accepting: accepting }
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
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        loop {
            let head = until(&mut stream, b"\r\n\r\n")?;
            if head.starts_with(b"OPTIONS ") {
                stream.write_all(
                    b"ICAP/1.0 200 OK\r\nISTag: \"sandbox-1\"\r\nEncapsulated: null-body=0\r\n\r\n",
                )?;
                continue;
            }
            let message = until(&mut stream, b"\r\n0\r\n\r\n")?;
            let before = self.asked.fetch_add(1, Ordering::Relaxed);
            let time = match *self.mood.lock().map_err(|_| io::Error::other("poisoned"))? {
                Mood::ThenPending(_) if before > 0 => {
                    stream.write_all(
                        b"ICAP/1.0 503 Still at it\r\nISTag: \"sandbox-1\"\r\nEncapsulated: null-body=0\r\n\r\n",
                    )?;
                    continue;
                }
                Mood::After(time) | Mood::ThenPending(time) => time,
            };
            let end = Instant::now() + time;
            while Instant::now() < end && !self.stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            let found = mail::find(&message, MARK).is_some();
            self.answered.fetch_add(1, Ordering::Relaxed);
            let reply = if found {
                format!(
                    "ICAP/1.0 200 OK\r\nISTag: \"sandbox-1\"\r\nX-Infection-Found: Type=0; Resolution=2; Threat={FOUND};\r\n\
                     Encapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 403 No\r\n\r\n"
                )
            } else {
                "ICAP/1.0 204 Unmodified\r\nISTag: \"sandbox-1\"\r\nEncapsulated: null-body=0\r\n\r\n"
                    .to_owned()
            };
            stream.write_all(reply.as_bytes())?;
        }
    }
}

/// Reads to these octets.
fn until(stream: &mut TcpStream, end: &[u8]) -> io::Result<Vec<u8>> {
    let (mut octets, mut octet) = (Vec::new(), [0]);
    while !octets.ends_with(end) {
        stream.read_exact(&mut octet)?;
        octets.push(octet[0]);
    }
    Ok(octets)
}
