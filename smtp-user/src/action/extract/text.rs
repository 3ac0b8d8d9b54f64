//! The text of a page, for a reader that shows nothing else: what is written in it, a line for each paragraph, and where its
//! links lead. Nothing in it runs or loads.

mod references;

use std::cell::RefCell;
use std::rc::Rc;

use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{HtmlRewriter, MemorySettings, Settings, doc_text, element};

use self::references::resolved;
use super::ExtractError;
use super::markup::{MEMORY, failed, readable_as_ascii};

/// Elements that begin and end a line.
const LINES: [&str; 25] = [
    "address", "article", "aside", "caption", "center", "dd", "div", "dt", "fieldset", "figure", "footer",
    "form", "header", "hr", "legend", "li", "main", "nav", "option", "section", "summary", "tbody", "thead",
    "title", "tr",
];
/// Elements with an empty line around them.
const PARAGRAPHS: [&str; 13] =
    ["blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"];
/// Characters of an address that are shown.
const MAX_ADDRESS: usize = 1000;
/// Octets at the start of a page in which it says its code.
const HEAD: usize = 1024;

/// The text of a page, with CRLF. `charset` is what its declared type says of its code.
pub fn text(octets: &[u8], charset: Option<&str>) -> Result<String, ExtractError> {
    readable_as_ascii(octets)?;
    let page = decoded(octets, charset)?;
    let rendered = Rc::new(RefCell::new(Rendered::default()));
    let (of_elements, of_texts) = (Rc::clone(&rendered), Rc::clone(&rendered));
    let settings = Settings::new()
        .append_element_content_handler(element!("*", move |element| {
            begin(element, &of_elements);
            Ok(())
        }))
        .append_document_content_handler(doc_text!(move |chunk: &mut TextChunk<'_>| {
            of_texts.borrow_mut().chunk(chunk);
            Ok(())
        }))
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(page.as_bytes()).map_err(failed)?;
    rewriter.end().map_err(failed)?;
    let text = rendered.take().finish();
    Ok(text)
}

/// In the code that it is declared to be of; else in that which it names, in UTF-8 if it can be that, or as browsers take it.
fn decoded(octets: &[u8], charset: Option<&str>) -> Result<String, ExtractError> {
    let without_mark = octets.strip_prefix(b"\xef\xbb\xbf");
    let encoding = match (without_mark, charset.map(str::to_owned).or_else(|| named(octets))) {
        (Some(_), _) => encoding_rs::UTF_8,
        (None, Some(label)) => encoding_rs::Encoding::for_label(label.as_bytes())
            .ok_or(ExtractError::Uncertain("nobody here knows its code"))?,
        (None, None) if std::str::from_utf8(octets).is_ok() => encoding_rs::UTF_8,
        (None, None) => encoding_rs::WINDOWS_1252,
    };
    if !encoding.is_ascii_compatible() {
        return Err(ExtractError::Uncertain("its code has other octets for letters"));
    }
    let (text, _) = encoding.decode_without_bom_handling(without_mark.unwrap_or(octets));
    Ok(text.into_owned())
}

