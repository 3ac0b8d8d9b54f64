//! BDAT (RFC 3030): chunks are held like mail data, and go on together when they were judged.
//!
//! The octets behind a BDAT command are taken as its chunk whatever else is wrong, so that they are never commands.

use crate::model::disposition::Disposition;
use crate::session::relay::Relay;
use crate::session::replies::{self, Refusal};
use crate::session::server::Server;
use crate::session::{client::Client, effect::Effect};
use crate::wire::smtp::bdat::Chunk;
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::extension::Extension;

/// A chunk on its way in.
#[derive(Debug)]
pub(in crate::session) struct IncomingChunk {
    /// Its octets.
    pub(in crate::session) octets: u64,
    /// It is the message's last.
    pub(in crate::session) last: bool,
    /// Why it is thrown away.
    pub(in crate::session) problem: Option<Refusal>,
    /// What is wrong with the message.
    pub(in crate::session) defect: Option<DataDefect>,
}

impl Relay {
    /// The originator sends a chunk. All earlier replies are in.
    pub(super) fn bdat(&mut self, chunk: Chunk) {
        let problem = self.chunk_problem(chunk);
        if problem.is_some() {
            // RFC 3030 §2 leaves open what state a refused chunk leaves; here it leaves none.
            self.abandon();
        } else if self.message.is_none() {
            self.chunk_octets = 0;
            self.begin_message();
        }
        if let (Some(refusal), true) = (problem, chunk.octets > self.config.limits.max_message_octets) {
            // Too much to be read for nothing.
            return self.violation(refusal, "chunk_too_large");
        }
        self.server =
            Server::Chunk(IncomingChunk { octets: chunk.octets, last: chunk.last, problem, defect: None });
        if chunk.octets == 0 {
            self.chunk_end();
        }
    }

    /// What speaks against a chunk.
    fn chunk_problem(&self, chunk: Chunk) -> Option<Refusal> {
        let Some(hello) = &self.hello else { return Some(Refusal::HelloFirst) };
        if !hello.offered.has(Extension::Chunking) {
            return Some(Refusal::NotImplemented);
        }
        let Some(transaction) = &self.transaction else { return Some(Refusal::MailFirst) };
        if transaction.too_many {
            return Some(Refusal::TooManyForAll);
        }
        if !transaction.has_recipients() {
            return Some(Refusal::NoRecipients);
        }
        let before = if self.message.is_some() { self.chunk_octets } else { 0 };
        let too_large = before.saturating_add(chunk.octets) > self.config.limits.max_message_octets;
        too_large.then_some(Refusal::TooLarge)
    }

    /// The chunk's octets are in.
    pub(in crate::session) fn chunk_end(&mut self) {
        let Server::Chunk(chunk) = &self.server else { return };
        let (octets, last, problem, defect) = (chunk.octets, chunk.last, chunk.problem, chunk.defect);
        self.server = Server::Commands;
        if !matches!(self.client, Client::Ready) {
            // It went while the chunk came in.
            return self.end_with(Refusal::NextHopLost, Disposition::Failed("next_hop_lost".to_owned()));
        }
        if let Some(refusal) = problem {
            return self.refuse(refusal);
        }
        self.chunk_octets = self.chunk_octets.saturating_add(octets);
        if last || defect.is_some() {
            self.message_complete(defect, true);
        } else {
            self.out.push(Effect::Reply(replies::chunk_taken(octets).to_octets()));
        }
    }
}
