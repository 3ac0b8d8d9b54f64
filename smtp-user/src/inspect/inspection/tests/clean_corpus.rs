//! Ten thousand messages as people and programs send them: none is refused, and hardly any taken for ambiguous.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::base64;
use crate::inspect::{Config, Inspector};
use crate::model::decision::MessageVerdict;

/// Chance that can be had again: splitmix64.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len() as u64) as usize]
    }
}

const LINES: &[&str] = &[
    "Dear all,",
    "please find the minutes of yesterday's meeting attached.",
    "",
    "-- ",
    "--",
    "-----Original Message-----",
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "---------- Forwarded message ---------",
    "> On Tuesday, somebody wrote:",
    "> --000000000000aa55bb",
    ">> Content-Type: multipart/mixed; boundary=\"x\"",
    "From the beginning it was clear that",
    "Content-Type: is a header field, not a sentence.",
    "1. first; 2. second (see below), 3. third = last",
    "https://www.example.org/path?query=1&other=%20",
    "\tindented",
    ".",
    "..",
    "====================",
    "----------------------------------------",
    "--- a/file.c",
    "+++ b/file.c",
    "@@ -1,3 +1,4 @@",
    "Kind regards",
];
const UTF8: &[&str] = &["Grüße aus Köln", "naïve café", "Привет", "日本語のテキスト", "€ 100,–"];

fn text(chance: &mut Chance, eight_bit: bool) -> String {
    let mut text = String::new();
    for _ in 0..chance.below(14) {
        let line = if eight_bit && chance.one_in(3) { chance.of(UTF8) } else { chance.of(LINES) };
        text.push_str(line);
        text.push_str("\r\n");
    }
    text
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for line in text.split_inclusive("\r\n") {
        let content = line.strip_suffix("\r\n").unwrap_or(line);
        let last = content.len().saturating_sub(1);
        for (at, octet) in content.bytes().enumerate() {
            let plain = matches!(octet, 33..=60 | 62..=126) || (octet == b' ' && at != last);
            let piece = if plain { (octet as char).to_string() } else { format!("={octet:02X}") };
            if column + piece.len() > 75 {
                out.push_str("=\r\n");
                column = 0;
            }
            column += piece.len();
            out.push_str(&piece);
        }
        if line.ends_with("\r\n") {
            out.push_str("\r\n");
            column = 0;
        }
    }
    out
}

fn html(chance: &mut Chance, eight_bit: bool) -> String {
    let inner = text(chance, eight_bit).replace("\r\n", "<br>\r\n");
    format!(
        "<html><head><meta charset=\"utf-8\"></head><body>\r\n<p style=\"color:#333\">{inner}</p>\r\n<a \
         href=\"https://example.org/?a=1&amp;b=2\">example</a></body></html>\r\n"
    )
}

fn text_part(chance: &mut Chance, subtype: &str) -> String {
    let eight_bit = chance.one_in(2);
    let body = if subtype == "html" { html(chance, eight_bit) } else { text(chance, eight_bit) };
    let charset = if eight_bit {
        chance.of(&["utf-8", "UTF-8", "\"utf-8\""])
    } else {
        chance.of(&["us-ascii", "iso-8859-1", "\"UTF-8\"", "windows-1252"])
    };
    let flowed = if subtype == "plain" && chance.one_in(4) { "; format=flowed; delsp=yes" } else { "" };
    let separator = chance.of(&["; ", ";\r\n ", ";\r\n\t", ";"]);
    let declared = format!("Content-Type: text/{subtype}{separator}charset={charset}{flowed}\r\n");
    let (encoding, body) = match chance.below(4) {
        0 => ("base64", base64(body.as_bytes())),
        1 => ("quoted-printable", quoted_printable(&body)),
        2 if !eight_bit => ("", body),
        _ => ("8bit", body),
    };
    let encoding = match (encoding, chance.below(3)) {
        ("", _) => String::new(),
        (encoding, 0) => format!("Content-Transfer-Encoding: {}\r\n", encoding.to_uppercase()),
        (encoding, _) => format!("Content-Transfer-Encoding: {encoding}\r\n"),
    };
    if chance.one_in(2) {
        format!("{declared}{encoding}\r\n{body}")
    } else {
        format!("{encoding}{declared}\r\n{body}")
    }
}