/// The code that a page names in its head.
fn named(octets: &[u8]) -> Option<String> {
    let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default().to_ascii_lowercase();
    let at = memchr::memmem::find(&head, b"charset")? + "charset".len();
    let value = head.get(at..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let is_end = |octet: &u8| !(octet.is_ascii_alphanumeric() || b"-_:.".contains(octet));
    let end = value.iter().position(is_end).unwrap_or(value.len());
    std::str::from_utf8(value.get(..end)?).ok().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The text so far.
#[derive(Default)]
struct Rendered {
    out: String,
    /// Line ends that come before the next word.
    lines: usize,
    /// A blank comes before the next word.
    is_apart: bool,
    /// Elements that keep their line ends.
    kept: usize,
    /// Links that are open: where they lead, and where what is shown for them begins.
    links: Vec<(String, usize)>,
    /// A text that comes in pieces.
    pieces: String,
}

fn begin(element: &mut Element<'_, '_>, rendered: &Rc<RefCell<Rendered>>) {
    let name = element.tag_name();
    let attribute =
        |name: &str| element.get_attribute(name).map(|value| resolved(&value)).unwrap_or_default();
    {
        let mut page = rendered.borrow_mut();
        page.settle();
        page.around(&name);
        match name.as_str() {
            "br" => page.line_end(),
            "li" => page.words("- "),
            "td" | "th" => page.is_apart = true,
            "img" | "area" => page.words(&attribute("alt")),
            "a" => {
                let start = page.out.len();
                page.links.push((address(&attribute("href")), start));
            }
            "pre" | "listing" => page.kept += 1,
            _ => {}
        }
    }
    let Some(handlers) = element.end_tag_handlers() else { return };
    let rendered = Rc::clone(rendered);
    handlers.push(Box::new(move |_| {
        let mut page = rendered.borrow_mut();
        page.settle();
        match name.as_str() {
            "a" => page.link_end(),
            "pre" | "listing" => page.kept = page.kept.saturating_sub(1),
            _ => {}
        }
        page.around(&name);
        Ok(())
    }));
}

/// An address that a person can call, or nothing.
fn address(value: &str) -> String {
    let address: String =
        value.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(MAX_ADDRESS).collect();
    let is_known = ["http:", "https:", "ftp:", "mailto:", "tel:"]
        .iter()
        .any(|scheme| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if is_known { address } else { String::new() }
}

impl Rendered {
    fn chunk(&mut self, chunk: &TextChunk<'_>) {
        // Scripts, styles and titles are of other types.
        if chunk.text_type() == TextType::Data {
            self.pieces.push_str(chunk.as_str());
            if chunk.last_in_text_node() {
                self.settle();
            }
        }
    }

    /// Writes what came in pieces.
    fn settle(&mut self) {
        let text = std::mem::take(&mut self.pieces);
        if !text.is_empty() {
            self.words(&resolved(&text));
        }
    }

    /// Adds text; blanks and line ends in it are one blank, unless they are kept.
    fn words(&mut self, text: &str) {
        if self.kept > 0 {
            self.before_word();
            self.out.extend(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')));
            return;
        }
        for (index, word) in text.split(|c: char| c.is_ascii_whitespace()).enumerate() {
            self.is_apart |= index > 0;
            if !word.is_empty() {
                self.before_word();
                self.out.extend(word.chars().filter(|c| !c.is_control()));
            }
        }
    }

    fn before_word(&mut self) {
        if self.out.is_empty() {
            self.lines = 0;
        } else if self.lines > 0 {
            self.out.extend(std::iter::repeat_n('\n', self.lines));
        } else if self.is_apart && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        (self.lines, self.is_apart) = (0, false);
    }

    /// Ends the line, whatever comes.
    fn line_end(&mut self) {
        self.lines = (self.lines + 1).min(2);
    }

    /// Ends the line if one has begun.
    fn line(&mut self) {
        self.lines = self.lines.max(1);
    }

    fn around(&mut self, name: &str) {
        if LINES.contains(&name) {
            self.line();
        } else if PARAGRAPHS.contains(&name) {
            self.lines = 2;
        }
    }

    /// Says where a link leads, unless that is what is shown for it.
    fn link_end(&mut self) {
        let Some((address, start)) = self.links.pop() else { return };
        let shown = self.out.get(start..).unwrap_or_default();
        let bare = address.strip_prefix("mailto:").unwrap_or(&address);
        if !address.is_empty() && !shown.contains(bare) {
            self.before_word();
            let apart = if self.out.ends_with([' ', '\n']) || self.out.is_empty() { "" } else { " " };
            self.out.extend([apart, "<", bare, ">"]);
        }
    }

    /// With CRLF, and no blanks at ends of lines.
    fn finish(mut self) -> String {
        self.settle();
        let lines: Vec<&str> = self.out.trim_end().split('\n').map(str::trim_end).collect();
        let mut text = lines.join("\r\n");
        text.push_str("\r\n");
        text
    }
}

#[cfg(test)]
mod tests;
