//! What rules on the envelope would do, as far as anybody says what the envelope is: a file has none.

use crate::action::envelope::{EnvelopePath, EnvelopeRule, rewritten};

/// In sentences; none where there is no rule.
pub(super) fn notes(rules: &[EnvelopeRule], from: Option<&str>, to: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut of = |which, word: &str, option: &str, paths: &[&str]| {
        if !rules.iter().any(|rule| rule.path == which) {
            return;
        }
        if paths.is_empty() {
            notes.push(format!(
                "what [[resource.envelope]] does about the {word} is not known: the file does not tell it, and {option} does"
            ));
        }
        notes.extend(paths.iter().map(|path| match rewritten(rules, which, path) {
            Some(new) => format!("envelope: {word} {path} becomes {new}"),
            None => format!("envelope: {word} {path} stays"),
        }));
    };
    let from: Vec<&str> = from.into_iter().collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    of(EnvelopePath::Sender, "sender", "--mail-from", &from);
    of(EnvelopePath::Recipient, "recipient", "--rcpt-to", &to);
    notes
}

#[cfg(test)]
mod tests {
    use super::notes;
    use crate::action::envelope::{EnvelopePath, EnvelopeRule};
    use crate::action::substitution::Substitution;

    #[test]
    fn what_is_known_is_foretold_and_what_is_not_is_said() {
        let rule = EnvelopeRule {
            path: EnvelopePath::Recipient,
            substitution: Substitution::parse("*@old.test", "&@new.test").unwrap(),
        };
        let to = ["a@old.test".to_owned(), "b@other.test".to_owned()];
        assert_eq!(
            notes(std::slice::from_ref(&rule), None, &to),
            ["envelope: recipient a@old.test becomes a@new.test", "envelope: recipient b@other.test stays"]
        );
        let unknown = notes(std::slice::from_ref(&rule), Some("x@old.test"), &[]);
        assert!(matches!(&unknown[..], [note] if note.contains("--rcpt-to")), "{unknown:?}");
        assert!(notes(&[], None, &to).is_empty());
    }
}
