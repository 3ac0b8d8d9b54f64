//! Looks where links in the texts of a message lead (B5).

use crate::content::links::{Link, Links, MAX_LINKS, in_html, in_text};
use crate::engine::link_list::Lists;
use crate::inspect::stage::ran;

/// Octets of a text in which links are looked for.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// Hosts that a row names.
const MAX_NAMED: usize = 3;
/// Octets of a host in a row.
const MAX_HOST: usize = 80;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// For the stage's row; none if there is no text.
    pub(super) row: Option<String>,
    /// Names of what links lead to that nobody should be led to.
    pub(super) listed: Vec<String>,
}

/// Whether a part is a text in which a mail program makes links.
pub(super) fn is_text(media_type: &str, names: &[String]) -> bool {
    let is_page = |name: &String| {
        let name = name.to_ascii_lowercase();
        [".html", ".htm", ".xhtml", ".shtml"].iter().any(|end| name.ends_with(end))
    };
    media_type.starts_with("text/") || media_type == "application/xhtml+xml" || names.iter().any(is_page)
}

/// Looks at every reading of a part.
pub(super) fn scan(texts: &[Vec<u8>], media_type: &str, lists: &Lists) -> Scanned {
    if texts.is_empty() {
        return Scanned::default();
    }
    let mut links = Links::default();
    for octets in texts {
        let text = String::from_utf8_lossy(octets);
        let is_page = media_type.contains("html");
        let mut found = if is_page { in_html(&text) } else { in_text(&text) };
        // What one program shows as text the next one shows as a page, whatever it is declared to be.
        if !is_page && ["href", "HREF"].iter().any(|mark| text.contains(mark)) {
            found.extend(in_html(&text));
        }
        for link in found {
            links.push(link);
        }
    }
    let links = links.into_vec();
    let mut said = vec![match links.len() {
        0 => "no links".to_owned(),
        1 => "1 link".to_owned(),
        MAX_LINKS => format!("the first {MAX_LINKS} links"),
        count => format!("{count} links"),
    }];
    if texts.iter().any(|text| text.len() >= MAX_TEXT) {
        said.push(format!("in the first {MAX_TEXT} octets"));
    }
    let mut listed = Vec::new();
    let found: Vec<(&Link, &str)> =
        links.iter().filter_map(|link| lists.find(link).map(|name| (link, name))).collect();
    for (link, name) in found.iter().take(MAX_NAMED) {
        said.push(format!("listed: {} ({name})", host(&link.host)));
        listed.push(format!("{name}: {}", host(&link.host)));
    }
    let lies = links.iter().filter_map(|link| Some((link, link.shown.as_deref()?)));
    for (link, shown) in lies.take(MAX_NAMED) {
        said.push(format!("shown as {} and leads to {}", host(shown), host(&link.host)));
    }
    Scanned { row: Some(ran(&said.join(", "))), listed }
}

fn host(host: &str) -> String {
    host.chars().take(MAX_HOST).collect()
}