fn file_name(chance: &mut Chance) -> (String, String) {
    match chance.below(5) {
        0 => ("; name=notes.txt".to_owned(), "; filename=notes.txt".to_owned()),
        1 => ("; name=\"Report 2026.bin\"".to_owned(), ";\r\n filename=\"Report 2026.bin\"".to_owned()),
        2 => (
            "; name=\"=?utf-8?Q?Gr=C3=BC=C3=9Fe.bin?=\"".to_owned(),
            ";\r\n filename*=utf-8''Gr%C3%BC%C3%9Fe.bin".to_owned(),
        ),
        3 => (
            String::new(),
            ";\r\n filename*0=\"a rather long name that was \";\r\n filename*1=\"divided.bin\"".to_owned(),
        ),
        _ => (String::new(), String::new()),
    }
}

fn attachment(chance: &mut Chance) -> String {
    let (name, file) = file_name(chance);
    let octets: Vec<u8> = (0..chance.below(700)).map(|_| chance.next() as u8).collect();
    match chance.below(5) {
        0 => format!(
            "Content-Type: text/csv; charset=utf-8{name}\r\nContent-Disposition: attachment{file}\r\n\r\na;b;c\r\n1;2;3\r\n"
        ),
        1 => "Content-Type: text/calendar; method=REQUEST; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Grüße\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".to_owned(),
        2 => format!(
            "Content-Type: text/x-patch{name}\r\nContent-Disposition: inline{file}\r\n\r\n{}",
            text(chance, false)
        ),
        3 => format!(
            "Content-Type: application/octet-stream{name}\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment{file}\r\n\r\n{}",
            base64(&octets)
        ),
        _ => format!(
            "Content-Disposition: attachment{file}\r\nX-Attachment-Id: f_{:x}\r\nContent-ID: <f_1@x>\r\n\
             Content-Transfer-Encoding: base64\r\nContent-Type: image/x-thing{name}\r\n\r\n{}",
            chance.next(),
            base64(&octets)
        ),
    }
}

fn boundary(chance: &mut Chance) -> (String, bool) {
    let (a, b) = (chance.next(), chance.next());
    match chance.below(9) {
        0 => (format!("000000000000{a:016x}"), true),
        1 => (format!("_000_{a:016X}{b:016X}mail_"), true),
        2 => (format!("----=_Part_{}_{}.{}", a % 100_000, b % 1_000_000_000, a % 1_000_000), true),
        3 => (format!("Apple-Mail=_{a:08X}-{:04X}", b & 0xffff), true),
        4 => (format!("==============={:019}==", a % 1_000_000_000_000_000_000), true),
        5 => (format!("------------{a:024X}"), false),
        6 => (format!("=-{a:x}=:{b:x}"), true),
        7 => (format!("b1_{a:032x}"), chance.one_in(2)),
        _ => (format!("nextpart-{a}"), false),
    }
}

fn multipart(chance: &mut Chance, kind: &str, parts: &[String]) -> String {
    let (boundary, quoted) = boundary(chance);
    let quote = if quoted || boundary.contains(['=', ':']) { "\"" } else { "" };
    let separator = chance.of(&["; ", ";\r\n\t", ";\r\n "]);
    let extra = match kind {
        "signed" => "; micalg=\"pgp-sha256\"; protocol=\"application/pgp-signature\"",
        "report" => "; report-type=delivery-status",
        "related" => "; type=\"text/html\"",
        _ => "",
    };
    let mut out = if chance.one_in(3) {
        format!("Content-Type: multipart/{kind}{extra}{separator}boundary={quote}{boundary}{quote}\r\n\r\n")
    } else {
        format!("Content-Type: multipart/{kind}{separator}boundary={quote}{boundary}{quote}{extra}\r\n\r\n")
    };
    if chance.one_in(3) {
        out.push_str("This is a multi-part message in MIME format.\r\n");
    }
    for part in parts {
        let gap = if chance.one_in(4) { "\r\n" } else { "" };
        let _ = write!(out, "--{boundary}\r\n{part}{gap}\r\n");
    }
    let _ = write!(out, "--{boundary}--\r\n");
    if chance.one_in(6) {
        out.push_str("\r\n_______________________________________________\r\nlist mailing list\r\n");
    }
    out
}

