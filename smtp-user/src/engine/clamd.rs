//! Asks a clamd about a message: one connection, one question, one answer.
//!
//! It reads while it writes, because clamd answers and closes as soon as it has enough.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::pin;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::engine::config::Address;
use crate::engine::known_version::KnownVersion;
use crate::engine::outcome::{EngineError, EngineOutcome};
use crate::model::message_octets::MessageOctets;
use crate::wire::clamd::{self, ClamdReply};

/// A clamd.
#[derive(Debug)]
pub(super) struct Clamd {
    address: Address,
    pass_files: bool,
    version: KnownVersion,
}

/// Octets of a message given at a time.
const CHUNK: usize = 64 << 10;
/// How long a version is waited for.
const VERSION_WAIT: Duration = Duration::from_secs(2);

impl Clamd {
    pub(super) fn new(address: Address, pass_files: bool) -> Self {
        Self { address, pass_files, version: KnownVersion::default() }
    }

    /// Asks about a message.
    pub(super) async fn ask(&self, message: &dyn MessageOctets) -> Result<EngineOutcome, EngineError> {
        self.reply(message).await.map(outcome)
    }

    async fn reply(&self, message: &dyn MessageOctets) -> Result<ClamdReply, EngineError> {
        match &self.address {
            Address::Unix(path) => {
                if self.pass_files
                    && let Some(file) = message.as_file().and_then(read_only)
                {
                    let reply = ask_about_file(path, file.as_fd()).await?;
                    // It may be forbidden to read files that it was given; a stream is always allowed.
                    if !matches!(reply, ClamdReply::Error(_) | ClamdReply::Unknown(_)) {
                        return Ok(reply);
                    }
                }
                let mut stream = UnixStream::connect(path).await.map_err(unreachable)?;
                let (reader, writer) = stream.split();
                ask_about_stream(reader, writer, message).await
            }
            Address::Tcp(address) => {
                let mut stream = TcpStream::connect(address).await.map_err(unreachable)?;
                let (reader, writer) = stream.split();
                ask_about_stream(reader, writer, message).await
            }
        }
    }

    /// Version of engine and signatures, which is for the record only: not to know it is no error.
    pub(super) async fn version(&self) -> Option<String> {
        if self.version.is_fresh() {
            return self.version.last();
        }
        let ask = async {
            match &self.address {
                Address::Unix(path) => ask_for_version(UnixStream::connect(path).await.ok()?).await,
                Address::Tcp(address) => ask_for_version(TcpStream::connect(address).await.ok()?).await,
            }
        };
        // It must not hold up an answer that is there.
        let reply = timeout(VERSION_WAIT, ask).await.ok().flatten();
        let version = reply.map(|reply| clamd::excerpt(&reply));
        self.version.settle(version)
    }

    /// It said none: so it stands until it is asked again.
    pub(super) fn no_version(&self) -> Option<String> {
        self.version.settle(None)
    }

    pub(super) fn known_version(&self) -> Option<String> {
        self.version.last()
    }
}

fn outcome(reply: ClamdReply) -> EngineOutcome {
    match reply {
        ClamdReply::Clean => EngineOutcome::Clean,
        ClamdReply::Found(name) => EngineOutcome::Infected(name),
        ClamdReply::LimitExceeded(text) => EngineOutcome::LimitExceeded(text),
        ClamdReply::Encrypted(text) => EngineOutcome::Encrypted(text),
        ClamdReply::Error(text) => EngineOutcome::Error(EngineError::Refused { text }),
        ClamdReply::Unknown(text) => EngineOutcome::Error(EngineError::Unknown { text }),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unreachable(error: io::Error) -> EngineError {
    EngineError::Unreachable { cause: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn cut(error: io::Error) -> EngineError {
    EngineError::Cut { cause: error.to_string() }
}

/// The same file, opened for nothing but reading, at its start: an engine must not be able to change a message.
fn read_only(file: BorrowedFd<'_>) -> Option<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

async fn ask_about_file(path: &std::path::Path, file: BorrowedFd<'_>) -> Result<ClamdReply, EngineError> {
    let mut stream = UnixStream::connect(path).await.map_err(unreachable)?;
    stream.write_all(clamd::FILDES).await.map_err(cut)?;
    let send = || {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = [file];
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        // A descriptor travels with at least one octet.
        let octet = [io::IoSlice::new(&[0])];
        sendmsg(&stream, &octet, &mut ancillary, SendFlags::NOSIGNAL).map_err(io::Error::from)
    };
    stream.async_io(Interest::WRITABLE, send).await.map_err(cut)?;
    Ok(ClamdReply::parse(&read_reply(&mut stream).await?))
}

async fn ask_about_stream(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    message: &dyn MessageOctets,
) -> Result<ClamdReply, EngineError> {
    let mut write = pin!(give(&mut writer, message));
    let mut read = pin!(read_reply(&mut reader));
    let (written, reply) = tokio::select! {
        biased;
        written = &mut write => (Some(written), read.await),
        reply = &mut read => (None, reply),
    };
    match (written, reply.map(|reply| ClamdReply::parse(&reply))) {
        // No answer; or the message could not be given whole, for a reason of ours, and nothing that was said counts.
        (Some(Err(error @ EngineError::Unreadable { .. })), _) | (_, Err(error)) => Err(error),
        // Content without having seen everything.
        (None | Some(Err(_)), Ok(ClamdReply::Clean)) => Err(EngineError::TooEarly),
        // It closes early when it has enough, and then writing fails; its answer says why.
        (_, Ok(reply)) => Ok(reply),
    }
}

/// Gives the message in chunks.
async fn give(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &dyn MessageOctets,
) -> Result<(), EngineError> {
    writer.write_all(clamd::INSTREAM).await.map_err(cut)?;
    let (mut offset, length) = (0_u64, message.len());
    let room = usize::try_from(length).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = vec![0; 4 + room];
    while offset < length {
        let (header, octets) = chunk.split_at_mut_checked(4).unwrap_or_default();
        let count = match message.read_at(offset, octets) {
            Ok(0) => Err(EngineError::Unreadable { cause: "it is shorter than it was".to_owned() }),
            Ok(count) => Ok(count),
            Err(error) => Err(EngineError::Unreadable { cause: error.to_string() }),
        }?;
        header.copy_from_slice(&clamd::chunk_header(count as u32));
        writer.write_all(chunk.get(..4 + count).unwrap_or_default()).await.map_err(cut)?;
        offset += count as u64;
    }
    writer.write_all(&clamd::LAST_CHUNK).await.map_err(cut)?;
    writer.flush().await.map_err(cut)
}

/// Reads up to the NUL that ends a reply, and nothing may follow.
async fn read_reply(reader: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, EngineError> {
    let mut reply = Vec::new();
    let mut room = [0; 512];
    loop {
        let count = reader.read(&mut room).await.map_err(cut)?;
        reply.extend_from_slice(room.get(..count).unwrap_or_default());
        if let Some(end) = memchr::memchr(0, &reply) {
            if end + 1 < reply.len() {
                return Err(EngineError::Unknown { text: clamd::excerpt(&reply) });
            }
            reply.truncate(end);
            return Ok(reply);
        }
        if count == 0 {
            return Err(EngineError::Cut { cause: "the connection ended".to_owned() });
        }
        if reply.len() > clamd::MAX_REPLY {
            return Err(EngineError::Unknown { text: clamd::excerpt(&reply) });
        }
    }
}

async fn ask_for_version(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<Vec<u8>> {
    stream.write_all(clamd::VERSION).await.ok()?;
    read_reply(&mut stream).await.ok()
}

#[cfg(test)]
mod tests;
