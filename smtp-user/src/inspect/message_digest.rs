//! The digest of a message as a whole. It finds nothing again that has a trace field more, and would cost a seventh of what a
//! large message costs; so it is made where octets are kept, changed or turned away, and parts have theirs in any case.

use sha2::{Digest as _, Sha256};

use crate::model::message_octets::MessageOctets;
use crate::wire::hexadecimal::hexadecimal;

/// Octets read at a time; others have their turn behind each.
const BLOCK: usize = 256 << 10;

/// SHA-256 of a message that is held, hexadecimal; empty if it cannot be read back, and so cannot go on either.
pub(super) async fn message_digest(message: &dyn MessageOctets) -> String {
    let length = usize::try_from(message.len()).unwrap_or(BLOCK);
    let (mut digest, mut room, mut offset) = (Sha256::new(), vec![0; BLOCK.min(length)], 0);
    while offset < message.len() {
        let count = match message.read_at(offset, &mut room) {
            Ok(0) | Err(_) => return String::new(),
            Ok(count) => count,
        };
        digest.update(room.get(..count).unwrap_or_default());
        offset += count as u64;
        tokio::task::yield_now().await;
    }
    hexadecimal(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_that_of_all_octets_however_many() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let message: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(message_digest(&message).await, hexadecimal(&Sha256::digest(&message)), "{length}");
        }
    }
}
