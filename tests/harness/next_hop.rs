//! A test mail server that records every octet it gets, and misbehaves where it is told to.

mod dialogue;
mod script;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use script::{Fault, Script, Step, Upgrade};

use crate::certificate::Certificate;
use crate::deadline::SOON;
use crate::flow_probe;
use crate::netns::NetNs;

/// A message whose end was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which connection it came by, from 0.
    pub connection: usize,
    /// Whether it came inside TLS.
    pub tls: bool,
    /// What stood behind `MAIL FROM:`.
    pub from: String,
    /// What stood behind each `RCPT TO:` that was agreed to.
    pub to: Vec<String>,
    /// The message, dots taken off, octet for octet.
    pub octets: Vec<u8>,
    /// Whether it came by BDAT.
    pub chunked: bool,
    /// Whether the final reply was 250.
    pub accepted: bool,
}

/// What came by one connection.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Who called.
    pub peer: SocketAddr,
    /// Command lines, and whether each came inside TLS.
    pub commands: Vec<(bool, String)>,
    /// Every octet outside TLS.
    pub plain: Vec<u8>,
    /// Every octet inside TLS.
    pub secured: Vec<u8>,
    /// What came in one with STARTTLS or before the reply to it: nothing, from an honest client.
    pub behind_starttls: Vec<u8>,
    /// Whether a handshake was carried out.
    pub tls: bool,
    /// Whether it is over.
    pub closed: bool,
}

impl Heard {
    /// Commands with this verb.
    pub fn count(&self, verb: &str) -> usize {
        self.commands.iter().filter(|(_, line)| verb_of(line) == verb).count()
    }
}

/// The server; it ends on drop.
#[derive(Debug)]
pub struct NextHop {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    certificate: Certificate,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    script: Script,
    deliveries: Vec<Delivery>,
    connections: Vec<Heard>,
}

/// The span within which a connection notices that the server shall end.
const NOTICE: Duration = Duration::from_millis(50);

impl NextHop {
    /// Listens inside a namespace and follows a script.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn start(namespace: &NetNs, address: SocketAddr, script: Script) -> Self {
        Self::with_certificate(namespace, address, script, Certificate::new("server.test"))
    }

    /// The same with a certificate of one's choice.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn with_certificate(
        namespace: &NetNs,
        address: SocketAddr,
        script: Script,
        certificate: Certificate,
    ) -> Self {
        Self::on(flow_probe::listen(namespace, address), script, certificate)
    }

    /// The same on a listener of one's own.
    ///
    /// # Panics
    ///
    /// When the listener is none.
    pub fn on(listener: TcpListener, script: Script, certificate: Certificate) -> Self {
        let address = listener.local_addr().expect("the listener is bound");
        listener.set_nonblocking(true).expect("the listener can be made not to block");
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            certificate,
            state: Mutex::new(State { script, deliveries: Vec::new(), connections: Vec::new() }),
            changed: Condvar::new(),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.listen(&listener)
        });
        Self { address, shared, listener: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate it shows.
    pub fn certificate(&self) -> &Certificate {
        &self.shared.certificate
    }

    /// From the next connection on it follows another script.
    pub fn follow(&self, script: Script) {
        self.shared.state().script = script;
    }

    /// The messages so far.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.state().deliveries.clone()
    }

    /// How many messages there are so far.
    pub fn count(&self) -> usize {
        self.shared.state().deliveries.len()
    }

    /// The connections so far.
    pub fn connections(&self) -> Vec<Heard> {
        self.shared.state().connections.clone()
    }

    /// The messages so far, which are forgotten.
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.shared.state().deliveries)
    }

    /// Forgets messages; connections keep their numbers.
    pub fn forget_deliveries(&self) {
        self.shared.state().deliveries.clear();
    }

    /// Forgets every octet that came so far, and the messages, which it gives.
    pub fn empty(&self) -> Vec<Delivery> {
        let mut state = self.shared.state();
        for heard in &mut state.connections {
            (heard.plain, heard.secured) = (Vec::new(), Vec::new());
            heard.commands = Vec::new();
        }
        std::mem::take(&mut state.deliveries)
    }

    /// Waits until there are this many messages and returns them all.
    ///
    /// # Panics
    ///
    /// When they do not come in time.
    #[track_caller]
    pub fn wait_for_deliveries(&self, count: usize) -> Vec<Delivery> {
        self.wait("messages", |state| (state.deliveries.len() >= count).then(|| state.deliveries.clone()))
    }

    /// Waits until no connection is open and returns them all.
    ///
    /// # Panics
    ///
    /// When one stays open.
    #[track_caller]
    pub fn wait_until_idle(&self) -> Vec<Heard> {
        self.wait("the end of all connections", |state| {
            state.connections.iter().all(|heard| heard.closed).then(|| state.connections.clone())
        })
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, mut ask: impl FnMut(&State) -> Option<T>) -> T {
        let end = Instant::now() + SOON;
        let mut state = self.shared.state();
        loop {
            if let Some(answer) = ask(&state) {
                return answer;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the next hop waited in vain for {what}; it has {:?}", state.deliveries);
            state = self.shared.changed.wait_timeout(state, left).expect("no holder panics").0;
        }
    }
}

impl Drop for NextHop {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        let mut open: Vec<JoinHandle<()>> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((stream, peer)) = listener.accept() else {
                std::thread::park_timeout(Duration::from_millis(1));
                continue;
            };
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(NOTICE));
            let _ = stream.set_write_timeout(Some(SOON));
            let (number, script) = {
                let mut state = self.state();
                state.connections.push(Heard {
                    peer,
                    commands: Vec::new(),
                    plain: Vec::new(),
                    secured: Vec::new(),
                    behind_starttls: Vec::new(),
                    tls: false,
                    closed: false,
                });
                (state.connections.len() - 1, state.script.clone())
            };
            open.retain(|thread| !thread.is_finished());
            let shared = Arc::clone(self);
            open.push(std::thread::spawn(move || {
                // A connection that breaks is what many tests are about.
                let _: io::Result<()> = dialogue::hold(&shared, stream, number, &script);
                shared.note(number, |heard| heard.closed = true);
            }));
        }
        for thread in open {
            let _ = thread.join();
        }
    }

    /// Changes what is known of a connection.
    fn note(&self, number: usize, change: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.state().connections.get_mut(number) {
            change(heard);
        }
        self.changed.notify_all();
    }

    fn deliver(&self, delivery: Delivery) {
        self.state().deliveries.push(delivery);
        self.changed.notify_all();
    }
}

/// The verb of a command line, in upper case.
fn verb_of(line: &str) -> String {
    line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
