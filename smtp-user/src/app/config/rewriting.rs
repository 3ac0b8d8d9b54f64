//! The `[inspection.rewrite]` table: how parts of a message are replaced, and what follows where that may not be.

use std::ops::Range;
use std::str::FromStr;

use toml::de::DeTable;

use crate::action::notice::{Template, VARIABLES};
use crate::app::config::document::Notes;
use crate::app::config::problem::ConfigProblem;
use crate::inspect::config::{PageCopy, Rewriting};
use crate::model::decision::MessageAction;
use crate::policy::action::UnknownWord;
use crate::policy::suggest::{closest, quoted_list};
use crate::policy::toml_table::TableReader;

const KEYS: &[&str] =
    &["not_possible", "signed", "dkim", "notice", "html", "weed_elements", "weed_attributes"];

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> Rewriting {
    let mut reader = TableReader::new(table, span, "[inspection.rewrite]", KEYS);
    let mut rewriting = Rewriting::default();
    if let Some(Stopping(action)) = reader.word("not_possible") {
        rewriting.not_possible = action;
    }
    for (key, place) in [("signed", &mut rewriting.signed), ("dkim", &mut rewriting.dkim)] {
        if let Some(WhenSigned(action)) = reader.word(key) {
            *place = action;
        }
    }
    if let Some(text) = reader.text("notice") {
        match Template::parse(text.get_ref()) {
            Ok(template) => rewriting.notice = template,
            Err(variable) => {
                let suggestion = closest(&variable, VARIABLES).map(|known| format!("{{{known}}}"));
                let expected = quoted_list(VARIABLES);
                notes.error(text.span(), ConfigProblem::NotAVariable { variable, expected, suggestion });
            }
        }
    }
    if let Some(Pages(pages)) = reader.word("html") {
        rewriting.pages = pages;
    }
    let weeds = &mut rewriting.weeds;
    for (key, place) in [("weed_elements", &mut weeds.elements), ("weed_attributes", &mut weeds.attributes)] {
        if reader.span_of(key).is_some() {
            *place = markup_names(&mut reader, key, notes);
        }
    }
    notes.adopt(reader.finish());
    rewriting
}

/// What keeps a message from the next hop, as a word.
struct Stopping(MessageAction);

impl FromStr for Stopping {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "refuse" => Ok(Self(MessageAction::Refuse)),
            "defer" => Ok(Self(MessageAction::Defer)),
            "quarantine" => Ok(Self(MessageAction::Quarantine)),
            _ => {
                let known = ["refuse", "defer", "quarantine"];
                Err(UnknownWord::new(text, "an action on a message that cannot be rewritten", &known))
            }
        }
    }
}

/// Names of elements or attributes.
fn markup_names(reader: &mut TableReader<'_>, key: &'static str, notes: &mut Notes) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut names = Vec::new();
    for text in reader.texts(key) {
        let name = text.get_ref();
        if name.is_empty() || !name.chars().all(is_name) {
            notes.error(text.span(), ConfigProblem::NotMarkup { name: (*name).to_owned() });
        }
        names.push(name.to_ascii_lowercase());
    }
    names
}

/// What the safe copy of a page is, as a word.
struct Pages(PageCopy);

impl FromStr for Pages {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "weed" => Ok(Self(PageCopy::Page)),
            "text" => Ok(Self(PageCopy::Text)),
            _ => Err(UnknownWord::new(text, "a kind of copy of a page", &["weed", "text"])),
        }
    }
}

/// What is done with signed mail, as a word.
struct WhenSigned(MessageAction);

impl FromStr for WhenSigned {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        if text == "rewrite" {
            return Ok(Self(MessageAction::Rewrite));
        }
        Stopping::from_str(text).map(|Stopping(action)| Self(action)).map_err(|_| {
            let known = ["rewrite", "refuse", "defer", "quarantine"];
            UnknownWord::new(text, "an action on a signed message", &known)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::action::extract::Weeds;
    use crate::action::notice::Template;
    use crate::app::config::Config;
    use crate::inspect::config::{PageCopy, Rewriting};
    use crate::model::decision::MessageAction;

    fn parse(table: &str) -> Result<Rewriting, String> {
        let text = format!("[gateway]\ninterfaces = [\"eth0\"]\n[inspection.rewrite]\n{table}\n");
        Config::parse(&text, "test.toml")
            .map(|config| config.inspection.rewriting)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read() {
        assert_eq!(parse("").unwrap(), Rewriting::default());
        let table = "not_possible = \"quarantine\"\nsigned = \"refuse\"\ndkim = \"rewrite\"\nnotice = \"{name}: {cause}\"\n\
                     html = \"text\"\nweed_elements = [\"IMG\"]\nweed_attributes = [\"class\"]";
        let expected = Rewriting {
            not_possible: MessageAction::Quarantine,
            signed: MessageAction::Refuse,
            dkim: MessageAction::Rewrite,
            notice: Template::parse("{name}: {cause}").unwrap(),
            weeds: Weeds { elements: vec!["img".to_owned()], attributes: vec!["class".to_owned()] },
            pages: PageCopy::Text,
        };
        assert_eq!(parse(table).unwrap(), expected);
    }

    #[test]
    fn slips_are_named() {
        for (table, wanted) in [
            ("not_possible = \"pass\"", "`refuse`"),
            ("not_possible = \"rewrite\"", "`quarantine`"),
            ("signed = \"rewrit\"", "write `rewrite`"),
            ("dkim = true", "a string"),
            ("html = \"txt\"", "write `text`"),
            ("weed_elements = [\"<img>\"]", "`<img>` is no name"),
            ("notice = \"{virus}\"", "`{virus}` stands for nothing"),
            ("notice = \"{nam}\"", "write `{name}`"),
            ("notices = \"\"", "write `notice`"),
        ] {
            let text = parse(table).unwrap_err();
            assert!(text.contains(wanted) && text.contains("test.toml:4:"), "{table}: {text}");
        }
    }
}
