//! One part: its type, its encoding, its name.

use super::names::NAMES;
use super::{Payload, Sample, pick};
use crate::content::fixture::other::{base64, uuencode};
use crate::inspect::inspection::tests::clean_corpus::Chance;

type Coder = fn(&[u8]) -> (String, String);

fn field(value: &str) -> String {
    format!("Content-Transfer-Encoding: {value}\r\n")
}

fn b64(octets: &[u8]) -> String {
    base64(octets).replace("\r\n", "")
}

/// In lines of so many characters.
fn lines(text: &str, length: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length).map(|line| line.iter().collect::<String>() + "\r\n").collect()
}

fn quoted(octets: &[u8], escape: fn(u8) -> String, between: &str) -> String {
    let mut text = String::new();
    for (at, octet) in octets.iter().enumerate() {
        text.push_str(&escape(*octet));
        if at % 20 == 19 {
            text.push_str(between);
        }
    }
    text
}

fn upper(octet: u8) -> String {
    format!("={octet:02X}")
}

/// What it is called, and the field and the body for octets.
pub(super) const CODINGS: &[(&str, Coder)] = &[
    ("base64", |octets| (field("base64"), base64(octets))),
    ("base64 in capitals", |octets| (field("BASE64"), base64(octets))),
    ("base64 with a comment", |octets| (field("base64 (a comment)"), base64(octets))),
    ("base64 behind a comment", |octets| (field("(a comment) base64"), base64(octets))),
    ("base64 in quotes", |octets| (field("\"base64\""), base64(octets))),
    ("base64 with a parameter", |octets| (field("base64; x=y"), base64(octets))),
    ("base64 with junk", |octets| (field("base64 junk"), base64(octets))),
    ("x-base64", |octets| (field("x-base64"), base64(octets))),
    ("base64 in an encoded word", |octets| (field("=?us-ascii?Q?b=61se64?="), base64(octets))),
    ("base64 folded", |octets| (field("\r\n base64"), base64(octets))),
    ("base64 after nothing", |octets| (field("\r\n \r\n base64"), base64(octets))),
    ("two encodings", |octets| (field("base64") + &field("7bit"), base64(octets))),
    ("two encodings the other way", |octets| (field("8bit") + &field("base64"), base64(octets))),
    ("two encodings in a row", |octets| (field("7bit, base64"), base64(octets))),
    ("blank before the colon", |octets| {
        ("Content-Transfer-Encoding : base64\r\n".to_owned(), base64(octets))
    }),
    ("two colons", |octets| ("Content-Transfer-Encoding:: base64\r\n".to_owned(), base64(octets))),
    ("hard blank before the colon", |octets| {
        ("Content-Transfer-Encoding\u{a0}: base64\r\n".to_owned(), base64(octets))
    }),
    ("mark before the name", |octets| {
        ("\u{feff}Content-Transfer-Encoding: base64\r\n".to_owned(), base64(octets))
    }),
    ("control character before the name", |octets| {
        ("\u{b}Content-Transfer-Encoding: base64\r\n".to_owned(), base64(octets))
    }),
    ("name in two lines", |octets| ("Content-Transfer-\r\n Encoding: base64\r\n".to_owned(), base64(octets))),
    ("line of blanks before the field", |octets| {
        ("X-A: b\r\n \r\nContent-Transfer-Encoding: base64\r\n".to_owned(), base64(octets))
    }),
    ("line that is no field before the field", |octets| {
        ("this is no field\r\nContent-Transfer-Encoding: base64\r\n".to_owned(), base64(octets))
    }),
    ("line that is no field behind the field", |octets| {
        ("Content-Transfer-Encoding: base64\r\nthis is no field\r\n".to_owned(), base64(octets))
    }),
    ("lines of one character", |octets| (field("base64"), lines(&b64(octets), 1))),
    ("lines of five characters", |octets| (field("base64"), lines(&b64(octets), 5))),
    ("one line", |octets| (field("base64"), b64(octets))),
    ("junk between", |octets| (field("base64"), lines(&b64(octets), 7).replace("\r\n", "*!\r\n"))),
    ("eight bits between", |octets| (field("base64"), lines(&b64(octets), 7).replace("\r\n", "\u{e4}"))),
    ("blanks between", |octets| (field("base64"), lines(&b64(octets), 3).replace("\r\n", " \t"))),
    ("hyphens between", |octets| (field("base64"), lines(&b64(octets), 9).replace("\r\n", "-_"))),
    ("padding between", |octets| {
        let pieces: Vec<String> = octets.chunks(4).map(b64).collect();
        (field("base64"), pieces.join(""))
    }),
    ("padding in lines", |octets| {
        let pieces: Vec<String> = octets.chunks(5).map(b64).collect();
        (field("base64"), pieces.join("\r\n"))
    }),
    ("no padding", |octets| (field("base64"), b64(octets).trim_end_matches('=').to_owned())),
    ("padding first", |octets| (field("base64"), format!("====\r\n{}", base64(octets)))),
    ("padding in the middle of four", |octets| {
        let text = b64(octets);
        (field("base64"), format!("{}={}", &text[..9], &text[9..]))
    }),
    ("text behind", |octets| (field("base64"), base64(octets) + "\r\n\r\n-- \r\nA footer of a list.\r\n")),
    ("quoted-printable", |octets| (field("quoted-printable"), quoted(octets, upper, "=\r\n"))),
    ("quoted-printable in small letters", |octets| {
        (field("Quoted-Printable"), quoted(octets, |octet| format!("={octet:02x}"), "=\r\n"))
    }),
    ("soft ends with blanks", |octets| (field("quoted-printable"), quoted(octets, upper, "= \t \r\n"))),
    ("soft end at every place", |octets| {
        (field("quoted-printable"), quoted(octets, |octet| format!("={octet:02X}=\r\n"), ""))
    }),
    ("soft end at the end", |octets| (field("quoted-printable"), quoted(octets, upper, "=\r\n") + "=")),
    ("quoted-printable with a comment", |octets| {
        (field("quoted-printable (x)"), quoted(octets, upper, "=\r\n"))
    }),
    ("uuencode as an encoding", |octets| {
        let text = String::from_utf8(uuencode("a.exe", octets)).unwrap();
        (field("x-uuencode"), text.replace("Hello.\r\n\r\n", ""))
    }),
    ("uuencode in a text", |octets| (String::new(), String::from_utf8(uuencode("a.dat", octets)).unwrap())),
];

