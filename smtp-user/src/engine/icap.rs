//! Asks an ICAP service about a message (RFC 3507, RESPMOD).
//!
//! It reads while it writes, because a service answers as soon as it has enough. A connection is used again only after
//! an answer that was complete.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::engine::config::IcapService;
use crate::engine::known_version::KnownVersion;
use crate::engine::outcome::{EngineError, EngineOutcome};
use crate::model::message_octets::MessageOctets;
use crate::wire::icap::{
    CHUNK_END, ChunkReader, ChunkStep, IcapResponse, LAST_CHUNK, MAX_HEAD, Verdict, chunk_header, options,
    respmod,
};

/// An ICAP service.
#[derive(Debug)]
pub(super) struct Icap {
    service: IcapService,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<TcpStream>>,
    version: KnownVersion,
}

/// Connections kept for the next message.
const MAX_IDLE: usize = 16;
/// Octets of a message given at a time.
const CHUNK: usize = 64 << 10;
/// How long a version is waited for.
const VERSION_WAIT: Duration = Duration::from_secs(2);

/// How a question ended before there was an answer.
enum Failure {
    /// The service closed a connection that had been used before: it may have done so at any time.
    Stale(io::Error),
    Other(EngineError),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Other(error)
    }
}

impl Icap {
    pub(super) fn new(service: IcapService) -> Self {
        Self { service, idle: Mutex::default(), version: KnownVersion::default() }
    }

