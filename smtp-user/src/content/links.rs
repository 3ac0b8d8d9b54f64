//! Links in text and HTML: where they lead, and whether what is shown says something else.
//!
//! Read as browsers do where that leads further: white space within an address is dropped, character references are
//! resolved, what stands before `@` is no host. Time is in proportion to the octets, and links are bounded in number.

use std::collections::HashSet;

use crate::wire::hex_escape;

/// Where something leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Scheme, host and what follows; host and scheme in lower case.
    pub url: String,
    /// The host alone.
    pub host: String,
    /// The host that is shown in its place, if another one is.
    pub shown: Option<String>,
}

/// Links of a part at most; more are not told apart from none.
pub const MAX_LINKS: usize = 1000;
/// Octets of an address at most.
const MAX_URL: usize = 2048;
/// Octets of what is shown for a link that are looked at.
const MAX_SHOWN: usize = 512;
/// Attributes that lead somewhere.
const ATTRIBUTES: [&str; 6] = ["href", "src", "action", "formaction", "data", "background"];

/// Links in plain text.
pub fn in_text(text: &str) -> Vec<Link> {
    let mut links = Links::default();
    let ends =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '|' | '{' | '}');
    for word in text.split(ends) {
        if links.is_full() {
            break;
        }
        if let Some(link) = word_link(word) {
            links.push(link);
        }
    }
    links.into_vec()
}

/// The address in a word, with whatever stands around it.
fn word_link(word: &str) -> Option<Link> {
    let lower = word.get(..word.len().min(MAX_URL)).unwrap_or(word).to_ascii_lowercase();
    let at = ["http://", "https://", "ftp://", "www."].iter().filter_map(|start| lower.find(start)).min()?;
    let address = word.get(at..)?.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '*', '_']);
    link(address)
}

/// Links in the order in which they came, each once.
#[derive(Debug, Default)]
pub struct Links {
    links: Vec<Link>,
    known: HashSet<Link>,
}

impl Links {
    /// Adds one that is not there yet, as long as there is room.
    pub fn push(&mut self, link: Link) {
        if !self.is_full() && self.known.insert(link.clone()) {
            self.links.push(link);
        }
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.links.len() >= MAX_LINKS
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Link> {
        self.links
    }
}

/// Reads an address that has a host.
fn link(address: &str) -> Option<Link> {
    // Browsers drop these wherever they stand, and take a backslash for a slash.
    let address: String = address
        .chars()
        .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
        .map(|c| if c == '\\' { '/' } else { c })
        .take(MAX_URL)
        .collect();
    let address = address.trim();
    let (scheme, rest) = match address.split_once(':') {
        Some((scheme, rest)) if ["http", "https", "ftp"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => {
            (scheme.to_ascii_lowercase(), rest.trim_start_matches('/'))
        }
        _ if address.starts_with("//") => ("https".to_owned(), address.trim_start_matches('/')),
        _ if address.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) => {
            ("http".to_owned(), address)
        }
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => host,
        _ => host,
    };
    let host = hex_escape::decode(b'%', host.as_bytes());
    let host = String::from_utf8_lossy(&host).trim_matches('.').to_lowercase();
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._[]:".contains(c));
    let path = path.split('#').next().unwrap_or_default();
    is_host.then(|| Link { url: format!("{scheme}://{host}{path}"), host, shown: None })
}

/// Links in HTML: of attributes, and of the text as a mail program would make them.
pub fn in_html(html: &str) -> Vec<Link> {
    let (mut links, mut text) = (Links::default(), String::new());
    let mut tags = TagEnds { patience: html.len().saturating_mul(4), comments_end: true };
    // The link that is open, and what is shown for it so far.
    let mut open: Option<(Link, String)> = None;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        show(before, &mut text, &mut open);
        if !tag
            .as_bytes()
            .get(1)
            .copied()
            .is_some_and(|next| next.is_ascii_alphabetic() || b"/!?".contains(&next))
        {
            // Not a tag but a sign.
            let (sign, after) = tag.split_at(1);
            show(sign, &mut text, &mut open);
            rest = after;
            continue;
        }
        let end = tags.end(tag);
        let (tag, after) = tag.split_at(end);
        rest = after;
        let name: String = tag
            .trim_start_matches('<')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .collect();
        let name = name.to_ascii_lowercase();
        if !matches!(
            name.as_str(),
            "b" | "i" | "u" | "em" | "strong" | "span" | "font" | "/span" | "/b" | "/i"
        ) {
            // Words do not go on behind it.
            text.push(' ');
        }
        if matches!(name.as_str(), "a" | "/a") {
            close(open.take(), &mut links);
        }
        for address in attributes(tag) {
            let Some(link) = link(&address) else { continue };
            if name == "a" && open.is_none() {
                open = Some((link, String::new()));
            } else {
                links.push(link);
            }
        }
    }
    show(rest, &mut text, &mut open);
    close(open, &mut links);
    for link in in_text(&text) {
        links.push(link);
    }
    links.into_vec()
}

