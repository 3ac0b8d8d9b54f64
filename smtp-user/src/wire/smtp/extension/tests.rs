//! Keywords and mechanisms.

use super::{Extension, ExtensionSet, lines, survives};
use crate::wire::smtp::reply::{Reply, ReplyCode};

#[test]
fn offers_are_read_without_regard_to_case() {
    let text = "mx.example hello\nPIPELINING\nsize 1000\nAUTH LOGIN PLAIN\nX-FOO bar\nSTARTTLSX";
    let reply = Reply::new(ReplyCode::new(250).unwrap(), text);
    let set = ExtensionSet::of(&reply);
    let has = Extension::ALL.iter().filter(|(extension, _)| set.has(*extension)).map(|(_, keyword)| *keyword);
    assert_eq!(has.collect::<Vec<_>>(), ["PIPELINING", "SIZE", "AUTH"]);
    assert_eq!(lines(&reply).nth(3), Some(("X-FOO", "bar")));
}

#[test]
fn mechanisms_that_look_at_tls_do_not_survive() {
    let offered = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "scram-sha-1-plus", "EXTERNAL"];
    let kept: Vec<_> = offered.into_iter().filter(|mechanism| survives(mechanism)).collect();
    assert_eq!(kept, ["PLAIN", "LOGIN", "SCRAM-SHA-256"]);
}
