//! Which signatures of a message no longer hold once parts of it are replaced.

use crate::event::session_event::PartRecord;
use crate::gateway::remedy::rewriting::read;
use crate::transport::held_message::HeldMessage;

/// Words for the record.
pub(super) const DKIM: &str = "dkim";
pub(super) const SIGNED: &str = "signed";

/// Octets at the start of a message in which its signature is looked for.
const HEAD: u64 = 256 << 10;
const FIELD: &[u8] = b"dkim-signature";

/// Whether somebody has signed the message as a whole (RFC 6376). One that cannot be read counts as signed.
pub(super) fn has_dkim(message: &HeldMessage) -> bool {
    let Ok(head) = read(message, 0, message.len().min(HEAD)) else { return true };
    head.split(|octet| *octet == b'\n').take_while(|line| !matches!(line, [] | [b'\r'])).any(|line| {
        let (name, rest) = line.split_at_checked(FIELD.len()).unwrap_or((line, &[]));
        name.eq_ignore_ascii_case(FIELD) && rest.trim_ascii_start().first() == Some(&b':')
    })
}

/// Whether a part is signed or sealed content of S/MIME or PGP by itself.
pub(super) fn is_signed_content(part: &PartRecord) -> bool {
    part.kinds.iter().any(|kind| matches!(kind.as_str(), "pkcs7" | "pgp"))
}
