//! A mail server on the loopback address that says what a test tells it to.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

/// Says the first line, then one after each thing it hears; gives what it heard.
pub(crate) fn server<L>(lines: L) -> (String, thread::JoinHandle<String>)
where
    L: IntoIterator<Item: AsRef<str>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let talk = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = String::new();
        for line in lines {
            stream.write_all(line.as_ref().as_bytes()).unwrap();
            let mut octets = [0; 4096];
            let count = stream.read(&mut octets).unwrap_or(0);
            heard.push_str(&String::from_utf8_lossy(&octets[..count]));
        }
        heard
    });
    (address, talk)
}
