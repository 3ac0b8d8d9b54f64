//! A web server that says the same to everybody, in TLS.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::{ServerConnection, StreamOwned};

use crate::accepting::Accepting;
use crate::certificate::Certificate;
use crate::deadline::SOON;
use crate::flow_probe;
use crate::netns::NetNs;

/// The server; it ends on drop.
#[derive(Debug)]
pub struct WebServer {
    shared: Arc<Shared>,
    _accepting: Accepting,
}

#[derive(Debug)]
struct Shared {
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
        let shared = Arc::new(Shared { asked: AtomicUsize::new(0), certificate, text: text.to_owned() });
        let serving = Arc::clone(&shared);
        let accepting = Accepting::start(
            move || listener.accept().map(|(stream, _)| stream),
            move |stream, _| {
                // The client tells what it misses.
                let _ = serving.serve(stream);
            },
        );
        Self { shared, _accepting: accepting }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SOON))?;
        let connection = ServerConnection::new(self.certificate.server_config()).map_err(io::Error::other)?;
        let mut stream = BufReader::new(StreamOwned::new(connection, stream));
        let mut line = String::new();
        // Whoever does not believe the certificate ends here.
        while stream.read_line(&mut line)? > 2 {
            line.clear();
        }
        if line != "\r\n" {
            return Ok(());
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut stream = stream.into_inner();
        let length = self.text.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{}",
            self.text
        );
        stream.write_all(answer.as_bytes())?;
        stream.conn.send_close_notify();
        stream.flush()
    }
}
