//! `[[resource.header]]` tables: what is done about header fields of a resource's mail.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::header::{HeaderRule, has_addresses};
use crate::action::substitution::Substitution;
use crate::app::config::document::Notes;
use crate::app::config::problem::ConfigProblem;
use crate::policy::mistake::Mistake;
use crate::policy::rule_table::read_tables;
use crate::policy::toml_table::TableReader;

const PLACE: &str = "[[resource.header]]";
const KEYS: &[&str] = &["field", "left", "right"];

/// Characters of a field's name: with them a trace field that names a few stays one line.
const MAX_NAME: usize = 76;

/// What somebody should look at, and where.
type Doubts = Vec<(Range<usize>, ConfigProblem)>;

/// Reads all of them; a table about several fields gives a rule for each.
pub(crate) fn read_all<'t>(
    value: &'t Spanned<DeValue<'t>>,
    notes: &mut Notes,
    doubts: &mut Doubts,
) -> (Vec<HeaderRule>, Vec<Mistake>) {
    let (rules, mistakes) =
        read_tables(value, "header", PLACE, |table, span| (read(table, span, notes, doubts), Vec::new()));
    (rules.concat(), mistakes)
}

fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes, doubts: &mut Doubts) -> Vec<HeaderRule> {
    let mut reader = TableReader::new(table, span, PLACE, KEYS);
    for key in KEYS {
        reader.require(key);
    }
    let fields = names(&mut reader);
    let sides = reader.text("left").zip(reader.text("right"));
    let mut rules = Vec::new();
    if let Some((left, right)) = sides {
        match Substitution::parse(left.get_ref(), right.get_ref()) {
            Ok(substitution) => {
                for field in &fields {
                    check(field, &substitution, &right, notes, doubts);
                    let field = (*field.get_ref()).to_owned();
                    rules.push(HeaderRule { field, substitution: substitution.clone() });
                }
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

/// One field, or a list of them.
fn names<'t>(reader: &mut TableReader<'t>) -> Vec<Spanned<&'t str>> {
    match reader.value("field").map(Spanned::get_ref) {
        Some(DeValue::Array(_)) => reader.texts("field"),
        _ => reader.text("field").into_iter().collect(),
    }
}

fn check(
    field: &Spanned<&str>,
    substitution: &Substitution,
    right: &Spanned<&str>,
    notes: &mut Notes,
    doubts: &mut Doubts,
) {
    let name = *field.get_ref();
    let is_name = |octet: u8| matches!(octet, b'!'..=b'9' | b';'..=b'~');
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_name) {
        notes.error(field.span(), ConfigProblem::NotAField { name: name.to_owned(), max: MAX_NAME });
        return;
    }
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let begins = |front: &str| name.get(..front.len()).is_some_and(|start| start.eq_ignore_ascii_case(front));
    let refused = |why, suggestion: Option<&str>| ConfigProblem::FieldNotHere {
        name: name.to_owned(),
        why,
        suggestion: suggestion.map(str::to_owned),
    };
    let removes = substitution.is_removal();
    if begins("content-") || is("mime-version") {
        let why = "it says how the message is read, and what was inspected must be what is read";
        notes.error(field.span(), refused(why, Some("[[inspection.rule]]")));
    } else if begins("x-postern-") {
        notes.error(field.span(), refused("it is the gateway's own", None));
    } else if removes && (is("from") || is("date")) {
        notes.error(field.span(), refused("a message needs it (RFC 5322 §3.6)", None));
    } else if removes && has_addresses(name) && !substitution.matches_everything() {
        notes.error(right.span(), ConfigProblem::HalfRemoval);
    } else if !removes && has_addresses(name) && !is_address(right.get_ref()) {
        let suggestion =
            (!right.get_ref().contains('@')).then(|| format!("&@{}", right.get_ref().replace('&', "")));
        notes.error(right.span(), ConfigProblem::NotAnAddress { suggestion });
    } else if removes && is("received") {
        doubts.push((field.span(), ConfigProblem::HopsHidden));
    }
}

/// Whether it is one where `&` stands for something harmless.
pub(super) fn is_address(text: &str) -> bool {
    let is_harmless = |c: char| !c.is_whitespace() && !"<>()[],;:\"\\".contains(c);
    text.chars().all(is_harmless)
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use crate::action::header::HeaderRule;
    use crate::app::config::Config;

    fn parse(rules: &str) -> Result<(Vec<HeaderRule>, Vec<String>), String> {
        let text = format!(
            "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"out\"\n\
             [[resource]]\nname = \"out\"\n{rules}\n"
        );
        let config = Config::parse(&text, "test.toml").map_err(|error| error.to_string())?;
        let warnings = config.warnings.iter().map(ToString::to_string).collect();
        Ok((config.resources[0].header.clone(), warnings))
    }

    fn table(field: &str, left: &str, right: &str) -> String {
        format!("[[resource.header]]\nfield = {field}\nleft = \"{left}\"\nright = \"{right}\"")
    }

    #[test]
    fn rules_are_read_in_their_order_with_one_for_each_field() {
        let all = [
            table("[\"From\", \"Cc\"]", "*@smtp.weirdal.com", "&@weirdal.com"),
            table("\"X-Mailer\"", "*", ""),
        ];
        let (rules, warnings) = parse(&all.join("\n")).unwrap();
        let names: Vec<&str> = rules.iter().map(|rule| rule.field.as_str()).collect();
        assert_eq!(names, ["From", "Cc", "X-Mailer"]);
        assert!(rules[2].substitution.is_removal() && !rules[0].substitution.is_removal());
        assert!(!warnings.iter().any(|warning| warning.contains("Received")), "{warnings:?}");
    }

    #[test]
    fn taking_out_received_is_doubtful() {
        let (_, warnings) = parse(&table("\"received\"", "*", "")).unwrap();
        let hops = warnings.iter().find(|warning| warning.contains("round in circles"));
        assert!(hops.is_some_and(|warning| warning.contains("test.toml:11:")), "{warnings:?}");
    }

    #[test]
    fn slips_are_named_in_their_line() {
        for (field, left, right, line, wanted) in [
            ("\"Content-Type\"", "*", "", 11, "[[inspection.rule]]"),
            ("\"mime-version\"", "*", "", 11, "how the message is read"),
            ("\"X-Postern-Session\"", "*", "", 11, "the gateway's own"),
            ("\"From\"", "*", "", 11, "a message needs it"),
            ("\"Sub ject\"", "*", "x", 11, "no name of a header field"),
            ("\"To\"", "*@a.test", "", 13, "left = \"*\""),
            ("\"To\"", "*@a.test", "b.test", 13, "&@b.test"),
            ("\"To\"", "*@a.test", "&@b.test, c@d.test", 13, "place of an address"),
            ("\"Subject\"", "", "x", 12, "`*` matches everything"),
            ("\"Subject\"", "*@*", "&&&", 13, "there are 2 of that and 3 of `&`"),
            ("\"Subject\"", "*", "\\u00e4", 13, "printable ASCII"),
            ("7", "*", "", 11, "string"),
        ] {
            let text = parse(&table(field, left, right)).unwrap_err();
            assert!(text.contains(wanted) && text.contains(&format!("test.toml:{line}:")), "{field}: {text}");
        }
        let text =
            parse("[[resource.header]]\nfield = \"Subject\"\nleft = \"*\"\nrigth = \"x\"").unwrap_err();
        assert!(text.contains("write `right`"), "{text}");
    }
}
