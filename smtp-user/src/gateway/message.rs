//! One message between the two legs: it is received, held and inspected at once, judged, and sent or forgotten.

use std::time::Duration;

use crate::gateway::leg_io::{LegIo, WriteFailure};
use crate::inspect::inspection::Inspection;
use crate::inspect::inspector::Inspector;
use crate::inspect::judgement::Judgement;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::session_id::MessageId;
use crate::session::relay::Framing;
use crate::transport::held_message::{HeldMessage, HeldReader, HoldError, HoldLimits};
use crate::wire::smtp::bdat::ChunkReceiver;
use crate::wire::smtp::data::{DataDefect, DataReceiver, DataStep, DotStuffer, LineEnds};

/// One message.
pub(crate) struct Message {
    number: u32,
    held: HeldMessage,
    inspection: Option<Inspection>,
    data: DataReceiver,
    chunks: ChunkReceiver,
    /// Octets of the message between the receiver and where it is held.
    scratch: Vec<u8>,
    /// It has a defect: what still comes is thrown away.
    is_defective: bool,
}

impl Message {
    /// Before its first octet.
    pub(crate) fn begin(
        number: u32,
        hold: &HoldLimits,
        line_ends: LineEnds,
        max_octets: u64,
        inspector: &Inspector,
    ) -> Self {
        Self {
            number,
            held: HeldMessage::new(hold.clone()),
            inspection: Some(inspector.begin()),
            data: DataReceiver::new(max_octets, line_ends),
            chunks: ChunkReceiver::new(max_octets, line_ends),
            scratch: Vec::new(),
            is_defective: false,
        }
    }

    /// Says its name, for what is told later of its parts.
    pub(crate) fn call(&mut self, name: MessageId) {
        if let Some(inspection) = &mut self.inspection {
            inspection.call(name);
        }
    }

    /// Its number in the session.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Octets of it as received.
    pub(crate) fn octets(&self) -> u64 {
        self.held.len()
    }

    /// Takes mail data behind DATA.
    pub(crate) async fn take_data(&mut self, input: &[u8]) -> DataStep {
        self.scratch.clear();
        let mut step = self.data.feed(input, &mut self.scratch);
        self.is_defective |= step.defect.is_some();
        if let Some(defect) = self.hold().await {
            step.defect = step.defect.or(Some(defect));
        }
        step
    }

    /// Takes octets of a chunk.
    pub(crate) async fn take_chunk(&mut self, input: &[u8]) -> Option<DataDefect> {
        self.scratch.clear();
        let defect = self.chunks.feed(input, &mut self.scratch).filter(|_| !self.is_defective);
        self.is_defective |= defect.is_some();
        defect.or(self.hold().await)
    }

    /// Puts what was received away; gives the defect if that is not possible.
    async fn hold(&mut self) -> Option<DataDefect> {
        if self.is_defective || self.scratch.is_empty() {
            return None;
        }
        if let Some(inspection) = &mut self.inspection {
            inspection.push(&self.scratch);
        }
        let defect = match self.held.append(&self.scratch).await {
            Ok(()) => return None,
            Err(HoldError::TooLarge { .. }) => DataDefect::TooLarge,
            Err(error) => {
                tracing::error!(%error, "a message cannot be held");
                DataDefect::NoRoom
            }
        };
        self.is_defective = true;
        Some(defect)
    }

    /// Ends a message that came in chunks; gives the defect that only its end shows.
    pub(crate) async fn finish_chunks(&mut self) -> Option<DataDefect> {
        self.scratch.clear();
        let defect = self.chunks.finish(&mut self.scratch).filter(|_| !self.is_defective);
        self.is_defective |= defect.is_some();
        defect.or(self.hold().await)
    }

    /// Judges it. Whatever goes wrong is a judgement too: nothing passes that was not looked at.
    pub(crate) async fn judge(&mut self, limit: Duration) -> Judgement {
        match self.judge_within(limit).await {
            Some(judgement) => judgement,
            None => self.not_judged("time_out_judgement"),
        }
    }

    /// Judges it; `None` if that takes longer than there is time for. It cannot be judged here again then.
    pub(crate) async fn judge_within(&mut self, limit: Duration) -> Option<Judgement> {
        self.scratch = Vec::new();
        let Some(inspection) = self.inspection.take() else {
            return Some(self.not_judged("judged_twice"));
        };
        if self.is_defective {
            return Some(self.not_judged("defective"));
        }
        if let Err(error) = self.held.finish().await {
            return Some(self.not_judged(error.name()));
        }
        tokio::time::timeout(limit, Box::pin(inspection.judge(&self.held))).await.ok()
    }

    /// Reads it from its start.
    pub(crate) fn reader(&self) -> HeldReader<'_> {
        self.held.reader()
    }

    /// How it is held.
    pub(crate) const fn held(&self) -> &HeldMessage {
        &self.held
    }

    /// The way it is held.
    pub(crate) fn into_held(self) -> HeldMessage {
        self.held
    }

    /// Puts another form of it in its place.
    pub(crate) fn replace(&mut self, held: HeldMessage) {
        self.held = held;
    }

    fn not_judged(&self, why: &str) -> Judgement {
        let decision = Decision {
            verdict: MessageVerdict::EngineError,
            action: MessageAction::Defer,
            why: why.to_owned(),
        };
        Judgement::unlooked(decision, self.held.len())
    }

    /// Sends it behind its trace fields. A small one leaves in one piece.
    pub(crate) async fn send(
        &self,
        trace: &str,
        framing: Framing,
        leg: &mut LegIo,
        limit: Duration,
    ) -> Result<(), SendError> {
        leg.flush(limit).await?;
        let mut out = Vec::new();
        let mut reader = self.held.reader();
        let mut stuffer = DotStuffer::new();
        match framing {
            Framing::Data => stuffer.stuff(trace.as_bytes(), &mut out),
            Framing::Chunk => {
                let octets = self.held.len() + trace.len() as u64;
                out.extend_from_slice(format!("BDAT {octets} LAST\r\n{trace}").as_bytes());
            }
        }
        while let Some(octets) = reader.next_chunk().await? {
            match framing {
                Framing::Data => stuffer.stuff(octets, &mut out),
                Framing::Chunk => out.extend_from_slice(octets),
            }
            if out.len() >= GATHERED {
                leg.write_unless_answered(&out, limit).await?;
                out.clear();
            }
        }
        if framing == Framing::Data {
            stuffer.finish(&mut out);
        }
        if !out.is_empty() {
            leg.write_unless_answered(&out, limit).await?;
        }
        Ok(())
    }
}

/// Why a message did not leave whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The next hop did not take it.
    #[error("the next hop did not take the message")]
    Write(WriteFailure),
    /// It cannot be read back.
    #[error(transparent)]
    Hold(#[from] HoldError),
}

impl From<WriteFailure> for SendError {
    fn from(failure: WriteFailure) -> Self {
        Self::Write(failure)
    }
}

/// Octets that are gathered before they leave.
const GATHERED: usize = 64 << 10;
