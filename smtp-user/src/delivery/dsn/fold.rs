//! Long lines of a report, broken between words.

/// Octets that a line has where its words allow it (RFC 5322 §2.1.1).
const WIDTH: usize = 78;
/// Octets that no line has more than: a word that is longer is broken too. Servers refuse lines of more than 998.
const MOST: usize = 900;

/// Breaks a line so that it can be sent. Every further line begins with `indent`, which stands in place of the space before
/// its first word.
pub(super) fn folded(line: &str, indent: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 16);
    let mut column = 0;
    for (number, word) in line.split(' ').enumerate() {
        // A line is not broken before its first word.
        let is_begun = !folded.trim_start_matches(' ').is_empty();
        if is_begun && !word.is_empty() && column + 1 + word.len() > WIDTH {
            folded.push_str("\r\n");
            folded.push_str(indent);
            column = indent.len();
        } else if number > 0 {
            folded.push(' ');
            column += 1;
        }
        for c in word.chars() {
            if column + c.len_utf8() > MOST {
                folded.push_str("\r\n");
                folded.push_str(indent);
                column = indent.len();
            }
            folded.push(c);
            column += c.len_utf8();
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn lines_are_broken_between_words() {
        let line = format!("    {}last", "word ".repeat(30));
        let text = folded(&line, "    ");
        assert!(text.split("\r\n").count() > 1, "{text}");
        assert!(text.split("\r\n").all(|line| line.len() <= 78 && line.starts_with("    ")), "{text}");
        assert_eq!(text.replace("\r\n    ", " "), line);
        assert_eq!(folded("  short", "  "), "  short");
    }

    #[test]
    fn no_line_is_longer_than_servers_take() {
        for long in ["x".repeat(5000), "€".repeat(2000), format!("a {} b", "ä".repeat(1500))] {
            let text = folded(&format!("    {long}"), "    ");
            assert!(text.split("\r\n").all(|line| line.len() <= 900), "{text}");
            assert_eq!(text.replace(['\r', '\n', ' '], ""), long.replace(' ', ""));
        }
    }
}
