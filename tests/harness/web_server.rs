//! A web server that says the same to everybody, in TLS.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustls::{ServerConnection, StreamOwned};

use crate::certificate::Certificate;
use crate::deadline::SOON;
use crate::flow_probe;
use crate::netns::NetNs;

/// The server; it ends on drop.
#[derive(Debug)]
pub struct WebServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    asked: AtomicUsize,
    certificate: Certificate,
    text: String,
}

impl WebServer {
    /// Listens inside a namespace and says `text` to whoever asks.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn start(namespace: &NetNs, address: SocketAddr, certificate: Certificate, text: &str) -> Self {
        let listener = flow_probe::listen(namespace, address);
        listener.set_nonblocking(true).expect("the listener can be made not to block");
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            certificate,
            text: text.to_owned(),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.listen(&listener)
        });
        Self { shared, thread: Some(thread) }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn listen(&self, listener: &TcpListener) {
        while !self.stop.load(Ordering::SeqCst) {
            let Ok((stream, _)) = listener.accept() else {
                std::thread::park_timeout(std::time::Duration::from_millis(1));
                continue;
            };
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_read_timeout(Some(SOON));
            let Ok(connection) = ServerConnection::new(self.certificate.server_config()) else { continue };
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // Whoever does not believe the certificate ends here.
            while stream.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            if line != "\r\n" {
                continue;
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            let mut stream = stream.into_inner();
            let length = self.text.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{}",
                self.text
            );
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}
