//! Reads what is said to a clamd.

use std::io::{self, ErrorKind, IoSliceMut, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use socket2::Socket;

/// A connection of a client.
pub(super) struct Wire<'a> {
    stream: &'a Socket,
    buffer: Vec<u8>,
    file: Option<OwnedFd>,
    stop: &'a AtomicBool,
}

impl<'a> Wire<'a> {
    pub(super) fn new(stream: &'a Socket, stop: &'a AtomicBool) -> Self {
        Self { stream, buffer: Vec::new(), file: None, stop }
    }

    /// A command in any of its three forms, and the octet that ends the reply.
    pub(super) fn command(&mut self) -> io::Result<(String, u8)> {
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
    pub(super) fn chunks(&mut self) -> io::Result<Vec<u8>> {
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
    pub(super) fn file(&mut self) -> io::Result<Vec<u8>> {
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

    pub(super) fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    pub(super) fn fill(&mut self) -> io::Result<()> {
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
                    // Whoever is gone reads nothing.
                    if length == 0 || self.stop.load(Ordering::Relaxed) {
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
