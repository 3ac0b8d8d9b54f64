//! One leg's connection and the octets on their way through it.
//!
//! What is written is gathered and leaves in one piece; what is read stands in a lent buffer only until it is looked
//! at. Nothing here knows what the octets mean.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::timeout;

use crate::gateway::buffer::Buffer;
use crate::transport::stream::{Stream, UpgradeError, nothing_waits};

/// One leg's connection.
#[derive(Debug, Default)]
pub(crate) struct LegIo {
    stream: Option<Stream>,
    input: Option<Buffer>,
    output: Vec<u8>,
    /// The peer sent its last octet, or the connection broke.
    ended: bool,
    /// The connection broke: nothing that is sent arrives.
    broken: bool,
    received: u64,
    sent: u64,
}

/// Why octets did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteFailure {
    /// The peer did not take them in time.
    TimedOut,
    /// The connection broke.
    Broken,
    /// The peer spoke, and takes no more.
    Answered,
}

/// Octets of output that are kept allocated on an idle leg.
const KEPT_OUTPUT: usize = 1024;
/// Octets that may be gathered before they leave.
const MAX_GATHERED: usize = 32 << 10;
/// Octets that are read and thrown away behind the last reply, so that the peer gets to read it.
const LINGER_OCTETS: u64 = 1 << 20;
/// How long such octets are waited for.
const LINGER: Duration = Duration::from_secs(2);

/// How long a peer is left to close first, and how long its last words are waited for.
const FIRST: Duration = Duration::from_millis(200);

