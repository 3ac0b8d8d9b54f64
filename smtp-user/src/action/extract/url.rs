//! What an address in markup does when somebody follows it.

/// Schemes that lead to something that is looked at, or to somebody.
const HARMLESS: [&str; 15] = [
    "http", "https", "mailto", "tel", "sms", "cid", "mid", "ftp", "news", "sip", "sips", "xmpp", "geo",
    "webcal", "about",
];
/// What `data:` addresses may hold: pictures that cannot run anything.
const PICTURES: [&str; 6] = ["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/bmp"];

/// Whether following an address can run something. What cannot be read for certain can.
pub(super) fn is_active(value: &str) -> bool {
    let text = readable(value);
    let Some((scheme, rest)) = text.split_once(':') else { return scheme_is_hidden(&text) };
    if scheme.contains(['/', '?', '#']) {
        // A path, with a colon somewhere in it.
        return scheme_is_hidden(scheme);
    }
    if scheme == "data" {
        return !PICTURES.iter().any(|picture| rest.starts_with(picture));
    }
    !HARMLESS.contains(&scheme)
}

/// A character reference that is not known could be the colon.
fn scheme_is_hidden(text: &str) -> bool {
    let scheme = text.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.contains('&') && scheme.contains(';')
}

/// As a browser reads it: character references resolved, and what it skips left out; in lower case.
pub(super) fn readable(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        text.push_str(before);
        let (character, length) = resolve(reference).unwrap_or(('&', 1));
        text.push(character);
        rest = reference.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    text.retain(|c| !c.is_control() && !c.is_whitespace());
    text.make_ascii_lowercase();
    text
}

/// The character of a reference at the start of a text, and how long the reference is.
fn resolve(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 9] = [
        ("&colon;", ':'),
        ("&tab;", '\t'),
        ("&newline;", '\n'),
        ("&sol;", '/'),
        ("&num;", '#'),
        ("&quest;", '?'),
        ("&lpar;", '('),
        ("&rpar;", ')'),
        ("&amp;", '&'),
    ];
    let Some(digits) = text.strip_prefix("&#") else { return named(text, &NAMED) };
    let (digits, radix) = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let count = digits.chars().take_while(|c| c.is_digit(radix)).count();
    let number = digits.get(..count).filter(|number| !number.is_empty())?;
    let start = text.len() - digits.len();
    let end = start + count + usize::from(digits.get(count..).is_some_and(|rest| rest.starts_with(';')));
    let number = number.trim_start_matches('0');
    let code = if number.is_empty() { 0 } else { u32::from_str_radix(number, radix).unwrap_or(u32::MAX) };
    Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), end))
}

fn named(text: &str, names: &[(&str, char)]) -> Option<(char, usize)> {
    names
        .iter()
        .find(|(name, _)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .map(|(name, character)| (*character, name.len()))
}

#[cfg(test)]
mod tests {
    use super::is_active;

    #[test]
    fn addresses_that_run_something() {
        for address in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\tscript:x",
            "java&#115;cript:x",
            "java&#x73;cript&colon;x",
            "&#0000106avascript:x",
            "javascript&unknown;x",
            "vbscript:x",
            "data:text/html,<script>",
            "data:image/svg+xml,<svg>",
            "ms-msdt:/id",
            "search-ms:query=x",
            "file:///c:/x",
        ] {
            assert!(is_active(address), "{address}");
        }
    }

    #[test]
    fn addresses_that_do_not() {
        for address in [
            "https://a.example/?a=b&c=d:e",
            "HTTP://a.example/",
            "mailto:a@b.example",
            "cid:part1@a",
            "#top",
            "",
            "a/b:c",
            "?a=b&amp;c=d",
            "/a?x&y;z",
            "data:image/png;base64,AAAA",
        ] {
            assert!(!is_active(address), "{address}");
        }
    }
}
