use super::{Substitution, SubstitutionError, joined};

fn replaced(left: &str, right: &str, text: &str) -> Option<String> {
    let substitution = Substitution::parse(left, right).unwrap();
    let octets = substitution.of(text.as_bytes()).map(|parts| joined(&parts, text.as_bytes()));
    octets.map(|octets| String::from_utf8(octets).unwrap())
}

#[test]
fn an_ampersand_stands_for_what_the_star_matched() {
    for (left, right, text, expected) in [
        ("*@smtp.weirdal.com", "&@weirdal.com", "al@smtp.weirdal.com", Some("al@weirdal.com")),
        ("*@smtp.weirdal.com", "&@weirdal.com", "Al@SMTP.WeirdAl.com", Some("Al@weirdal.com")),
        ("*@smtp.weirdal.com", "&@weirdal.com", "al@weirdal.com", None),
        ("*@smtp.weirdal.com", "&@weirdal.com", "al@smtp.weirdal.com.evil.test", None),
        ("*@*.weirdal.com", "&@&.example", "al@a.b.weirdal.com", Some("al@a.b.example")),
        ("*@*.weirdal.com", "all@&.example", "al@a.weirdal.com", Some("all@al.example")),
        ("*", "<&>", "x", Some("<x>")),
        ("*", "", "x", Some("")),
        ("a", "&&", "a", Some("aa")),
        ("*.com", "& and &", "x.com", Some("x and x")),
        ("?b", "c", "ab", Some("c")),
        ("?b", "c", "b", None),
        (r"\*", r"\&\\", "*", Some(r"&\")),
        (r"\*", r"\&", "x", None),
        ("*a", "&", "aaa", Some("aa")),
        ("*", "&", "", Some("")),
    ] {
        assert_eq!(replaced(left, right, text).as_deref(), expected, "{left} -> {right} of {text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (left, right, error) in [
        ("", "x", SubstitutionError::EmptyLeft),
        ("a\\", "x", SubstitutionError::Escape),
        ("a", "x\\", SubstitutionError::Escape),
        ("*@*", "&&&", SubstitutionError::References { stars: 2, references: 3 }),
        ("a\r\nBcc: x", "", SubstitutionError::Character),
        ("*", "a\nb", SubstitutionError::Character),
        ("*", "\u{e4}", SubstitutionError::Character),
    ] {
        assert_eq!(Substitution::parse(left, right), Err(error), "{left} -> {right}");
    }
    assert_eq!(Substitution::parse("*", &"x".repeat(501)), Err(SubstitutionError::Length));
}

#[test]
fn many_stars_take_no_time() {
    let left = "*a".repeat(200) + "b";
    let substitution = Substitution::parse(&left, "&").unwrap();
    assert_eq!(substitution.of("a".repeat(20_000).as_bytes()), None);
}

#[test]
fn whether_a_text_can_have_a_match_is_told_by_its_longest_run() {
    let substitution = Substitution::parse("*@smtp.WeirdAl.com", "&@x").unwrap();
    assert!(substitution.may_match_within(b"\"<al@SMTP.weirdal.com"));
    assert!(!substitution.may_match_within(b"\"<al@weirdal.com"));
    assert!(Substitution::parse("*", "").unwrap().may_match_within(b""));
}
