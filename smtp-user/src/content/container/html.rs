//! HTML: pages that make a file in the browser of whoever opens them, so that no gateway sees it come.

use crate::content::container::Walk;
use crate::content::finding::Trait;

/// What makes a file of octets that a script has.
const MAKERS: [&[u8]; 5] =
    [b"createobjecturl", b"mssaveblob", b"mssaveoropenblob", b"new blob", b"new file("];

/// Looks at a page.
pub(super) fn read(walk: &mut Walk<'_>, part: &str, octets: &[u8]) {
    let page = octets.to_ascii_lowercase();
    let has = |needle: &[u8]| memchr::memmem::find(&page, needle).is_some();
    let makes = has(b"<script") && MAKERS.iter().any(|maker| has(maker));
    // An address that holds a file, and a link that saves it.
    let holds = has(b"data:application/") && (has(b" download") || has(b".download"));
    if makes || holds {
        walk.has(Trait::HtmlSmuggling, part);
    }
}
