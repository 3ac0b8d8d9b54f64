//! Character sets, as far as they hide ASCII characters from whoever looks for those.

/// Octets in a character set as text: ASCII characters are themselves, whatever the set. Every other octet of what is neither
/// UTF-8 nor a set that hides ASCII becomes one character.
pub fn to_text(octets: &[u8], charset: &[u8]) -> String {
    let is = |name: &str| {
        charset.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    if ["utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs-4", "iso-10646", "unicode", "csunicode"]
        .iter()
        .any(|name| is(name))
        && octets.contains(&0)
    {
        return latin(&without_zeros(octets));
    }
    if is("utf-7") || is("unicode-1-1-utf-7") || is("csunicode11utf7") || is("utf7") {
        return latin(&from_utf7(octets));
    }
    if is("iso-2022") || is("hz") {
        return latin(&without_shifts(octets));
    }
    match std::str::from_utf8(octets) {
        Ok(text) if !is("iso-8859-1") => text.to_owned(),
        _ => latin(octets),
    }
}

fn latin(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(*octet)).collect()
}

/// A text as readers show it that know character sets, where that differs from its octets: each way that may be meant.
pub fn views(text: &[u8]) -> Vec<Vec<u8>> {
    let has = |octet| memchr::memchr(octet, text).is_some();
    let mut views = Vec::new();
    if has(0) {
        views.push(without_zeros(text));
    }
    if has(0x1b) || has(b'~') {
        views.push(without_shifts(text));
    }
    if memchr::memchr_iter(b'+', text).any(|at| text.get(at + 1) != Some(&b'H')) {
        views.push(from_utf7(text));
    }
    views
}

fn without_zeros(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().filter(|octet| *octet != 0).collect()
}

/// Without what changes the set within ISO 2022 (RFC 1468) and HZ (RFC 1843).
#[expect(clippy::unnested_or_patterns, reason = "two lengths of one thing")]
fn without_shifts(octets: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(octets.len()), octets);
    while let Some((&octet, after)) = rest.split_first() {
        rest = match (octet, after) {
            (0x0e | 0x0f, rest)
            | (0x1b, [b'$', b'(' | b')' | b'*' | b'+' | b'-' | b'.' | b'/', _, rest @ ..])
            | (0x1b, [b'$' | b'%' | b'&' | b'(' | b')' | b'*' | b'+' | b'-' | b'.' | b'/', _, rest @ ..])
            | (b'~', [b'{' | b'}' | b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..]) => rest,
            (b'~', [b'~', rest @ ..]) => {
                out.push(b'~');
                rest
            }
            _ => {
                out.push(octet);
                after
            }
        };
    }
    out
}

/// UTF-7, RFC 2152. Characters beyond Latin-1 become a question mark.
fn from_utf7(octets: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(octets.len()), octets);
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'+' {
            out.push(octet);
            continue;
        }
        if let Some(after) = after.strip_prefix(b"-") {
            out.push(b'+');
            rest = after;
            continue;
        }
        let (mut bits, mut count) = (0_u32, 0_u32);
        while let Some((value, after)) = rest.split_first().and_then(|(o, after)| Some((digit(*o)?, after))) {
            rest = after;
            bits = bits << 6 | value;
            count += 6;
            if count >= 16 {
                count -= 16;
                let unit = bits >> count & 0xffff;
                out.push(u8::try_from(unit).unwrap_or(b'?'));
                bits &= (1 << count) - 1;
            }
        }
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    out
}

fn digit(octet: u8) -> Option<u32> {
    let value = match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::{to_text, views};

    #[test]
    fn ascii_is_seen_in_every_set() {
        assert_eq!(to_text(b"\0a\0.\0e", b"UTF-16BE"), "a.e");
        assert_eq!(to_text(b"a\0.\0e\0", b"utf-16"), "a.e");
        assert_eq!(to_text(b"a+AC4-exe+-", b"utf-7"), "a.exe+");
        assert_eq!(to_text(b"a\x1b(B.ex\x1b$)Ce", b"iso-2022-jp"), "a.exe");
        assert_eq!(to_text(b"a~}.e~\nxe~~", b"hz-gb-2312"), "a.exe~");
        assert_eq!(to_text(b"\xe9.exe", b"x-unknown"), "é.exe");
        assert_eq!(to_text("é".as_bytes(), b"utf-8"), "é");
    }

    #[test]
    fn a_text_has_views_only_where_it_may_be_meant_otherwise() {
        assert!(views(b"Hello, world\r\n").is_empty());
        assert_eq!(views(b"X\0Y\0"), [b"XY".to_vec()]);
        assert_eq!(views(b"a\x1b(Bb"), [b"ab".to_vec()]);
        assert_eq!(views(b"a+AEI-c"), [b"aBc".to_vec()]);
    }
}
