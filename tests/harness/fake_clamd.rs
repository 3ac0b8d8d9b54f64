//! A scripted clamd on a local socket: INSTREAM, FILDES, sessions, PING and VERSION.

use std::io::{self, ErrorKind, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tempfile::TempDir;

use crate::accepting::Accepting;
use crate::mail;

/// What it answers to something to be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What is true: `OK`, or `Eicar-Test-Signature FOUND` when the octets have EICAR in them.
    Honest,
    /// This line.
    Line(&'static str),
    /// Nothing; the connection is closed.
    Close,
    /// Half a line; the connection is closed.
    Cut,
    /// Nothing, and the connection stays.
    Hang,
}

/// The daemon; it ends on drop.
#[derive(Debug)]
pub struct FakeClamd {
    folder: TempDir,
    shared: Arc<Shared>,
    _accepting: Accepting,
}

#[derive(Debug)]
struct Shared {
    stop: Arc<AtomicBool>,
    scans: AtomicUsize,
    answer: Mutex<Answer>,
}

impl FakeClamd {
    /// Listens on a socket in a folder of its own.
    ///
    /// # Panics
    ///
    /// When there can be no such socket.
    pub fn start(answer: Answer) -> Self {
        let folder = tempfile::Builder::new().prefix("postern-clamd-").tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("clamd.sock")).expect("a socket");
        listener.set_nonblocking(true).expect("the listener can be made not to block");
        let shared =
            Arc::new(Shared { stop: Arc::default(), scans: AtomicUsize::new(0), answer: Mutex::new(answer) });
        let serving = Arc::clone(&shared);
        let accepting = Accepting::start(
            Arc::clone(&shared.stop),
            move || listener.accept().map(|(stream, _)| stream),
            move |stream| {
                // The client tells what it misses.
                let _ = serving.serve(&stream);
            },
        );
        Self { folder, shared, _accepting: accepting }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.sock")
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
}

impl Shared {
    fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
        let mut wire = Wire { stream, buffer: Vec::new(), file: None, stop: &self.stop };
        let (mut session, mut number) = (false, 0);
        loop {
            let (command, end) = wire.command()?;
            number += 1;
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
            let line = match (&octets, command.as_str()) {
                (None, "PING") => "PONG".to_owned(),
                (None, "VERSION") => "ClamAV 1.4.6/27000/Sun Nov 22 00:00:00 2026".to_owned(),
                (None, _) => "UNKNOWN COMMAND".to_owned(),
                (Some(octets), _) => {
                    self.scans.fetch_add(1, Ordering::Relaxed);
                    match self.answer.lock().map_err(|_| io::Error::other("poisoned"))?.clone() {
                        Answer::Honest if mail::find(octets, &mail::eicar()).is_some() => {
                            "stream: Eicar-Test-Signature FOUND".to_owned()
                        }
                        Answer::Honest => "stream: OK".to_owned(),
                        Answer::Line(line) => line.to_owned(),
                        Answer::Close => return Ok(()),
                        Answer::Cut => {
                            (&*stream).write_all(b"stream: O")?;
                            return Ok(());
                        }
                        Answer::Hang => loop {
                            wire.fill()?;
                        },
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
}

struct Wire<'a> {
    stream: &'a UnixStream,
    buffer: Vec<u8>,
    file: Option<OwnedFd>,
    stop: &'a AtomicBool,
}

impl Wire<'_> {
    /// A command in any of its three forms, and the octet that ends the reply.
    fn command(&mut self) -> io::Result<(String, u8)> {
        loop {
            let end = match self.buffer.first() {
                Some(b'z') => Some(0),
                Some(_) => Some(b'\n'),
                None => None,
            };
            if let Some(end) = end
                && let Some(at) = self.buffer.iter().position(|&octet| octet == end)
            {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                let text = String::from_utf8_lossy(&line[..at]).into_owned();
                return Ok((text.trim_start_matches(['z', 'n']).trim_end().to_owned(), end));
            }
            self.fill()?;
        }
    }

    /// The chunks of INSTREAM, put together.
    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let length = self.take(4)?;
            let length = length.iter().fold(0, |value, &octet| (value << 8) | usize::from(octet));
            if length == 0 {
                return Ok(all);
            }
            all.extend(self.take(length)?);
        }
    }

    /// The file that was passed.
    fn file(&mut self) -> io::Result<Vec<u8>> {
        while self.file.is_none() {
            self.fill()?;
        }
        self.buffer.clear();
        let mut file = std::fs::File::from(self.file.take().ok_or(ErrorKind::NotFound)?);
        file.seek(SeekFrom::Start(0))?;
        let mut octets = Vec::new();
        file.read_to_end(&mut octets)?;
        Ok(octets)
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut octets = [0; 16_384];
        loop {
            let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
            let mut slices = [IoSliceMut::new(&mut octets)];
            let got = recvmsg::<()>(
                self.stream.as_raw_fd(),
                &mut slices,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            match got {
                Ok(message) => {
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(files) = control {
                            for file in files {
                                // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
                                self.file = Some(unsafe { OwnedFd::from_raw_fd(file) });
                            }
                        }
                    }
                    let length = message.bytes;
                    if length == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    self.buffer.extend_from_slice(&octets[..length]);
                    return Ok(());
                }
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {
                    if self.stop.load(Ordering::Relaxed) {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