fn signature() -> String {
    "Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\n\
     iHUEABYKAB0WIQ==\r\n-----END PGP SIGNATURE-----\r\n"
        .to_owned()
}

fn body(chance: &mut Chance, level: u64) -> String {
    let shape = if level == 0 { chance.below(3) } else { chance.below(12) };
    match shape {
        0 => text_part(chance, "plain"),
        1 => text_part(chance, "html"),
        2 => format!("\r\n{}", text(chance, false)),
        3 | 4 => {
            let parts = [text_part(chance, "plain"), text_part(chance, "html")];
            multipart(chance, "alternative", &parts)
        }
        5 => {
            let parts = [text_part(chance, "html"), attachment(chance)];
            multipart(chance, "related", &parts)
        }
        6..=8 => {
            let mut parts = vec![body(chance, level - 1)];
            for _ in 0..=chance.below(3) {
                parts.push(attachment(chance));
            }
            multipart(chance, "mixed", &parts)
        }
        9 => {
            let parts = [body(chance, level - 1), signature()];
            multipart(chance, "signed", &parts)
        }
        10 => {
            let status = "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
                          Final-Recipient: rfc822; b@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n";
            let header = "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nFrom: a@example.org\r\n";
            let returned = if chance.one_in(2) { header.to_owned() } else { forwarded(chance, level - 1) };
            let parts = [text_part(chance, "plain"), status.to_owned(), returned];
            multipart(chance, "report", &parts)
        }
        _ => {
            let parts = [text_part(chance, "plain"), forwarded(chance, level - 1)];
            multipart(chance, "mixed", &parts)
        }
    }
}

fn forwarded(chance: &mut Chance, level: u64) -> String {
    let encoding =
        chance.of(&["", "Content-Transfer-Encoding: 8bit\r\n", "Content-Disposition: attachment\r\n"]);
    format!("Content-Type: message/rfc822\r\n{encoding}\r\n{}", message(chance, level))
}

fn message(chance: &mut Chance, level: u64) -> String {
    let mut out = String::new();
    for _ in 0..chance.below(3) {
        out.push_str(
            "Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTPS id x;\r\n\tSun, 22 Nov 2026 \
             07:00:00 +0000 (UTC)\r\n",
        );
    }
    if chance.one_in(4) {
        out.push_str(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n\ts=s1; h=from:to:subject; \
             bh=AAAA=;\r\n\tb=BBBB=\r\n",
        );
    }
    out.push_str(
        "From: =?UTF-8?Q?J=C3=B6rg?= <a@example.org>\r\nTo: b@example.com, \"C, D\" <c@example.com>\r\n",
    );
    let subject = chance.of(&[
        "Subject: Re: minutes",
        "Subject: =?utf-8?B?R3LDvMOfZQ==?=",
        "Subject:",
        "Subject: a\r\n folded one",
    ]);
    let _ = write!(
        out,
        "{subject}\r\nDate: Sun, 22 Nov 2026 08:00:00 +0100\r\nMessage-ID: <{}@x>\r\n",
        chance.next()
    );
    let within = body(chance, level);
    if within.starts_with("\r\n") {
        return out + &within;
    }
    match chance.below(5) {
        0 => out + &within,
        1 => out + "Mime-Version: 1.0 (Mac OS X Mail 16.0)\r\n" + &within,
        _ => out + "MIME-Version: 1.0\r\n" + &within,
    }
}