fn show(piece: &str, text: &mut String, open: &mut Option<(Link, String)>) {
    let piece = resolved(piece);
    match open {
        // What is shown for a link is no link of its own.
        Some((_, shown)) if shown.len() < MAX_SHOWN => shown.extend(piece.chars().take(MAX_SHOWN)),
        Some(_) => {}
        None => text.push_str(&piece),
    }
}

/// Ends a link, and compares it with what was shown for it.
fn close(open: Option<(Link, String)>, links: &mut Links) {
    let Some((mut link, shown)) = open else { return };
    link.shown =
        shown_host(&shown).filter(|shown| !is_within(shown, &link.host) && !is_within(&link.host, shown));
    links.push(link);
}

/// The host that somebody reads, if what is shown is an address: one word, with a dot in its host.
fn shown_host(shown: &str) -> Option<String> {
    let mut words = shown.split_whitespace();
    let (word, None) = (words.next()?, words.next()) else { return None };
    if let Some(link) = word_link(word) {
        return Some(link.host);
    }
    let host = word.split('/').next().unwrap_or_default();
    let is_name = host.contains('.')
        && !host.contains('@')
        && host.split('.').all(|label| !label.is_empty())
        && host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.len() >= 2 && last.chars().all(char::is_alphabetic));
    is_name.then(|| link(&format!("http://{word}")).map(|link| link.host)).flatten()
}

/// Whether a host is another one or below it.
pub fn is_within(host: &str, of: &str) -> bool {
    let of = of.strip_prefix("www.").unwrap_or(of);
    host == of || host.strip_suffix(of).is_some_and(|before| before.ends_with('.'))
}

/// Says where tags end.
struct TagEnds {
    /// Octets that may yet be looked at in vain: without a bound, tags that never end cost the square of their number.
    patience: usize,
    /// No comment was seen yet that does not end: none behind it would either.
    comments_end: bool,
}

impl TagEnds {
    /// Where a tag ends, quoted values not counted; one that does not end is all that is left.
    fn end(&mut self, tag: &str) -> usize {
        if self.comments_end && tag.starts_with("<!--") {
            match tag.find("-->") {
                Some(at) => return at + 3,
                None => self.comments_end = false,
            }
        }
        let Some(first) = tag.find('>') else { return tag.len() };
        let mut quote = None;
        for (at, octet) in tag.bytes().enumerate().take(self.patience.min(MAX_TAG)) {
            match (quote, octet) {
                (None, b'>') => return at + 1,
                (None, b'"' | b'\'') => quote = Some(octet),
                (Some(open), octet) if octet == open => quote = None,
                _ => {}
            }
        }
        self.patience = self.patience.saturating_sub(MAX_TAG);
        first + 1
    }
}

/// Octets of a tag that are looked at: an end that is further away is none.
const MAX_TAG: usize = 16 << 10;

/// Values of those attributes of a tag that lead somewhere.
fn attributes(tag: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = tag.trim_start_matches('<').trim_end_matches('>');
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at);
        let name =
            before.trim_end().rsplit(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).next();
        let after = after.get(1..).unwrap_or_default().trim_start();
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = after.get(1..).unwrap_or_default();
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if name.is_some_and(|name| ATTRIBUTES.iter().any(|it| name.eq_ignore_ascii_case(it))) {
            values.push(resolved(value));
        }
        rest = next;
    }
    values
}

/// With character references resolved that an address may have in it.
fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let body: String = reference
            .chars()
            .skip(1)
            .take(10)
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '#')
            .collect();
        let number = body.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        let named = [
            ("amp", '&'),
            ("lt", '<'),
            ("gt", '>'),
            ("quot", '"'),
            ("colon", ':'),
            ("sol", '/'),
            ("period", '.'),
            ("nbsp", ' '),
            ("Tab", '\t'),
            ("NewLine", '\n'),
        ];
        let named = named.iter().find(|(name, _)| *name == body).map(|(_, c)| *c);
        if let Some(c) = number.and_then(char::from_u32).or(named) {
            out.push(c);
            let after = reference.get(1 + body.len()..).unwrap_or_default();
            rest = after.strip_prefix(';').unwrap_or(after);
        } else {
            out.push('&');
            rest = reference.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