    /// Asks about a message, or a part of one.
    pub(super) async fn ask(
        &self,
        message: &dyn MessageOctets,
        is_part: bool,
    ) -> Result<EngineOutcome, EngineError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(stream) = idle {
            match self.ask_on(stream, true, message, is_part).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::Stale(_)) => {}
            }
        }
        match self.ask_on(self.connect().await?, false, message, is_part).await {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Stale(error)) => Err(cut(&error)),
        }
    }

    async fn connect(&self) -> Result<TcpStream, EngineError> {
        let stream = TcpStream::connect((self.service.host.as_str(), self.service.port)).await;
        let stream = stream.map_err(|error| EngineError::Unreachable { cause: error.to_string() })?;
        // Small writes are gathered here. A failure costs only speed.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn ask_on(
        &self,
        mut stream: TcpStream,
        used: bool,
        message: &dyn MessageOctets,
        is_part: bool,
    ) -> Result<EngineOutcome, Failure> {
        let question = respmod(&self.service.authority(), &self.service.path, message.len(), is_part);
        let (mut reader, mut writer) = stream.split();
        let mut answer = Answer::default();
        let (written, head) = {
            let mut write = std::pin::pin!(give(&mut writer, question, message));
            let mut read = std::pin::pin!(answer.read_head(&mut reader, used));
            tokio::select! {
                biased;
                written = &mut write => (Some(written), read.await),
                head = &mut read => (None, head),
            }
        };
        if let Some(Err(error @ EngineError::Unreadable { .. })) = written {
            // A reason of ours, and nothing that was said counts.
            return Err(error.into());
        }
        let head = head?;
        self.version.set(head.tag().or_else(|| self.version.last()));
        let complete = matches!(written, Some(Ok(())));
        match head.verdict() {
            Verdict::Found(name) => Ok(EngineOutcome::Infected(name)),
            Verdict::Failed(text) => Err(EngineError::Refused { text }.into()),
            // Content without having seen everything.
            Verdict::Clean | Verdict::Body if !complete => Err(EngineError::TooEarly.into()),
            Verdict::Clean => {
                if head.keeps_open() && head.body_at().is_none() && answer.octets.is_empty() {
                    self.put_back(stream);
                }
                Ok(EngineOutcome::Clean)
            }
            Verdict::Body => {
                let at = head.body_at();
                let same = answer.is_same(&mut reader, at, message).await?;
                if same { Ok(EngineOutcome::Clean) } else { Err(changed(&head).into()) }
            }
        }
    }

    fn put_back(&self, stream: TcpStream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(stream);
        }
    }

    /// The tag of the service's state, which stands for the version of its signatures.
    pub(super) async fn version(&self) -> Option<String> {
        if self.version.is_fresh() {
            return self.version.last();
        }
        let ask = async {
            let mut stream = self.connect().await.ok()?;
            let question = options(&self.service.authority(), &self.service.path);
            stream.write_all(&question).await.ok()?;
            let (mut reader, _) = stream.split();
            Answer::default().read_head(&mut reader, false).await.ok()?.tag()
        };
        // It must not hold up an answer that is there.
        let version = timeout(VERSION_WAIT, ask).await.ok().flatten();
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

/// An answer as it comes in.
#[derive(Default)]
struct Answer {
    /// What was read and not yet looked at.
    octets: Vec<u8>,
}

impl Answer {
    async fn read(&mut self, reader: &mut (impl AsyncReadExt + Unpin)) -> io::Result<usize> {
        self.octets.reserve(4096);
        reader.read_buf(&mut self.octets).await
    }

    async fn read_head(
        &mut self,
        reader: &mut (impl AsyncReadExt + Unpin),
        used: bool,
    ) -> Result<IcapResponse, Failure> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.octets, b"\r\n\r\n") {
                let head = IcapResponse::parse(self.octets.get(..end).unwrap_or_default());
                self.octets.drain(..end + 4);
                return head.map_err(|defect| unknown(&defect).into());
            }
            if self.octets.len() > MAX_HEAD {
                return Err(EngineError::Unknown { text: "a head without an end".to_owned() }.into());
            }
            let read = self.read(reader).await;
            let ended = match read {
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => continue,
                Err(error) => error,
            };
            let is_stale = used && self.octets.is_empty();
            return Err(if is_stale { Failure::Stale(ended) } else { cut(&ended).into() });
        }
    }

    /// Whether the body that follows is the message, octet for octet.
    async fn is_same(
        &mut self,
        reader: &mut (impl AsyncReadExt + Unpin),
        at: Option<u64>,
        message: &dyn MessageOctets,
    ) -> Result<bool, EngineError> {
        let Some(at) = at.filter(|at| *at <= MAX_HEAD as u64) else { return Ok(false) };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        while self.octets.len() < at {
            self.more(reader).await?;
        }
        self.octets.drain(..at);
        let (mut chunks, mut compared, mut same) = (ChunkReader::default(), 0_u64, true);
        let mut room = Vec::new();
        loop {
            let step = chunks.feed(&self.octets, |data| {
                room.resize(data.len(), 0);
                same &= read_exact(message, compared, &mut room) && room == data;
                compared += data.len() as u64;
            });
            match step.map_err(|defect| unknown(&defect))? {
                ChunkStep::End(_) => return Ok(same && compared == message.len()),
                ChunkStep::More => {}
            }
            self.octets.clear();
            self.more(reader).await?;
        }
    }

    async fn more(&mut self, reader: &mut (impl AsyncReadExt + Unpin)) -> Result<(), EngineError> {
        match self.read(reader).await {
            Ok(0) => Err(cut(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(cut(&error)),
        }
    }
}

fn read_exact(message: &dyn MessageOctets, offset: u64, room: &mut [u8]) -> bool {
    message.fill_at(offset, room).is_ok_and(|filled| filled == room.len())
}

/// It gave back something else and did not say what it found: an error page is that as well as a notice of a finding,
/// and nothing is refused for good for the first.
fn changed(head: &IcapResponse) -> EngineError {
    let text = format!("{} {}, with another body and no threat named", head.status, head.reason);
    EngineError::Unknown { text }
}

fn unknown(defect: &impl ToString) -> EngineError {
    EngineError::Unknown { text: defect.to_string() }
}

fn cut(error: &io::Error) -> EngineError {
    EngineError::Cut { cause: error.to_string() }
}

/// Gives the question and the message in chunks.
async fn give(
    writer: &mut (impl AsyncWriteExt + Unpin),
    question: Vec<u8>,
    message: &dyn MessageOctets,
) -> Result<(), EngineError> {
    let failed = |error: io::Error| cut(&error);
    let (mut offset, length) = (0_u64, message.len());
    let mut room = vec![0; usize::try_from(length).unwrap_or(CHUNK).min(CHUNK)];
    let mut out = question;
    while offset < length {
        let count = match message.read_at(offset, &mut room) {
            Ok(0) => Err(EngineError::Unreadable { cause: "it is shorter than it was".to_owned() }),
            Ok(count) => Ok(count),
            Err(error) => Err(EngineError::Unreadable { cause: error.to_string() }),
        }?;
        out.extend_from_slice(&chunk_header(count));
        out.extend_from_slice(room.get(..count).unwrap_or_default());
        out.extend_from_slice(CHUNK_END);
        writer.write_all(&out).await.map_err(failed)?;
        out.clear();
        offset += count as u64;
    }
    out.extend_from_slice(LAST_CHUNK);
    writer.write_all(&out).await.map_err(failed)?;
    writer.flush().await.map_err(failed)
}

#[cfg(test)]
mod tests;
