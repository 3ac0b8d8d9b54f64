//! Numbers of members: where something stands in a part, in words that can be shown.

use std::collections::HashSet;

/// One container that is being read.
#[derive(Debug)]
pub(crate) struct Level {
    /// Number of the part, and the way to the container.
    pub(super) part: String,
    /// Whether it is a container for certain, and not perhaps by chance.
    pub(super) is_certain: bool,
    /// Declared type of the next member, where the container declares any.
    pub(super) media_type: Option<String>,
    /// Names of the container.
    pub(super) names: Vec<String>,
    /// Whether it is a document, whose members have meanings.
    pub(super) is_document: bool,
    /// Members so far.
    count: usize,
    used: HashSet<String>,
}

/// Characters of a name that is shown in a number.
const MAX_SHOWN: usize = 120;

impl Level {
    pub(crate) fn new(part: &str, is_certain: bool) -> Self {
        Self {
            part: part.to_owned(),
            is_certain,
            media_type: None,
            names: Vec::new(),
            is_document: false,
            count: 0,
            used: HashSet::new(),
        }
    }

    /// The number of the next member: its name, or which one it is where the name is odd or used before.
    pub(crate) fn place(&mut self, names: &[String]) -> String {
        self.count += 1;
        let name = names.first().and_then(|name| shown(name)).filter(|name| !self.used.contains(name));
        let name = name.unwrap_or_else(|| {
            let mut number = self.count.to_string();
            while self.used.contains(&number) {
                number.insert(0, '0');
            }
            number
        });
        let place = format!("{}/{name}", self.part);
        self.used.insert(name);
        place
    }
}

fn shown(name: &str) -> Option<String> {
    let name = name.replace('\\', "/");
    let is_odd = |component: &str| matches!(component, "" | "." | "..");
    let sound = name.chars().count() <= MAX_SHOWN
        && !name.chars().any(|c| c.is_control() || is_formatting(c))
        && !name.split('/').any(is_odd);
    sound.then_some(name)
}

/// Characters that change the direction of writing, or are not seen.
const fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

/// Whether a name leads out of the folder into which somebody unpacks it.
pub(super) fn is_unsafe(name: &str) -> bool {
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    drive
        || name.starts_with(['/', '\\'])
        || name.contains('\0')
        || name.split(['/', '\\']).any(|component| component == "..")
}

#[cfg(test)]
mod tests {
    use super::{Level, is_unsafe};

    #[test]
    fn numbers_are_names_where_names_can_be_shown() {
        let mut level = Level::new("2", true);
        let mut place = |name: &str| level.place(&[name.to_owned()]);
        assert_eq!(place("docs/a.exe"), "2/docs/a.exe");
        assert_eq!(place("docs/a.exe"), "2/2");
        assert_eq!(place("../a"), "2/3");
        assert_eq!(place("a\u{202e}exe"), "2/4");
        assert_eq!(place("a\\b"), "2/a/b");
        assert_eq!(place("7"), "2/7");
        assert_eq!(place(""), "2/07");
        assert_eq!(Level::new("1", true).place(&[]), "1/1");
    }

    #[test]
    fn names_that_lead_out() {
        for name in ["/etc/passwd", "a/../../b", "..\\a", "C:\\a", "a\0b"] {
            assert!(is_unsafe(name), "{name}");
        }
        assert!(!is_unsafe("a/..b/c"));
    }
}
