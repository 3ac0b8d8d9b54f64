//! `[[resource.envelope]]` tables: what is done about paths of the envelopes of a resource's mail.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::envelope::{EnvelopePath, EnvelopeRule};
use crate::action::substitution::Substitution;
use crate::app::config::document::Notes;
use crate::app::config::header::is_address;
use crate::app::config::problem::ConfigProblem;
use crate::policy::action::UnknownWord;
use crate::policy::mistake::Mistake;
use crate::policy::rule_table::read_tables;
use crate::policy::toml_table::TableReader;

const PLACE: &str = "[[resource.envelope]]";
const KEYS: &[&str] = &["path", "left", "right"];

/// Reads all of them; one about both paths gives a rule for each.
pub(crate) fn read_all<'t>(
    value: &'t Spanned<DeValue<'t>>,
    notes: &mut Notes,
) -> (Vec<EnvelopeRule>, Vec<Mistake>) {
    let (rules, mistakes) =
        read_tables(value, "envelope", PLACE, |table, span| (read(table, span, notes), Vec::new()));
    (rules.concat(), mistakes)
}

fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> Vec<EnvelopeRule> {
    let mut reader = TableReader::new(table, span, PLACE, KEYS);
    for key in KEYS {
        reader.require(key);
    }
    let paths = if let Some(DeValue::Array(_)) = reader.value("path").map(Spanned::get_ref) {
        reader.list("path", path)
    } else {
        let text = reader.text("path");
        text.and_then(|text| reader.parsed(&text, path)).into_iter().collect()
    };
    let mut rules = Vec::new();
    if let Some((left, right)) = reader.text("left").zip(reader.text("right")) {
        match Substitution::parse(left.get_ref(), right.get_ref()) {
            Ok(_) if !is_address(right.get_ref()) => {
                let domain = right.get_ref().replace('&', "");
                let suggestion = (!domain.is_empty() && !domain.contains('@')).then(|| format!("&@{domain}"));
                notes.error(right.span(), ConfigProblem::NotAnAddress { suggestion });
            }
            Ok(substitution) => {
                rules = paths
                    .into_iter()
                    .map(|path| EnvelopeRule { path, substitution: substitution.clone() })
                    .collect();
            }
            Err(error) => {
                let is_left = Substitution::parse(left.get_ref(), "").is_err();
                notes.error(if is_left { left.span() } else { right.span() }, error);
            }
        }
    }
    notes.adopt(reader.finish());
    rules
}

fn path(text: &str) -> Result<EnvelopePath, UnknownWord> {
    match text {
        "sender" => Ok(EnvelopePath::Sender),
        "recipient" => Ok(EnvelopePath::Recipient),
        _ => Err(UnknownWord::new(text, "a path of the envelope", &["sender", "recipient"])),
    }
}

#[cfg(test)]
mod tests {
    use crate::action::envelope::{EnvelopePath, EnvelopeRule};
    use crate::app::config::Config;

    fn parse(path: &str, left: &str, right: &str) -> Result<Vec<EnvelopeRule>, String> {
        let text = format!(
            "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\n\
             resource = \"out\"\n[[resource]]\nname = \"out\"\n[[resource.envelope]]\npath = {path}\nleft = \"{left}\"\n\
             right = \"{right}\"\n"
        );
        let config = Config::parse(&text, "test.toml").map_err(|error| error.to_string())?;
        Ok(config.resources[0].envelope.clone())
    }

    #[test]
    fn rules_are_read() {
        let rules = parse("[\"sender\", \"recipient\"]", "*@smtp.weirdal.com", "&@weirdal.com").unwrap();
        let paths: Vec<EnvelopePath> = rules.iter().map(|rule| rule.path).collect();
        assert_eq!(paths, [EnvelopePath::Sender, EnvelopePath::Recipient]);
        assert_eq!(parse("\"sender\"", "*@a.test", "&@b.test").unwrap().len(), 1);
    }

    #[test]
    fn slips_are_named_in_their_line() {
        for (path, left, right, line, wanted) in [
            ("\"sendr\"", "*@a", "&@b", 11, "write `sender`"),
            ("true", "*@a", "&@b", 11, "a string"),
            ("\"sender\"", "", "&@b", 12, "`*` matches everything"),
            ("\"sender\"", "*@a", "", 13, "place of an address"),
            ("\"sender\"", "*@a", "b.test", 13, "&@b.test"),
        ] {
            let text = parse(path, left, right).unwrap_err();
            assert!(
                text.contains(wanted) && text.contains(&format!("test.toml:{line}:")),
                "{path} {left} {right}: {text}"
            );
        }
    }
}
