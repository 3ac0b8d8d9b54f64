//! Kinds of text, and files that are written into a text.

use crate::content::detect::HEAD;
use crate::content::kind::Kind;

/// As much of the start as is text: before the first octet that no text has.
pub(super) fn readable(head: &[u8]) -> &[u8] {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return head;
    }
    let is_of_text = |octet: &u8| !matches!(octet, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    let length = head.iter().position(|octet| !is_of_text(octet)).unwrap_or(head.len());
    head.get(..length).unwrap_or_default()
}

/// What a text is beside text.
pub(super) fn kinds(head: &[u8]) -> impl Iterator<Item = Kind> {
    let mut room = [0; HEAD];
    let lower = lower(head, &mut room);
    let starts = |prefix: &[u8]| lower.starts_with(prefix);
    let has = |needle: &[u8]| memchr::memmem::find(lower, needle).is_some();
    let is_markup = memchr::memchr(b'<', lower).is_some();
    let wsf = is_markup && (starts(b"<job") || starts(b"<package") || has(b"<job ")) && has(b"<script");
    let hta = is_markup && has(b"<hta:application");
    let svg = is_markup && has(b"<svg");
    let html = is_markup && !wsf && !svg && is_html(lower);
    [
        (hta, Kind::Hta),
        (wsf, Kind::Wsf),
        (svg, Kind::Svg),
        (html, Kind::Html),
        (starts(b"<?xml") && !svg && !html && !wsf, Kind::Xml),
        (starts(b"#!") || starts(b"<?php"), Kind::Script),
        (starts(b"@echo ") || starts(b"@cd ") || starts(b"@set "), Kind::Batch),
        (starts(b"[internetshortcut]") || has(b"\n[internetshortcut]"), Kind::Url),
        (starts(b"[shell]") && has(b"command="), Kind::Scf),
        (starts(b"windows registry editor") || starts(b"regedit4"), Kind::Reg),
        (starts(b"web\r\n1\r\n") || starts(b"web\n1\n"), Kind::Iqy),
        (starts(b"id;p"), Kind::Slk),
        (is_message(lower), Kind::Message),
        (
            starts(b"-----begin pkcs7-----")
                || starts(b"-----begin cms-----")
                || crate::content::container::pkcs7::is_base64(head),
            Kind::Pkcs7,
        ),
    ]
    .into_iter()
    .filter_map(|(is, kind)| is.then_some(kind))
}

/// Tags that make browsers take content of no type for HTML.
const TAGS: [&[u8]; 18] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<script",
    b"<iframe",
    b"<h1",
    b"<div",
    b"<font",
    b"<table",
    b"<a",
    b"<style",
    b"<title",
    b"<b",
    b"<body",
    b"<br",
    b"<p",
    b"<meta",
    b"<img",
];

fn is_html(lower: &[u8]) -> bool {
    let ends = |rest: &[u8]| matches!(rest.first(), None | Some(b' ' | b'>' | b'\t' | b'\r' | b'\n' | b'/'));
    TAGS.iter().any(|tag| lower.strip_prefix(*tag).is_some_and(ends))
        || [b"<html".as_slice(), b"<script", b"<!doctype html", b"<body"]
            .iter()
            .any(|tag| memchr::memmem::find(lower, tag).is_some())
}

/// A header section with fields of MIME: without them a message shows as it is.
fn is_message(lower: &[u8]) -> bool {
    const FIELDS: [&[u8]; 11] = [
        b"received:",
        b"return-path:",
        b"from:",
        b"to:",
        b"subject:",
        b"date:",
        b"message-id:",
        b"mime-version:",
        b"content-type:",
        b"content-transfer-encoding:",
        b"delivered-to:",
    ];
    let (mut known, mut mime, mut lines) = (0, false, 0);
    // Lines of some systems end in CR alone.
    let end = if memchr::memchr(b'\n', lower).is_some() { b'\n' } else { b'\r' };
    let is_mime = |line: &[u8]| line.starts_with(b"content-t") || line.starts_with(b"mime-version:");
    let begins_with_mime = is_mime(lower);
    for line in lower.split(|octet| *octet == end).take(60) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        lines += 1;
        if line.is_empty() {
            break;
        }
        let Some(name) = memchr::memchr(b':', line).and_then(|colon| line.get(..=colon)) else {
            if matches!(line.first(), Some(b' ' | b'\t')) && lines > 1 {
                continue;
            }
            // The last line may be cut.
            return known >= 3 && mime && lower.len() >= HEAD;
        };
        if FIELDS.contains(&name) {
            known += 1;
            mime |= name.starts_with(b"mime") || name.starts_with(b"content");
        }
    }
    (known >= 2 || begins_with_mime) && mime
}

/// The start in lower case, without blanks and a byte order mark before it; two octets a character become one.
fn lower<'r>(head: &[u8], room: &'r mut [u8; HEAD]) -> &'r [u8] {
    let wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let head = if wide { head.get(2..).unwrap_or_default() } else { head.trim_ascii_start() };
    let mut count = 0;
    if wide {
        let characters = head.iter().filter(|octet| **octet != 0);
        let characters = characters.skip_while(|octet| octet.is_ascii_whitespace());
        for (place, octet) in room.iter_mut().zip(characters) {
            *place = *octet;
            count += 1;
        }
    } else if let (Some(place), Some(head)) =
        (room.get_mut(..head.len().min(HEAD)), head.get(..head.len().min(HEAD)))
    {
        place.copy_from_slice(head);
        count = place.len();
    }
    let lower = room.get_mut(..count).unwrap_or_default();
    lower.make_ascii_lowercase();
    lower
}

/// Files within a text.
pub(super) fn embedded(octets: &[u8]) -> impl Iterator<Item = Kind> {
    let line = |mark: &[u8]| {
        memchr::memmem::find_iter(octets, mark).any(|at| at == 0 || octets.get(at - 1) == Some(&b'\n'))
    };
    let uuencode = crate::content::container::uuencode::starts(octets).next().is_some();
    [
        (uuencode, Kind::Uuencode),
        (line(b"=ybegin "), Kind::Yenc),
        (crate::content::container::pgp::BEGINS.iter().any(|begin| line(begin)), Kind::Pgp),
        (line(b"(This file must be converted with BinHex"), Kind::BinHex),
    ]
    .into_iter()
    .filter_map(|(is, kind)| is.then_some(kind))
}
