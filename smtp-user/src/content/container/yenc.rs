//! Files within a text, by yEnc 1.3.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Unsupported};

/// Reads all files of a text.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut open: Option<(Option<String>, Vec<u8>, bool)> = None;
    for line in octets.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"=ybegin ") {
            end(walk, level, open.take());
            if !walk.may_go_on(&level.part) {
                return;
            }
            let text = String::from_utf8_lossy(line);
            let name = text.split_once("name=").map(|(_, name)| name.trim().to_owned());
            let is_piece = text.contains(" part=") && !text.contains(" total=1 ");
            open = Some((name, Vec::new(), is_piece));
        } else if line.starts_with(b"=yend") {
            end(walk, level, open.take());
        } else if let Some((_, content, _)) = &mut open
            && !line.starts_with(b"=ypart ")
        {
            decode_line(line, content);
        }
    }
    end(walk, level, open);
}

fn end(walk: &mut Walk<'_>, level: &mut Level, file: Option<(Option<String>, Vec<u8>, bool)>) {
    let Some((name, content, is_piece)) = file else { return };
    let cut = is_piece.then_some(Finding::Unsupported(Unsupported::Divided));
    let names: Vec<String> = name.into_iter().collect();
    let unpacked = walk.unpack(&mut content.as_slice(), content.len() as u64, &level.part);
    walk.member_of_octets(level, &names, "yenc", &unpacked.octets, unpacked.cut.or(cut));
}

fn decode_line(line: &[u8], content: &mut Vec<u8>) {
    let mut is_escaped = false;
    for octet in line {
        if is_escaped {
            content.push(octet.wrapping_sub(64 + 42));
        } else if *octet != b'=' {
            content.push(octet.wrapping_sub(42));
        }
        is_escaped = !is_escaped && *octet == b'=';
    }
}
