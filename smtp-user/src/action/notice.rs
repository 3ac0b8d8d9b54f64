//! What stands in place of a part that was taken out or locked: a text for whoever gets the message.
//!
//! The template is lines; `{name}` and the like stand for what is known. A line of which something is not known is
//! left out: no reader ever sees an empty field.

use std::fmt::Write as _;

/// The template if none is configured.
pub const DEFAULT_TEMPLATE: &str = "\
The mail gateway {action} an attachment of this message.

Cause:        {cause}
File name:    {name}
Content type: {type}
Found:        {found}
Message:      {message}

{advice}
";

/// What a template can name.
pub const VARIABLES: [&str; 7] = ["action", "cause", "name", "type", "found", "message", "advice"];

/// What is known of a part that was taken out or locked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'f> {
    /// Whether it was locked, and not taken out.
    pub is_locked: bool,
    /// Why.
    pub cause: &'f str,
    /// Its file name; empty if it has none.
    pub name: &'f str,
    /// What it is.
    pub media_type: &'f str,
    /// What was found in it; empty if nothing was.
    pub found: &'f str,
    /// The message's name in the records.
    pub message: &'f str,
}

impl Facts<'_> {
    fn value(&self, variable: &str) -> Option<String> {
        let text = match (variable, self.is_locked) {
            ("action", true) => "locked",
            ("action", false) => "removed",
            ("advice", true) => {
                "The file is still attached, in a form that does not open. An administrator of the gateway can unlock it."
            }
            ("advice", false) => {
                "An administrator of the gateway can say whether it was kept; the name of the message helps to find it."
            }
            ("cause", _) => self.cause,
            ("name", _) => self.name,
            ("type", _) => self.media_type,
            ("found", _) => self.found,
            ("message", _) => self.message,
            _ => "",
        };
        let text: String =
            text.chars().map(|c| if may_be_shown(c) { c } else { ' ' }).take(MAX_VALUE).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Not what ends a line, nor what turns the direction of writing so that a name reads as another.
fn may_be_shown(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Characters of a value that are shown.
const MAX_VALUE: usize = 300;

/// A template that names nothing unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self(DEFAULT_TEMPLATE.to_owned())
    }
}

impl Template {
    /// Reads a template; gives the first name in braces that nothing stands behind.
    pub fn parse(text: &str) -> Result<Self, String> {
        for line in text.lines() {
            for variable in variables(line) {
                if !VARIABLES.contains(&variable) {
                    return Err(variable.to_owned());
                }
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, with CRLF behind each line; that of the default where nothing is left of this one.
    pub fn render(&self, facts: &Facts<'_>) -> String {
        let text = render(&self.0, facts);
        if text.trim().is_empty() { render(DEFAULT_TEMPLATE, facts) } else { text }
    }
}

fn render(template: &str, facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for line in template.lines().filter_map(|line| fill(line, facts)) {
        // Writing to a string does not fail.
        let _ = write!(text, "{line}\r\n");
    }
    text
}

fn variables(line: &str) -> impl Iterator<Item = &str> {
    line.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(variable, _)| variable)
}

/// A line with its values; `None` if one of them is not known.
fn fill(line: &str, facts: &Facts<'_>) -> Option<String> {
    let mut pieces = line.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if let Some((variable, rest)) = piece.split_once('}') {
            text.push_str(&facts.value(variable)?);
            text.push_str(rest);
        } else {
            text.push('{');
            text.push_str(piece);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Facts, Template};

    fn facts() -> Facts<'static> {
        Facts {
            is_locked: false,
            cause: "programs are not let in",
            name: "a.exe",
            media_type: "application/pdf",
            found: "Eicar-Test-Signature",
            message: "x.1",
        }
    }

    #[test]
    fn every_field_is_filled_in() {
        let text = Template::default().render(&facts());
        for wanted in ["removed", "programs are not let in", "a.exe", "application/pdf", "Eicar", "x.1"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(!text.contains(['{', '}']), "{text}");
    }

    #[test]
    fn a_field_without_a_value_has_no_line() {
        let text = Template::default().render(&Facts { name: "", found: " \r\n", ..facts() });
        assert!(!text.contains("File name") && !text.contains("Found"), "{text}");
        assert!(text.contains("Content type: application/pdf\r\n"), "{text}");
    }

    #[test]
    fn unknown_fields_are_mistakes() {
        assert_eq!(Template::parse("a {virus} b"), Err("virus".to_owned()));
        assert!(Template::parse("a {name} { b").is_ok());
    }

    #[test]
    fn a_template_of_which_nothing_is_left_gives_the_default() {
        let text = Template::parse("Found: {found}\n").unwrap().render(&Facts { found: "", ..facts() });
        assert!(text.contains("removed an attachment"), "{text}");
    }

    #[test]
    fn no_name_turns_the_line_around() {
        let text = Template::default().render(&Facts { name: "a\u{202e}fdp.exe", ..facts() });
        assert!(text.contains("File name:    a fdp.exe\r\n"), "{text}");
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_its_line(name: String, found: String) {
            let text = Template::default().render(&Facts { name: &name, found: &found, ..facts() });
            let most = Template::default().render(&facts()).lines().count();
            prop_assert!(text.lines().count() <= most);
            prop_assert!(text.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
        }

        /// Whatever is known or not: no field without a value, no name of one.
        #[test]
        fn no_field_is_ever_empty(
            cause in "[ \t]*|[a-z]{1,9}", name in "[ \r\n]*|[a-z]{1,9}", media_type in "|[a-z]{1,9}",
            found in "\u{202e}?|[a-z]{1,9}", message in "|[a-z]{1,9}", is_locked: bool,
        ) {
            let facts = Facts {
                is_locked, cause: &cause, name: &name, media_type: &media_type, found: &found, message: &message,
            };
            let text = Template::default().render(&facts);
            prop_assert!(!text.contains("(none)"), "{}", text);
            prop_assert!(text.lines().all(|line| !line.trim_end().ends_with(':')), "{}", text);
            for (label, value) in [("Cause:", &cause), ("File name:", &name), ("Found:", &found)] {
                let known = value.contains(|c: char| c.is_ascii_lowercase());
                prop_assert_eq!(text.contains(label), known, "{} {}", label, text);
            }
        }
    }
}
