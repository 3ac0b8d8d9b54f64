//! Paths of the envelope that rules of the resource give another form. The originator goes on hearing of those that it gave.

use super::RelayIo;
use crate::action::envelope::{self, EnvelopePath};
use crate::model::leg::Leg;

impl RelayIo {
    /// A command for the next hop, with the path that rules ask for; and the path that it had, if that is another.
    pub(super) fn readdressed(&self, command: Vec<u8>) -> (Vec<u8>, Option<String>) {
        let Some((new, given)) = envelope::rewrite(&self.context.resource.envelope, &command) else {
            return (command, None);
        };
        let shown = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end().to_owned();
        let detail = format!("{} -> {}", shown(&command), shown(&new));
        self.context.ledger.note(Leg::Server, "envelope_rewritten", Some(detail));
        (new, Some(given))
    }

    /// Forward-paths as the next hop has them.
    pub(super) fn readdressed_paths(&self, paths: &[String]) -> Vec<String> {
        let rules = &self.context.resource.envelope;
        let new = |path: &String| envelope::rewritten(rules, EnvelopePath::Recipient, path);
        paths.iter().map(|path| new(path).unwrap_or_else(|| path.clone())).collect()
    }
}
