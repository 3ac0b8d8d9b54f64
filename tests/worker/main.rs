//! Workers as they are: this program without rights, told in its own words what to do.

mod documents;

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use smtp_user::action::extract::Weeds;
use smtp_user::content::ContentLimits;
use smtp_user::worker::copy::copy;
use smtp_user::worker::protocol::{self, Copied, Original, Pages, Task};

/// A worker that has given its rights away.
struct Worker {
    child: Child,
    stream: UnixStream,
}

impl Worker {
    fn start() -> Self {
        let (mut stream, theirs) = UnixStream::pair().unwrap();
        let output = OwnedFd::from(theirs.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_postern"))
            .arg("scan-worker")
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        protocol::read_ready(&mut stream).unwrap();
        Self { child, stream }
    }

    fn copy(&mut self, original: &Original, octets: &[u8]) -> io::Result<(Copied, Vec<u8>)> {
        protocol::write(&mut self.stream, &Task::Copy(original.clone()))?;
        self.stream.write_all(octets)?;
        protocol::read_copy(&mut self.stream)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn original(media_type: &str, octets: &[u8]) -> Original {
    let length = octets.len() as u64;
    let pages = Pages::Page;
    Original {
        media_type: media_type.to_owned(),
        pages,
        weeds: Weeds::default(),
        limits: ContentLimits::default(),
        members: Vec::new(),
        length,
    }
}

#[test]
fn a_worker_without_rights_makes_the_same_copies_as_anybody() {
    let mut worker = Worker::start();
    for (name, media_type, octets) in documents::all() {
        let original = original(media_type, &octets);
        let (expected, copied) = copy(&original, &octets);
        assert!(matches!(expected, Copied::Copy { .. }), "{name}: {expected:?}");
        let theirs = worker.copy(&original, &octets).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(theirs.0, expected, "{name}");
        assert!(theirs.1 == copied, "{name}: another copy");
    }
    let page = b"<html><p>a <b>b</b></p><script>x</script></html>";
    let as_text = Original { pages: Pages::Text { charset: None }, ..original("text/html", page) };
    let (expected, copied) = worker.copy(&as_text, page).unwrap();
    assert_eq!((expected, copied), copy(&as_text, page));
    for (octets, expected) in [
        (&b"plain text"[..], Copied::Needless),
        (b"%PDF-1.4 cut", copy(&original("", b"%PDF-1.4 cut"), b"%PDF-1.4 cut").0),
    ] {
        assert_eq!(worker.copy(&original("", octets), octets).unwrap(), (expected, Vec::new()));
    }
}

/// Debug builds fail on request.
#[cfg(debug_assertions)]
#[test]
fn a_worker_that_crashes_or_takes_all_memory_is_gone_and_nothing_else() {
    for way in ["abort", "memory"] {
        let mut worker = Worker::start();
        let octets = format!("<html><!-- postern-chaos:copy:{way} --><script>x</script></html>");
        let error = worker.copy(&original("text/html", octets.as_bytes()), octets.as_bytes()).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset));
        let status = worker.child.wait().unwrap();
        assert_eq!(status.signal(), Some(6), "{way}: {status}");
        assert!(matches!(worker.stream.read(&mut [0]), Ok(0) | Err(_)));
    }
}
