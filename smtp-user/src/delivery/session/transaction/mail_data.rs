//! The mail data, by DATA (RFC 5321 §3.3) or as one chunk (RFC 3030): sent behind the envelope or with it.

use super::Ahead;
use crate::delivery::failure::Failure;
use crate::delivery::letter::Letter;
use crate::delivery::session::Connection;
use crate::model::queued_recipient::RemoteStage;
use crate::wire::smtp::data::DotStuffer;
use crate::wire::smtp::reply::Reply;

/// Octets of a message that are written at a time.
const BLOCK: usize = 32 << 10;
const DATA: &str = "DATA\r\n";

impl Connection {
    /// Adds to a group of commands what is sent behind them.
    pub(super) fn add(&mut self, ahead: Ahead, letter: &Letter, octets: &mut Vec<u8>) -> Result<(), Failure> {
        match ahead {
            Ahead::Nothing => {}
            Ahead::Data => {
                self.note_command(DATA);
                octets.extend_from_slice(DATA.as_bytes());
            }
            Ahead::Chunk => {
                octets.extend_from_slice(&self.chunk(letter));
                let length = usize::try_from(letter.octets.len()).unwrap_or(0);
                let begin = octets.len();
                octets.resize(begin + length, 0);
                let room = octets.get_mut(begin..).unwrap_or_default();
                match letter.octets.fill_at(0, room) {
                    Ok(filled) if filled == length => {}
                    Ok(_) | Err(_) => return Err(self.unreadable()),
                }
            }
        }
        Ok(())
    }

    /// Ends what was sent ahead for nobody. What is said of it is heard, and tells nothing about any recipient.
    pub(super) async fn take_back(&mut self, ahead: Ahead) {
        let reply = match ahead {
            Ahead::Nothing => return,
            Ahead::Chunk => self.reply(RemoteStage::Final).await,
            Ahead::Data => match self.reply(RemoteStage::Data).await {
                // Who takes nobody's message gets none (RFC 2920 §3.1).
                Ok(reply) if reply.code().is_intermediate() => self.ask(".\r\n", RemoteStage::Final).await,
                said => said,
            },
        };
        let is_refused = reply.is_ok_and(|reply| reply.code().is_negative());
        // One that says it took something for nobody is not understood.
        self.is_broken |= !is_refused;
    }

    pub(super) async fn send_data(&mut self, letter: &Letter, ahead: Ahead) -> Result<Reply, Failure> {
        let reply = match ahead {
            Ahead::Data => self.reply(RemoteStage::Data).await?,
            _ => self.ask(DATA, RemoteStage::Data).await?,
        };
        if !reply.code().is_intermediate() {
            // 2yz makes no sense here, and leaves nobody knowing what the next hop waits for.
            self.is_broken |= reply.code().is_completion();
            let failure = Failure::replied(RemoteStage::Data, &reply);
            return Err(if reply.code().is_negative() { failure } else { failure.but_transient() });
        }
        let mut stuffer = DotStuffer::new();
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        stuffer.stuff(letter.trace.as_bytes(), &mut block);
        let mut at = 0;
        loop {
            let octets = self.read_block(letter, at)?;
            at += octets.len() as u64;
            if octets.is_empty() {
                break;
            }
            stuffer.stuff(&octets, &mut block);
            self.write_block(&block).await?;
            block.clear();
        }
        stuffer.finish(&mut block);
        self.note("C: (message) .");
        self.write_block(&block).await?;
        self.reply(RemoteStage::Final).await
    }

    /// The BDAT command for the whole message, and what stands before that.
    fn chunk(&mut self, letter: &Letter) -> Vec<u8> {
        let command = format!("BDAT {} LAST\r\n", letter.len());
        self.note_command(&command);
        let mut octets = command.into_bytes();
        octets.extend_from_slice(letter.trace.as_bytes());
        octets
    }

    pub(super) async fn send_chunk(&mut self, letter: &Letter) -> Result<Reply, Failure> {
        let mut block = self.chunk(letter);
        let mut at = 0;
        loop {
            let octets = self.read_block(letter, at)?;
            at += octets.len() as u64;
            block.extend_from_slice(&octets);
            self.write_block(&block).await?;
            block.clear();
            if octets.is_empty() {
                break;
            }
        }
        self.reply(RemoteStage::Final).await
    }

    /// Octets of the message. A message that ends early or cannot be read must not be ended as if it were whole.
    fn read_block(&mut self, letter: &Letter, at: u64) -> Result<Vec<u8>, Failure> {
        let left = letter.octets.len().saturating_sub(at);
        let mut room = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        if !room.is_empty() {
            match letter.octets.read_at(at, &mut room) {
                Ok(count) if count > 0 => room.truncate(count),
                Ok(_) | Err(_) => return Err(self.unreadable()),
            }
        }
        Ok(room)
    }

    /// The connection is of no use any more: the next hop may wait for the rest.
    fn unreadable(&mut self) -> Failure {
        self.is_broken = true;
        Failure::transient(RemoteStage::Data, "4.3.0", "the message cannot be read from the spool")
    }

    /// Writes a piece of the message. A next hop that hangs up may have said why.
    async fn write_block(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let Err(failure) = self.write(octets, RemoteStage::Data).await else { return Ok(()) };
        match self.reply(RemoteStage::Data).await {
            Ok(reply) if reply.code().is_negative() => Err(Failure::replied(RemoteStage::Data, &reply)),
            Err(said) if said.reply.code != 0 => Err(said),
            _ => Err(failure),
        }
    }
}
