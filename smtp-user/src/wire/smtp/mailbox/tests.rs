//! Domains and literals.

use super::is_domain;

#[test]
fn domains_and_literals() {
    let long_label = "a".repeat(64);
    let long_name = ["abcdefg."; 40].concat() + "example";
    for (text, expected) in [
        ("example.com", true),
        ("a", true),
        ("1.2.3.4", true),
        ("under_score.example", true),
        ("b\u{fc}cher.example", true),
        ("[192.0.2.1]", true),
        ("[IPv6:2001:db8::1]", true),
        ("[ipv6:::1]", true),
        ("[x-tag:content]", true),
        ("", false),
        (".example", false),
        ("example.", false),
        ("a..b", false),
        ("-a.example", false),
        ("a-.example", false),
        ("a b", false),
        ("[192.0.2.256]", false),
        ("[IPv6:2001:db8::g]", false),
        ("[]", false),
        ("[192.0.2.1", false),
        (&long_label, false),
        (&long_name, false),
    ] {
        assert_eq!(is_domain(text), expected, "{text:?}");
    }
}
