//! Paths as they are sent, and as they are forged (threat S20).

use super::{ForwardPath, ReversePath};

#[test]
fn paths_that_are_paths() {
    for (text, expected) in [
        ("<a@example.com>", "a@example.com"),
        ("<a.b+c=d@example.com>", "a.b+c=d@example.com"),
        ("<a..b.@docomo.example>", "a..b.@docomo.example"),
        ("<\"a b\"@example.com>", "\"a b\"@example.com"),
        ("<\"a@b>c\"@example.com>", "\"a@b>c\"@example.com"),
        ("<\"a\\\"b\"@example.com>", "\"a\\\"b\"@example.com"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<@relay.example,@other.example:a@example.com>", "@relay.example,@other.example:a@example.com"),
        ("<root>", "root"),
        ("<\"a b\">", "\"a b\""),
        ("<|cmd;$x`y@example.com>", ""),
        ("<j\u{f6}rg@b\u{fc}cher.example>", "j\u{f6}rg@b\u{fc}cher.example"),
    ] {
        let parsed = ReversePath::parse(text).map(|(path, rest)| (path.as_str(), rest));
        let expected = (!expected.is_empty()).then_some((expected, ""));
        assert_eq!(parsed, expected, "{text:?}");
    }
    assert_eq!(ReversePath::parse("<> SIZE=1"), Some((ReversePath::Null, " SIZE=1")));
    assert_eq!(ForwardPath::parse("<postMaster>"), Some((ForwardPath::Postmaster("postMaster"), "")));
    assert_eq!(ForwardPath::parse("<>"), None);
}

#[test]
fn paths_that_are_none() {
    let long = format!("<{}@example.com>", "a".repeat(300));
    for text in [
        "",
        "<",
        ">",
        "a@example.com",
        "<@relay.example:a>",
        "<a@>",
        "a",
        "<@>",
        "<@example.com>",
        "<a@b@c>",
        "<a b@example.com>",
        "<a@example.com",
        "<a@exa mple.com>",
        "<\"a@example.com>",
        "<\"\"b@example.com>",
        "<a(x)@example.com>",
        "<@relay.example a@example.com>",
        "<@relay.example:>",
        "<a,b@example.com>",
        "<a@example.com,b@example.com>",
        "<a@example..com>",
        "<a@[1.2.3]>",
        "<<a@example.com>>",
        "< a@example.com>",
        "<a@example.com >",
        &long,
    ] {
        assert_eq!(ForwardPath::parse(text), None, "{text:?}");
    }
}
