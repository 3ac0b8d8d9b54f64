//! One bounded walk over everything that is in a part: archives, documents and messages within each other.
//!
//! [`walk`] is a plain function over octets. What it finds is told to a visitor, member by member, and comes
//! back as [`Contents`]. Every bound of [`ContentLimits`] that is met is a finding with its name, and so is
//! whatever cannot be read or can be read in two ways.

mod active_mime;
mod cab;
mod character_references;
pub(super) mod compressed;
mod html;
mod iso;
mod lha;
mod message;
pub(super) mod ole;
mod one_note;
mod ooxml;
pub(crate) mod pdf;
pub(super) mod pgp;
pub(super) mod pkcs7;
pub(crate) mod place;
mod rar;
mod rtf;
mod seven_zip;
pub(crate) mod slides;
mod tar;
mod text_data;
mod tnef;
pub(super) mod uuencode;
mod vba;
mod yenc;
pub(crate) mod zip;

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::content::detect::detect;
use crate::content::finding::{Finding, Limit, Trait, Unsupported};
use crate::content::kind::{Kind, Reader};
use crate::content::limits::{ContentLimits, RATIO_FLOOR};
use place::Level;

/// What is looked into.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// Number of the part; members' numbers begin with it.
    pub part: &'s str,
    /// Declared media type, in lower case.
    pub media_type: &'s str,
    /// All of it, decoded.
    pub octets: &'s [u8],
}

/// What a walk goes by.
#[derive(Clone, Copy)]
pub struct Terms<'t> {
    /// How far it goes.
    pub limits: &'t ContentLimits,
    /// Passwords that may open what is encrypted.
    pub passwords: &'t [String],
    /// Whether there is time left.
    pub has_time: &'t dyn Fn() -> bool,
}

/// Something within a part.
#[derive(Clone, Copy, Debug)]
pub struct Member<'m> {
    /// Number of the part and the way to it, as in `2/docs/a.exe`.
    pub part: &'m str,
    /// Every name that a reader may give it.
    pub names: &'m [String],
    /// How it was packed, in a word.
    pub encoding: &'m str,
    /// Every kind that it is; none if it could not be read.
    pub kinds: &'m [Kind],
    /// Its octets, or why there are none.
    pub content: MemberContent<'m>,
}

/// The content of a member.
#[derive(Clone, Copy, Debug)]
pub enum MemberContent<'m> {
    /// All of it.
    Whole(&'m [u8]),
    /// As much of it as could be read, and why that is not all.
    Cut(&'m [u8], Finding),
    /// Nothing, and why.
    Unread(Finding),
}

/// What came of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Every kind that the part is.
    pub kinds: Vec<Kind>,
    /// Members that were seen.
    pub members: usize,
    /// What was come upon, each once for a place, and where.
    pub findings: Vec<(Finding, String)>,
}

/// Looks into a part.
pub fn walk(subject: Subject<'_>, terms: Terms<'_>, visit: &mut dyn FnMut(Member<'_>)) -> Contents {
    let mut walk = Walk {
        limits: *terms.limits,
        passwords: terms.passwords.to_vec(),
        has_time: terms.has_time,
        visit,
        octets_left: terms.limits.max_octets,
        members: 0,
        depth: 0,
        stopped: false,
        findings: Vec::new(),
        room: vec![0; CHUNK],
    };
    let kinds = kinds_of(subject.octets, Some(subject.media_type), &[]);
    walk.open(subject.part, &[], &kinds, subject.octets);
    Contents { kinds, members: walk.members, findings: walk.findings }
}

/// Every kind that octets are, also by what they are declared to be and by their names.
fn kinds_of(octets: &[u8], declared: Option<&str>, names: &[String]) -> Vec<Kind> {
    let mut kinds = detect(octets);
    let is_message = declared.is_some_and(is_message_type) || names.iter().any(|name| is_message_name(name));
    let is_page =
        declared.is_some_and(|declared| declared == PAGE) || names.iter().any(|name| is_page_name(name));
    if is_page && kinds.first() == Some(&Kind::Text) {
        // Browsers go by the name, wherever the first tag stands.
        kinds.insert(0, Kind::Html);
    }
    let is_document = declared.is_some_and(is_word_type) || names.iter().any(|name| is_word_name(name));
    let may_hide_message = match kinds.first() {
        Some(Kind::Pdf) => true,
        Some(Kind::Text) => is_document,
        _ => false,
    };
    if is_message && !kinds.first().is_some_and(|first| first.is_container())
        || may_hide_message && message::starts_within(octets)
    {
        kinds.extend((!kinds.contains(&Kind::Message)).then_some(Kind::Message));
    } else if declared.is_some_and(|declared| declared.starts_with("text/") && declared != PAGE)
        && !is_message
    {
        // A text that quotes a message shows it as it is.
        kinds.retain(|kind| *kind != Kind::Message);
        kinds.extend(kinds.is_empty().then_some(Kind::Text));
    }
    kinds
}

/// Whether somebody reads it as a message: any of that family but what is only a report.
pub fn is_message_type(media_type: &str) -> bool {
    const REPORTS: [&str; 9] = [
        "delivery-status",
        "global-delivery-status",
        "disposition-notification",
        "global-disposition-notification",
        "tracking-status",
        "feedback-report",
        "http",
        "sipfrag",
        "imdn+xml",
    ];
    media_type == "application/mbox"
        || media_type.strip_prefix("message/").is_some_and(|subtype| !REPORTS.contains(&subtype))
}

/// What a part is read as: a name makes systems open a file as a message, a page or a document whatever it is declared to be.
pub fn effective_type<'t>(media_type: &'t str, names: &[String]) -> &'t str {
    match () {
        () if names.iter().any(|name| is_message_name(name)) => "message/rfc822",
        () if names.iter().any(|name| is_page_name(name)) => PAGE,
        () if names.iter().any(|name| is_word_name(name)) => WORD,
        () => media_type,
    }
}