/// What it is called, and the field.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("octets", "Content-Type: application/octet-stream\r\n"),
    ("picture", "Content-Type: image/png\r\n"),
    ("sound", "Content-Type: audio/x-wav\r\n"),
    ("text", "Content-Type: text/plain; charset=utf-8\r\n"),
    ("page", "Content-Type: text/html\r\n"),
    ("no type", ""),
    ("empty type", "Content-Type:\r\n"),
    ("half a type", "Content-Type: application\r\n"),
    ("two types", "Content-Type: application/octet-stream\r\nContent-Type: text/plain\r\n"),
    ("type with a comment", "Content-Type: application/(x)octet-stream\r\n"),
    ("program", "Content-Type: application/x-msdownload\r\n"),
    ("unknown character set", "Content-Type: text/plain; charset=x-none\r\n"),
    ("wide characters", "Content-Type: text/plain; charset=utf-16le\r\n"),
    ("archive", "Content-Type: application/zip\r\n"),
    ("unknown", "Content-Type: x-a/x-b; x=\"y\r\n"),
];

/// Makes the part. `wanted`: coding, kind, name.
pub(super) fn entity(
    chance: &mut Chance,
    sample: &mut Sample,
    file: &str,
    payload: Payload,
    wanted: [Option<usize>; 3],
) {
    let (mut coding, mut coder) = *pick(chance, CODINGS, wanted[0]);
    if payload == Payload::Named && coding.contains("uuencode") {
        // It has a name of its own.
        (coding, coder) = CODINGS[0];
    }
    let (kind, declared) = pick(chance, KINDS, wanted[1]);
    let (naming, namer) = pick(chance, NAMES, wanted[2]);
    // A message that is shown as a text is one.
    let is_text = declared.contains("text/") || declared.len() < 20;
    let is_message = file.ends_with("eml");
    let (base, end) = match file.split_once('.') {
        Some((base, _)) if is_text && is_message => (base, "eml"),
        Some((base, end)) => (base, end),
        None => (file, payload.extension()),
    };
    // The name must be there for all to see.
    let naming_plain = payload == Payload::Harmless || is_message;
    let (naming, namer) = if naming_plain && wanted[2].is_none() { &NAMES[0] } else { &(*naming, *namer) };
    let (encoding, body) = coder(&sample.octets);
    let disposition = format!("Content-Disposition: attachment{}\r\n", namer(base, end));
    let mut fields = [(*declared).to_owned(), encoding, disposition];
    let turn = chance.below(3) as usize;
    fields.rotate_left(if wanted[0].is_some() { 0 } else { turn });
    sample.how.extend([coding, *kind, *naming]);
    sample.octets = [fields.concat().as_bytes(), b"\r\n", body.as_bytes()].concat();
}