impl LegIo {
    /// With a connection that was just made.
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream: Some(stream), ..Self::default() }
    }

    /// Without one yet.
    pub(crate) fn unconnected() -> Self {
        Self::default()
    }

    /// Takes a connection that was just made; what was gathered for an earlier one is not for it.
    pub(crate) fn connect(&mut self, stream: Stream) {
        self.stream = Some(stream);
        self.output.clear();
        self.ended = false;
        self.broken = false;
    }

    /// Whether there is a connection.
    pub(crate) const fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Octets received and sent so far.
    pub(crate) const fn octets(&self) -> [u64; 2] {
        [self.received, self.sent]
    }

    /// Octets that wait to be looked at.
    pub(crate) fn input(&self) -> &[u8] {
        self.input.as_ref().map_or(&[], Buffer::octets)
    }

    /// Takes octets from the front of the input.
    pub(crate) fn consume(&mut self, octets: usize) {
        if let Some(buffer) = &mut self.input {
            buffer.consume(octets);
            if buffer.octets().is_empty() {
                self.input = None;
            }
        }
    }

    /// Lends the input out, so that it can be looked at while the leg is used.
    pub(crate) fn take_input(&mut self) -> Option<Buffer> {
        self.input.take()
    }

    /// Puts back what [`take_input`](Self::take_input) lent.
    pub(crate) fn put_input(&mut self, buffer: Buffer) {
        if !buffer.octets().is_empty() {
            self.input = Some(buffer);
        }
    }

    /// Whether everything that the peer sent was looked at, and there is no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended && self.input.is_none()
    }

    /// Whether it ended because the connection broke.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Reads what there is, if nothing waits to be looked at.
    pub(crate) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.ended && self.input.is_none()) else {
            return Poll::Pending;
        };
        let mut buffer = Buffer::lend();
        let mut read = ReadBuf::new(buffer.room());
        let outcome = ready!(Pin::new(stream).poll_read(cx, &mut read));
        let octets = read.filled().len();
        if outcome.is_err() || octets == 0 {
            self.ended = true;
            self.broken = outcome.is_err();
        } else {
            buffer.fill(octets);
            self.received += octets as u64;
            self.input = Some(buffer);
        }
        Poll::Ready(())
    }

    /// Adds octets to what is to be written.
    pub(crate) fn gather(&mut self, octets: Vec<u8>) {
        if self.stream.is_none() {
            return;
        }
        if self.output.is_empty() {
            self.output = octets;
        } else {
            self.output.extend_from_slice(&octets);
        }
    }

    /// Whether enough was gathered that it should leave now.
    pub(crate) const fn is_full(&self) -> bool {
        self.output.len() >= MAX_GATHERED
    }

    /// Whether anything waits to be written.
    pub(crate) const fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Forgets what was gathered.
    pub(crate) fn forget_output(&mut self) {
        self.output = Vec::new();
    }

    /// Writes what was gathered.
    pub(crate) async fn flush(&mut self, limit: Duration) -> Result<(), WriteFailure> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut output = std::mem::take(&mut self.output);
        let outcome = self.write(&output, limit).await;
        if output.capacity() <= KEPT_OUTPUT {
            output.clear();
            self.output = output;
        }
        outcome
    }

    /// Writes octets behind what was gathered.
    pub(crate) async fn write(&mut self, octets: &[u8], limit: Duration) -> Result<(), WriteFailure> {
        let mut written = 0;
        let Some(stream) = &mut self.stream else { return Err(WriteFailure::Broken) };
        // Almost always it all fits into the socket's buffer: no clock is asked then.
        let at_once = poll_fn(|cx| Poll::Ready(poll_write_all(stream, cx, octets, &mut written))).await;
        let outcome = match at_once {
            Poll::Ready(outcome) => outcome.map_err(|_| WriteFailure::Broken),
            Poll::Pending => {
                match timeout(limit, poll_fn(|cx| poll_write_all(stream, cx, octets, &mut written))).await {
                    Ok(outcome) => outcome.map_err(|_| WriteFailure::Broken),
                    Err(_) => Err(WriteFailure::TimedOut),
                }
            }
        };
        self.sent += written as u64;
        outcome
    }

    /// The same, for a peer that may answer before it has all: where it takes no more and has spoken, nothing more is
    /// written.
    pub(crate) async fn write_unless_answered(
        &mut self,
        octets: &[u8],
        limit: Duration,
    ) -> Result<(), WriteFailure> {
        let mut written = 0;
        let writing = poll_fn(|cx| {
            let Some(stream) = &mut self.stream else { return Poll::Ready(Err(WriteFailure::Broken)) };
            match poll_write_all(stream, cx, octets, &mut written) {
                Poll::Ready(outcome) => Poll::Ready(outcome.map_err(|_| WriteFailure::Broken)),
                Poll::Pending if self.poll_input(cx).is_ready() => Poll::Ready(Err(WriteFailure::Answered)),
                Poll::Pending => Poll::Pending,
            }
        });
        let outcome = timeout(limit, writing).await.unwrap_or(Err(WriteFailure::TimedOut));
        self.sent += written as u64;
        outcome
    }

    /// Reads what a peer said before it went, or before it took no more: it is there, or on its way.
    pub(crate) async fn last_input(&mut self) {
        if self.input.is_none() && !self.ended {
            let _ = timeout(FIRST, poll_fn(|cx| self.poll_input(cx))).await;
        }
    }

    /// Whether anything was received in plaintext that nobody has looked at: ahead of a handshake there must be
    /// nothing.
    pub(crate) fn nothing_waits(&self) -> Result<(), UpgradeError> {
        if self.input.is_some() {
            return Err(UpgradeError::Extra);
        }
        match &self.stream {
            Some(stream) if !stream.is_tls() => nothing_waits(stream.tcp()),
            Some(_) => Err(UpgradeError::InTls),
            None => Err(UpgradeError::Closed),
        }
    }

    /// Gives the connection away for the handshake.
    pub(crate) fn take_plain(&mut self) -> Result<tokio::net::TcpStream, UpgradeError> {
        self.stream.take().ok_or(UpgradeError::Closed)?.into_plain()
    }

    /// Ends the connection, once what was gathered is written.
    pub(crate) async fn close(&mut self, limit: Duration) {
        if let Some(mut stream) = self.last_words(limit).await
            && stream.is_tls()
        {
            end_stream(&mut stream).await;
        }
    }

    /// The same, for a peer that has been told to go. It gets a moment to close first: the kernel keeps the ends of a
    /// connection from being used again for a minute at the end that closed it, and the originator knows of its own
    /// only. It also gets time to read the last reply: a socket that is closed over unread octets resets the
    /// connection, and the reply is lost with it.
    pub(crate) async fn close_gently(&mut self, limit: Duration) {
        let ended = self.ended;
        let tls = self.stream.as_mut().filter(|stream| stream.is_tls() && !ended);
        if let Some(stream) = tls {
            self.sent += stream.end_with(&std::mem::take(&mut self.output)) as u64;
            let _ = timeout(limit, poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx))).await;
        }
        let Some(mut stream) = self.last_words(limit).await else { return };
        if ended {
            return;
        }
        if timeout(FIRST, drain(&mut stream)).await.is_err() {
            end_stream(&mut stream).await;
            let _ = timeout(LINGER, drain(&mut stream)).await;
        }
    }

    /// Writes what was gathered, and gives the connection away if it took it.
    async fn last_words(&mut self, limit: Duration) -> Option<Stream> {
        let flushed = self.flush(limit).await;
        self.input = None;
        self.stream.take().filter(|_| flushed.is_ok())
    }

    /// Ends the connection without a word.
    pub(crate) fn abandon(&mut self) {
        self.stream = None;
        self.input = None;
        self.forget_output();
        self.ended = true;
        self.broken = true;
    }
}

/// Says that nothing more will come.
async fn end_stream(stream: &mut Stream) {
    let _ = timeout(LINGER, poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx))).await;
}

fn poll_write_all(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    octets: &[u8],
    written: &mut usize,
) -> Poll<io::Result<()>> {
    loop {
        let rest = octets.get(*written..).unwrap_or_default();
        if rest.is_empty() {
            // TLS keeps records that the socket did not take.
            return Pin::new(stream).poll_flush(cx);
        }
        match ready!(Pin::new(&mut *stream).poll_write(cx, rest)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => *written += count,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Reads and throws away what the peer still sends.
async fn drain(stream: &mut Stream) {
    let mut left = LINGER_OCTETS;
    while left > 0 {
        let octets = poll_fn(|cx| {
            // Only for as long as it is read into: thousands may be ended at the same moment.
            let mut buffer = Buffer::lend();
            let mut read = ReadBuf::new(buffer.room());
            let outcome = ready!(Pin::new(&mut *stream).poll_read(cx, &mut read));
            Poll::Ready(outcome.map(|()| read.filled().len()))
        });
        match octets.await {
            Ok(0) | Err(_) => return,
            Ok(octets) => left = left.saturating_sub(octets as u64),
        }
    }
}