const PAGE: &str = "text/html";
const WORD: &str = "application/msword";

/// Whether a name makes systems open a file as a message.
pub fn is_message_name(name: &str) -> bool {
    has_extension(name, &["eml", "mht", "mhtml", "nws", "emlx", "mbox", "mbx"])
}

fn is_page_name(name: &str) -> bool {
    has_extension(name, &["htm", "html", "xhtml", "xht", "shtml"])
}

/// Names that Word opens. It takes a page in several parts (MHTML) for a document, whatever stands before it.
fn is_word_name(name: &str) -> bool {
    has_extension(name, &["doc", "dot", "docx", "docm", "rtf", "wbk"])
}

fn is_word_type(media_type: &str) -> bool {
    media_type == WORD || media_type.starts_with("application/vnd.ms-word")
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let name = name.trim_end_matches(['.', ' ']);
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| extensions.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Findings that are remembered.
const MAX_FINDINGS: usize = 100;
/// Octets that are decoded between two looks at time and bounds.
const CHUNK: usize = 64 << 10;

/// A walk under way.
pub(super) struct Walk<'w> {
    limits: ContentLimits,
    passwords: Vec<String>,
    has_time: &'w dyn Fn() -> bool,
    visit: &'w mut dyn FnMut(Member<'_>),
    octets_left: u64,
    members: usize,
    depth: usize,
    /// A bound of the whole walk was met.
    stopped: bool,
    findings: Vec<(Finding, String)>,
    /// Room for decoded octets.
    room: Vec<u8>,
}

/// What came out of a decoder.
pub(super) struct Unpacked {
    pub(super) octets: Vec<u8>,
    /// Why that is not all.
    pub(super) cut: Option<Finding>,
}

