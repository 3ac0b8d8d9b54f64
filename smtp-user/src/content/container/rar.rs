//! `WinRAR`'s archives, versions 1.5 to 7: names, what is stored, and what is encrypted. What is compressed is
//! unpacked with the feature `rar`, and `unsupported` without it.

mod header;
#[cfg(feature = "rar")]
mod unpack;

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};
use header::{Headers, Member};

/// Reads an archive, wherever it begins.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let Some(headers) = Headers::parse(octets) else { return walk.damaged(level) };
    if headers.is_encrypted {
        #[cfg(feature = "rar")]
        if unpack::unpack(walk, level, octets, true) {
            return;
        }
        return walk.note(Finding::Encrypted, &level.part);
    }
    if headers.members.iter().any(|member| is_unsafe(&member.name)) {
        walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
    }
    if headers.members.iter().any(|member| member.is_divided) {
        walk.note(Finding::Unsupported(Unsupported::Divided), &level.part);
    }
    let needs_more = |member: &Member<'_>| member.is_encrypted || !member.is_stored;
    #[cfg(feature = "rar")]
    if headers.members.iter().any(needs_more) {
        let is_encrypted = headers.members.iter().any(|member| member.is_encrypted);
        if unpack::unpack(walk, level, octets, is_encrypted) {
            return;
        }
    }
    for member in &headers.members {
        if !walk.may_go_on(&level.part) {
            return;
        }
        let name = std::slice::from_ref(&member.name);
        if !needs_more(member) {
            let mut data = member.data;
            let unpacked = walk.unpack(&mut data, octets.len() as u64, &level.part);
            walk.member(level, name, "stored", &unpacked);
            continue;
        }
        let why =
            if member.is_encrypted { Finding::Encrypted } else { Finding::Unsupported(Unsupported::Method) };
        walk.unread(level, name, "rar", why);
    }
    if headers.is_cut {
        walk.note(Finding::Unsupported(Unsupported::Damaged), &level.part);
    }
}
