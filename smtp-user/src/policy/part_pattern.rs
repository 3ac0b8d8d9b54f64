//! Patterns of names: `*` stands for any characters, `?` for one. Letters match in either case.

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPattern {
    text: String,
    folded: Vec<char>,
}

impl PartPattern {
    /// Of a text; every text is a pattern.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), folded: fold(text) }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a name matches as a whole. Time is bounded by the product of the lengths.
    pub fn matches(&self, name: &str) -> bool {
        self.matches_folded(&fold(name))
    }

    /// Whether everything that the other matches is matched by this one, as far as that can be told: a pattern matches
    /// another's text where wildcards stand for themselves.
    pub fn covers(&self, other: &Self) -> bool {
        // A `?` of the other may be any character, and only `*` and `?` match all of them.
        self.folded == other.folded || self.matches_folded(&other.folded) && !self.is_narrowed_by(other)
    }

    /// A wildcard of the other may stand for what this one matches only literally.
    fn is_narrowed_by(&self, other: &Self) -> bool {
        let wild = |c: &char| matches!(c, '*' | '?');
        other.folded.iter().any(wild) && self.folded.contains(&'?')
    }

    fn matches_folded(&self, name: &[char]) -> bool {
        let pattern = &self.folded;
        let (mut p, mut n) = (0, 0);
        // Where the last star stands, and how much it has taken.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match (pattern.get(p), name.get(n)) {
                (Some('*'), _) => {
                    star = Some((p, n));
                    p += 1;
                }
                (Some(wanted), Some(found)) if *wanted == '?' || wanted == found => {
                    p += 1;
                    n += 1;
                }
                _ => match &mut star {
                    Some((at, taken)) => {
                        *taken += 1;
                        (p, n) = (*at + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
    }
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::PartPattern;

    #[test]
    fn names_match_as_a_whole_and_in_either_case() {
        for (pattern, name, expected) in [
            ("*.exe", "a.EXE", true),
            ("*.exe", "a.exe.txt", false),
            ("*.EXE", ".exe", true),
            ("invoice*", "Invoice 7.pdf", true),
            ("application/*", "application/pdf", true),
            ("application/*", "text/plain", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("ÄRGER*", "ärger.doc", true),
        ] {
            assert_eq!(PartPattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let (pattern, name) = ("*a".repeat(100), "a".repeat(5000));
        assert!(PartPattern::new(&pattern).matches(&name));
        assert!(!PartPattern::new(&(pattern + "b")).matches(&name));
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow, expected) in [
            ("*", "*.exe", true),
            ("*.exe", "*.EXE", true),
            ("application/*", "application/pdf", true),
            ("*.exe", "*", false),
            ("a?", "a*", false),
            ("a?b", "a?b", true),
            ("*.pdf", "*.exe", false),
        ] {
            assert_eq!(
                PartPattern::new(wide).covers(&PartPattern::new(narrow)),
                expected,
                "{wide} covers {narrow}"
            );
        }
    }
}