#[test]
fn of_ten_thousand_clean_messages_hardly_one_is_ambiguous_and_none_is_refused() {
    const MESSAGES: usize = 10_000;
    let seed = std::env::var("POSTERN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_122);
    eprintln!("POSTERN_SEED={seed}");
    let mut chance = Chance(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inspector = Inspector::new(Config::default()).unwrap();
    let (mut verdicts, mut told) = (BTreeMap::new(), 0);
    for _ in 0..MESSAGES {
        let mut message = message(&mut chance, 3).into_bytes();
        if chance.one_in(20) {
            // Some end without a line end.
            message.truncate(message.len().saturating_sub(2));
        }
        let mut inspection = inspector.begin();
        inspection.push(&message);
        let judgement = runtime.block_on(inspection.judge(&message));
        let verdict = judgement.decision.verdict;
        if verdict != MessageVerdict::Clean && told < 5 {
            told += 1;
            eprintln!("{verdict:?}: {}\n{}\n", judgement.decision.why, String::from_utf8_lossy(&message));
        }
        *verdicts.entry(format!("{verdict:?}")).or_insert(0) += 1;
    }
    eprintln!("{verdicts:?}");
    let ambiguous = verdicts.remove("Ambiguous").unwrap_or(0);
    assert_eq!(verdicts.remove("Clean").unwrap_or(0) + ambiguous, MESSAGES, "{verdicts:?}");
    assert!(ambiguous * 1000 < MESSAGES, "{ambiguous} of {MESSAGES}");
    // The default is to refuse what is ambiguous.
    assert_eq!(ambiguous, 0);
}

/// Something that is done to a message by whoever wants it to be misread.
fn mutated(chance: &mut Chance, mut message: Vec<u8>) -> Vec<u8> {
    for _ in 0..=chance.below(2) {
        let at = chance.below(message.len() as u64 + 1) as usize;
        let lines: Vec<Vec<u8>> =
            message.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
        let delimiters: Vec<&Vec<u8>> = lines.iter().filter(|line| line.starts_with(b"--")).collect();
        let some_line = &lines[chance.below(lines.len() as u64) as usize];
        let delimiter = delimiters.get(chance.below(delimiters.len().max(1) as u64) as usize).copied();
        let piece: Vec<u8> = match chance.below(7) {
            0 => delimiter.unwrap_or(some_line).clone(),
            1 => delimiter.unwrap_or(some_line).trim_ascii().to_vec(),
            2 => some_line.clone(),
            3 => b"\r\n\r\n".to_vec(),
            4 => b"Content-Type: multipart/mixed; boundary=\"other\"\r\n".to_vec(),
            5 => b"(".to_vec(),
            _ => {
                let end = (at + chance.below(40) as usize).min(message.len());
                message.drain(at..end);
                continue;
            }
        };
        message.splice(at..at, piece);
    }
    message
}

#[test]
fn where_two_readers_disagree_the_verdict_says_so() {
    let seed = std::env::var("POSTERN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    eprintln!("POSTERN_SEED={seed}");
    let mut chance = Chance(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inspector = Inspector::new(Config::default()).unwrap();
    let mut by_technique = BTreeMap::new();
    for _ in 0..3000 {
        let message = message(&mut chance, 2).into_bytes();
        let message = mutated(&mut chance, message);
        let mut inspection = inspector.begin();
        inspection.push(&message);
        let judgement = runtime.block_on(inspection.judge(&message));
        let structure =
            judgement.parts.iter().flat_map(|part| &part.stages).filter(|(name, _)| name == "structure");
        for technique in ["readers_disagree", "second_reader_fails"] {
            if structure.clone().any(|(_, result)| result.contains(technique)) {
                assert_eq!(
                    judgement.decision.verdict,
                    MessageVerdict::Ambiguous,
                    "{}",
                    judgement.decision.why
                );
                assert!(judgement.decision.why.contains("reader"), "{}", judgement.decision.why);
                *by_technique.entry(technique).or_insert(0) += 1;
            }
        }
        assert_ne!(judgement.decision.verdict, MessageVerdict::EngineError);
    }
    eprintln!("{by_technique:?}");
    assert!(by_technique.contains_key("readers_disagree"), "{by_technique:?}");
}