impl Walk<'_> {
    /// Opens content under every reader that its kinds have.
    fn open(&mut self, part: &str, names: &[String], kinds: &[Kind], octets: &[u8]) {
        if kinds.contains(&Kind::Html) {
            html::read(self, part, octets);
        }
        let is_text = kinds.iter().any(|kind| text_data::is_read_in(*kind));
        let has_data = is_text && text_data::may_be_in(octets);
        let mut readers: Vec<(Kind, Reader)> = Vec::new();
        for kind in kinds.iter().copied().filter(|kind| kind.is_container()) {
            let reader = kind.reader();
            let is_new = reader == Reader::Own || readers.iter().all(|(_, known)| *known != reader);
            readers.extend(is_new.then_some((kind, reader)));
        }
        if readers.is_empty() && !has_data || !self.may_go_on(part) {
            return;
        }
        if self.depth == self.limits.max_depth {
            self.note(Finding::LimitExceeded(Limit::Depth), part);
            return;
        }
        self.depth += 1;
        if has_data {
            text_data::read(self, &mut Level::new(part, false), octets);
        }
        for (kind, reader) in readers {
            // What is only found somewhere within may be chance, or belong to what it is found in.
            let is_first = kinds.first() == Some(&kind);
            let mut level = Level::new(part, is_first);
            level.names = names.to_vec();
            match reader {
                Reader::None => {}
                Reader::Unsupported => self.note(Finding::Unsupported(Unsupported::Kind), part),
                Reader::Zip => zip::read(self, &mut level, kind, octets),
                Reader::Ole => ole::read(self, &mut level, kind, octets),
                Reader::Own => self.open_own(&mut level, kind, octets),
            }
        }
        self.depth -= 1;
    }

    fn open_own(&mut self, level: &mut Level, kind: Kind, octets: &[u8]) {
        match kind {
            Kind::ActiveMime => active_mime::read(self, level, octets),
            Kind::Tar => tar::read(self, level, octets),
            Kind::Gzip | Kind::Bzip2 | Kind::Xz | Kind::Lzip | Kind::Lzma | Kind::Zstd => {
                compressed::read(self, level, kind, octets);
            }
            Kind::SevenZip => seven_zip::read(self, level, octets),
            Kind::Rar => rar::read(self, level, octets),
            Kind::Cab => cab::read(self, level, octets),
            Kind::Lha => lha::read(self, level, octets),
            Kind::Iso | Kind::Udf => iso::read(self, level, kind, octets),
            Kind::Pdf => pdf::read(self, level, octets),
            Kind::Rtf => rtf::read(self, level, octets),
            Kind::Message => message::read(self, level, octets),
            Kind::Tnef => tnef::read(self, level, octets),
            Kind::Uuencode => uuencode::read(self, level, octets),
            Kind::Yenc => yenc::read(self, level, octets),
            Kind::Pkcs7 => pkcs7::read(self, level, octets),
            Kind::Pgp => pgp::read(self, level, octets),
            Kind::OneNote => one_note::read(self, level, octets),
            _ => self.note(Finding::Unsupported(Unsupported::Kind), &level.part),
        }
    }

    /// Remembers what was come upon.
    pub(super) fn note(&mut self, finding: Finding, part: &str) {
        let is_known = self.findings.iter().any(|(known, place)| *known == finding && place == part);
        if !is_known && self.findings.len() < MAX_FINDINGS {
            self.findings.push((finding, part.to_owned()));
        }
    }

    /// Remembers that a container cannot be read, if it is one for certain.
    pub(super) fn damaged(&mut self, level: &Level) {
        if level.is_certain {
            self.note(Finding::Unsupported(Unsupported::Damaged), &level.part);
        }
    }

    /// Remembers what something has.
    pub(super) fn has(&mut self, what: Trait, part: &str) {
        self.note(Finding::Trait(what), part);
    }

    /// Whether no bound of the whole walk is met.
    pub(super) fn may_go_on(&mut self, part: &str) -> bool {
        if !self.stopped && !(self.has_time)() {
            self.stop(Limit::Time, part);
        }
        !self.stopped
    }

    fn stop(&mut self, limit: Limit, part: &str) {
        self.stopped = true;
        // It must not be lost among others.
        self.findings.truncate(MAX_FINDINGS - 1);
        self.note(Finding::LimitExceeded(limit), part);
    }

    /// Reads what a decoder gives, as far as the bounds allow. `packed`: octets that go into it.
    pub(super) fn unpack(&mut self, reader: &mut dyn Read, packed: u64, part: &str) -> Unpacked {
        let mut octets = Vec::new();
        let mut room = std::mem::take(&mut self.room);
        let cut = loop {
            if !self.may_go_on(part) {
                break Some(Finding::LimitExceeded(Limit::Time));
            }
            let count = match reader.read(&mut room) {
                Ok(0) => break None,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break Some(Finding::Unsupported(Unsupported::Damaged)),
            };
            octets.extend_from_slice(room.get(..count).unwrap_or_default());
            let so_far = octets.len() as u64;
            if so_far > self.octets_left {
                self.stop(Limit::Octets, part);
                break Some(Finding::LimitExceeded(Limit::Octets));
            }
            if so_far > self.limits.max_member {
                break Some(Finding::LimitExceeded(Limit::Member));
            }
            if so_far > RATIO_FLOOR && so_far / self.limits.max_ratio > packed {
                break Some(Finding::LimitExceeded(Limit::Ratio));
            }
        };
        self.room = room;
        self.octets_left = self.octets_left.saturating_sub(octets.len() as u64);
        Unpacked { octets, cut }
    }

    /// Tells of a member, and opens it. `names`: every name that it has.
    pub(super) fn member(
        &mut self,
        level: &mut Level,
        names: &[String],
        encoding: &str,
        unpacked: &Unpacked,
    ) {
        self.member_of_octets(level, names, encoding, &unpacked.octets, unpacked.cut);
    }

    /// The same, for octets that are part of the container as they are.
    pub(super) fn member_of_octets(
        &mut self,
        level: &mut Level,
        names: &[String],
        encoding: &str,
        octets: &[u8],
        cut: Option<Finding>,
    ) {
        let part = level.place(names);
        if !self.count(&part) {
            return;
        }
        let kinds = kinds_of(octets, level.media_type.take().as_deref(), names);
        let content = match cut {
            Some(finding) => {
                self.note(finding, &part);
                MemberContent::Cut(octets, finding)
            }
            None => MemberContent::Whole(octets),
        };
        (self.visit)(Member { part: &part, names, encoding, kinds: &kinds, content });
        if cut.is_none() {
            self.open(&part, names, &kinds, octets);
        }
    }

    /// Tells of a member that cannot be read.
    pub(super) fn unread(&mut self, level: &mut Level, names: &[String], encoding: &str, finding: Finding) {
        let part = level.place(names);
        if self.count(&part) {
            self.note(finding, &part);
            let content = MemberContent::Unread(finding);
            (self.visit)(Member { part: &part, names, encoding, kinds: &[], content });
        }
    }

    fn count(&mut self, part: &str) -> bool {
        if !self.may_go_on(part) {
            return false;
        }
        if self.members == self.limits.max_members {
            self.stop(Limit::Members, part);
            return false;
        }
        self.members += 1;
        true
    }
}

#[cfg(test)]
mod tests;
