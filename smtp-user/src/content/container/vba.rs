//! Macros (MS-OVBA): their text, and what in it runs by itself or starts something.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::content::container::Walk;
use crate::content::finding::Trait;

/// Octets of a module's text that are looked at.
const MAX_TEXT: usize = 4 << 20;
/// Texts in one stream that are tried.
const MAX_TEXTS: usize = 64;
/// Octets of a chunk when decompressed.
const CHUNK: usize = 4096;

/// Names of procedures that run when a document is opened, closed or shown.
const AUTO: [&str; 16] = [
    "autoopen",
    "autoexec",
    "autoclose",
    "autoexit",
    "autonew",
    "auto_open",
    "auto_close",
    "document_open",
    "document_close",
    "document_new",
    "documentopen",
    "workbook_open",
    "workbook_activate",
    "workbook_close",
    "document_contentcontrolonenter",
    "inkpicture1_painted",
];
/// What starts programs or fetches something.
const ACTS: [&str; 20] = [
    "shell(",
    "shell ",
    "wscript.shell",
    "shell.application",
    "powershell",
    "cmd.exe",
    "cmd /c",
    "createobject(",
    "getobject(",
    "winhttp",
    "xmlhttp",
    "urldownloadtofile",
    "adodb.stream",
    "winmgmts:",
    "regsvr32",
    "rundll32",
    "mshta",
    "virtualalloc",
    "createthread",
    "callbyname",
];

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = AUTO.iter().chain(&ACTS);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// Looks at a stream of a project.
pub(super) fn read(walk: &mut Walk<'_>, part: &str, stream: &[u8]) {
    // The text of a module stands behind what the compiler keeps, in a container of its own.
    let starts =
        memchr::memchr_iter(1, stream).filter(|at| is_chunk(stream.get(at + 1..).unwrap_or_default()));
    for at in starts.take(MAX_TEXTS) {
        if !walk.may_go_on(part) {
            return;
        }
        let text = decompress(stream.get(at + 1..).unwrap_or_default());
        if memchr::memmem::find(&text, b"Attribute VB_").is_none() {
            continue;
        }
        let Some(words) = &*WORDS else { return };
        for found in words.find_iter(&text) {
            let is_auto = found.pattern().as_usize() < AUTO.len();
            walk.has(if is_auto { Trait::AutoExec } else { Trait::SuspiciousMacro }, part);
        }
    }
}

/// Whether a compressed chunk may begin here, MS-OVBA 2.4.1.1.5.
fn is_chunk(octets: &[u8]) -> bool {
    let Some(header) = octets.first_chunk().map(|header| u16::from_le_bytes(*header)) else { return false };
    header >> 12 & 7 == 3 && usize::from(header & 0xfff) + 3 <= octets.len()
}

/// MS-OVBA 2.4.1, as far as it can be read.
pub(super) fn decompress(mut rest: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while is_chunk(rest) && text.len() < MAX_TEXT {
        let header = rest.first_chunk().map_or(0, |header| u16::from_le_bytes(*header));
        let length = usize::from(header & 0xfff) + 3;
        let (chunk, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let data = chunk.get(2..).unwrap_or_default();
        if header & 0x8000 == 0 {
            text.extend_from_slice(data);
        } else {
            decompress_chunk(data, &mut text);
        }
        rest = behind;
    }
    text
}

fn decompress_chunk(mut data: &[u8], text: &mut Vec<u8>) {
    let start = text.len();
    while let Some((&flags, behind)) = data.split_first() {
        data = behind;
        for bit in 0..8 {
            if text.len() - start >= CHUNK {
                return;
            }
            if flags >> bit & 1 == 0 {
                let Some((&octet, behind)) = data.split_first() else { return };
                text.push(octet);
                data = behind;
                continue;
            }
            let Some((token, behind)) = data.split_first_chunk() else { return };
            let token = u16::from_le_bytes(*token);
            data = behind;
            // The more is there to point at, the more bits point.
            let bits = (text.len() - start).max(1).next_power_of_two().trailing_zeros().max(4);
            let length = usize::from(token & (0xffff >> bits)) + 3;
            let offset = usize::from(token >> (16 - bits)) + 1;
            let Some(from) = text.len().checked_sub(offset).filter(|from| *from >= start) else { return };
            for at in from..from + length {
                let octet = text.get(at).copied().unwrap_or_default();
                text.push(octet);
            }
        }
    }
}
