//! Delimiter lines, RFC 2046 §5.1.1.

/// A line that begins with two hyphens, compared with a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DelimiterMatch {
    /// The delimiter between parts, or before the first.
    Delimiter,
    /// The delimiter behind the last part.
    Close,
    /// It begins like a delimiter and goes on.
    WithText,
    /// Another line.
    No,
}

/// Compares a line without its end.
pub(super) fn compare(line: &[u8], boundary: &[u8]) -> DelimiterMatch {
    let Some(after) = line.strip_prefix(b"--") else { return DelimiterMatch::No };
    let Some(rest) = after.strip_prefix(boundary) else {
        // Letters in the other case make another boundary, and not for every reader.
        let start = after.get(..boundary.len()).unwrap_or_default();
        let is_alike = !boundary.is_empty() && start.eq_ignore_ascii_case(boundary);
        return if is_alike { DelimiterMatch::WithText } else { DelimiterMatch::No };
    };
    let is_padding = |rest: &[u8]| rest.iter().all(|octet| matches!(octet, b' ' | b'\t' | b'\r'));
    match rest.strip_prefix(b"--") {
        _ if is_padding(rest) => DelimiterMatch::Delimiter,
        Some(after) if is_padding(after) => DelimiterMatch::Close,
        _ => DelimiterMatch::WithText,
    }
}

#[cfg(test)]
mod tests {
    use super::DelimiterMatch::{Close, Delimiter, No, WithText};
    use super::compare;

    #[test]
    fn lines_against_a_boundary() {
        for (line, expected) in [
            ("--a", Delimiter),
            ("--a \t", Delimiter),
            ("--a--", Close),
            ("--a-- ", Close),
            ("--ab", WithText),
            ("--a--b", WithText),
            ("--a-", WithText),
            ("--a\x0b", WithText),
            ("--", No),
            ("a", No),
            ("-a", No),
            ("--A", WithText),
        ] {
            assert_eq!(compare(line.as_bytes(), b"a"), expected, "{line:?}");
        }
    }
}
