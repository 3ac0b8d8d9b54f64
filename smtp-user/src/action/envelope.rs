//! Paths of the envelope that become others. Pure: rules and a command in, a command out. The header of a message says what it
//! says: who wants both writes both.

use crate::action::substitution::{Substitution, joined};
use crate::wire::smtp::command::Command;
use crate::wire::smtp::path::{ForwardPath, ReversePath};

/// Which path a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopePath {
    /// Of MAIL. The null reverse-path stays what it is.
    Sender,
    /// Of each RCPT. `<Postmaster>` stays what it is.
    Recipient,
}

/// A rule on paths of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeRule {
    /// Which path.
    pub path: EnvelopePath,
    /// What becomes what.
    pub substitution: Substitution,
}

/// A path that becomes another; `None` if no rule is about it, or if what came out would be no path. Of the rules the first that
/// matches counts.
pub fn rewritten(rules: &[EnvelopeRule], which: EnvelopePath, path: &str) -> Option<String> {
    let stays = match which {
        EnvelopePath::Sender => path.is_empty(),
        EnvelopePath::Recipient => path.eq_ignore_ascii_case("postmaster"),
    };
    if stays {
        return None;
    }
    let own = rules.iter().filter(|rule| rule.path == which);
    let parts = own.into_iter().find_map(|rule| rule.substitution.of(path.as_bytes()))?;
    let new = String::from_utf8(joined(&parts, path.as_bytes())).ok()?;
    (new != path && is_path(which, &new)).then_some(new)
}

fn is_path(which: EnvelopePath, path: &str) -> bool {
    let line = match which {
        EnvelopePath::Sender => format!("MAIL FROM:<{path}>"),
        EnvelopePath::Recipient => format!("RCPT TO:<{path}>"),
    };
    match Command::parse(line.as_bytes()) {
        Ok(
            Command::Mail { path: ReversePath::Mailbox(read), text: "", .. }
            | Command::Rcpt { path: ForwardPath::Mailbox(read), text: "", .. },
        ) => read == path,
        _ => false,
    }
}

/// A command line with another path, CRLF included, and the path that it had; `None` if it stays as it is.
pub fn rewrite(rules: &[EnvelopeRule], line: &[u8]) -> Option<(Vec<u8>, String)> {
    if rules.is_empty() {
        return None;
    }
    let mut octets = Vec::with_capacity(line.len() + 64);
    let given = match Command::parse(line.strip_suffix(b"\r\n").unwrap_or(line)).ok()? {
        Command::Mail { path: ReversePath::Mailbox(path), parameters, text } => {
            let new = rewritten(rules, EnvelopePath::Sender, path)?;
            Command::Mail { path: ReversePath::Mailbox(&new), parameters, text }.write(&mut octets);
            path.to_owned()
        }
        Command::Rcpt { path: ForwardPath::Mailbox(path), parameters, text } => {
            let new = rewritten(rules, EnvelopePath::Recipient, path)?;
            Command::Rcpt { path: ForwardPath::Mailbox(&new), parameters, text }.write(&mut octets);
            path.to_owned()
        }
        _ => return None,
    };
    Some((octets, given))
}

#[cfg(test)]
mod tests {
    use super::{EnvelopePath, EnvelopeRule, rewrite, rewritten};
    use crate::action::substitution::Substitution;

    #[test]
    fn paths_become_others_and_parameters_stay() {
        let rule = |path, left, right| EnvelopeRule {
            path,
            substitution: Substitution::parse(left, right).unwrap(),
        };
        let rules = [
            rule(EnvelopePath::Sender, "*@smtp.weirdal.com", "&@weirdal.com"),
            rule(EnvelopePath::Recipient, "root@*", "postmaster@&"),
            rule(EnvelopePath::Recipient, "long*", &format!("&@{}", "x".repeat(400))),
        ];
        for (line, expected) in [
            (
                "MAIL FROM:<al@smtp.weirdal.com> BODY=8BITMIME SIZE=5\r\n",
                Some("MAIL FROM:<al@weirdal.com> BODY=8BITMIME SIZE=5\r\n"),
            ),
            ("MAIL FROM:<>\r\n", None),
            ("MAIL FROM:<al@weirdal.com>\r\n", None),
            ("RCPT TO:<al@smtp.weirdal.com>\r\n", None),
            ("RCPT TO:<root@b.test> NOTIFY=NEVER\r\n", Some("RCPT TO:<postmaster@b.test> NOTIFY=NEVER\r\n")),
            ("RCPT TO:<long@b.test>\r\n", None),
            ("RCPT TO:<Postmaster>\r\n", None),
            ("DATA\r\n", None),
        ] {
            let new = rewrite(&rules, line.as_bytes()).map(|(octets, _)| String::from_utf8(octets).unwrap());
            assert_eq!(new.as_deref(), expected, "{line}");
        }
        assert_eq!(rewrite(&[], b"MAIL FROM:<al@smtp.weirdal.com>\r\n"), None);
        let given = rewrite(&rules, b"RCPT TO:<root@b.test>\r\n").map(|(_, given)| given);
        assert_eq!(given.as_deref(), Some("root@b.test"));
    }

    #[test]
    fn paths_that_name_nobody_by_address_stay() {
        let rule =
            |path| EnvelopeRule { path, substitution: Substitution::parse("*", "all@a.test").unwrap() };
        let rules = [rule(EnvelopePath::Sender), rule(EnvelopePath::Recipient)];
        for (path, text, expected) in [
            (EnvelopePath::Sender, "", None),
            (EnvelopePath::Recipient, "PostMaster", None),
            (EnvelopePath::Sender, "postmaster", Some("all@a.test")),
            (EnvelopePath::Recipient, "b@b.test", Some("all@a.test")),
        ] {
            assert_eq!(rewritten(&rules, path, text).as_deref(), expected, "{text}");
        }
    }
}
