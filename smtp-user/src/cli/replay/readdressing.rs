//! Paths of an envelope to which rules would now give another form than they have.

use serde::Serialize;

use crate::action::envelope::{EnvelopePath, EnvelopeRule, rewritten};
use crate::event::sentence::printable;
use crate::model::queued_message::{QueuedRecipient, QueuedSender};

/// A path that would be another.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Readdressing {
    /// `sender` or `recipient`.
    path: &'static str,
    /// As the originator gave it.
    given: String,
    /// As it is kept.
    old: String,
    /// As it would be.
    new: String,
}

impl Readdressing {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { path, given, old, new } = self;
        format!("{path} {}: {} -> {}", printable(given), printable(old), printable(new))
    }
}

/// All of an envelope. Rules go by what the originator gave, and not by what other rules made of it.
pub(super) fn all(
    rules: &[EnvelopeRule],
    sender: &QueuedSender,
    recipients: &[QueuedRecipient],
) -> Vec<Readdressing> {
    let sender = (EnvelopePath::Sender, "sender", &sender.path, &sender.given);
    let recipients =
        recipients.iter().map(|one| (EnvelopePath::Recipient, "recipient", &one.path, &one.given));
    let paths = std::iter::once(sender).chain(recipients);
    paths
        .filter_map(|(which, path, kept, given)| {
            let given = given.as_ref().unwrap_or(kept);
            let new = rewritten(rules, which, given).unwrap_or_else(|| given.clone());
            let readdressing = Readdressing { path, given: given.clone(), old: kept.clone(), new };
            (readdressing.old != readdressing.new).then_some(readdressing)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::action::envelope::{EnvelopePath, EnvelopeRule};
    use crate::action::substitution::Substitution;
    use crate::model::queued_message::{QueuedRecipient, QueuedSender};

    #[test]
    fn rules_go_by_what_the_originator_gave() {
        let rule = |path, left, right| EnvelopeRule {
            path,
            substitution: Substitution::parse(left, right).unwrap(),
        };
        let sender = QueuedSender {
            path: "a@in.test".to_owned(),
            given: Some("a@test".to_owned()),
            ..QueuedSender::default()
        };
        let recipients = [QueuedRecipient::new("b@test"), QueuedRecipient::new("Postmaster")];
        let of = |rules: &[EnvelopeRule]| {
            all(rules, &sender, &recipients).iter().map(super::Readdressing::text).collect::<Vec<_>>()
        };
        let same = rule(EnvelopePath::Sender, "*@*", "&@in.&");
        assert_eq!(of(std::slice::from_ref(&same)), Vec::<String>::new());
        assert_eq!(of(&[]), ["sender a@test: a@in.test -> a@test"]);
        let other = rule(EnvelopePath::Recipient, "*", "all@test");
        assert_eq!(of(&[same, other]), ["recipient b@test: b@test -> all@test"]);
        let null = QueuedSender::default();
        assert!(all(&[rule(EnvelopePath::Sender, "*", "all@test")], &null, &[]).is_empty());
    }
}
