//! Policies are read as they are written, and what is not one is none.

use super::{MtaStsError, MtaStsMode, MtaStsPolicy, policy_id};

const SOUND: &str =
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

fn read(text: &str) -> Result<MtaStsPolicy, MtaStsError> {
    MtaStsPolicy::read(text.as_bytes())
}

#[test]
fn a_policy_is_read_with_either_line_end() {
    let policy = read(SOUND).unwrap();
    assert_eq!((policy.mode, policy.max_age), (MtaStsMode::Enforce, 604_800));
    assert_eq!(policy.mx, ["mail.example.com", "*.example.net"]);
    for text in [
        SOUND.replace("\r\n", "\n"),
        SOUND.trim_end().to_owned(),
        SOUND.replace(": ", ":"),
        SOUND.replace(": ", ":\t "),
        format!("{SOUND}future: thing\nmode: none\nversion: STSv2\nmax_age: x\n\n"),
        SOUND.replace("mail.example.com", "MAIL.Example.com"),
    ] {
        assert_eq!(read(&text), Ok(policy.clone()), "{text}");
    }
    let long = read(&SOUND.replace("604800", "9999999999")).unwrap();
    assert_eq!(long.max_age, 31_557_600);
    let none = read("version: STSv1\nmode: none\nmax_age: 0").unwrap();
    assert_eq!((none.mode, none.mx.len(), none.max_age), (MtaStsMode::None, 0, 0));
}

#[test]
fn what_is_not_a_policy_is_none() {
    for (from, to, error) in [
        ("version: STSv1\r\n", "", MtaStsError::Version),
        ("STSv1", "STSv2", MtaStsError::Version),
        ("STSv1", "stsv1", MtaStsError::Version),
        ("mode: enforce\r\n", "", MtaStsError::Mode),
        ("enforce", "Enforce", MtaStsError::Mode),
        ("enforce", "", MtaStsError::Mode),
        ("max_age: 604800\r\n", "", MtaStsError::MaxAge),
        ("604800", "", MtaStsError::MaxAge),
        ("604800", "-1", MtaStsError::MaxAge),
        ("604800", "+1", MtaStsError::MaxAge),
        ("604800", "1d", MtaStsError::MaxAge),
        ("604800", "99999999999", MtaStsError::MaxAge),
        ("mx: mail.example.com\r\nmx: *.example.net\r\n", "", MtaStsError::Mx),
        ("*.example.net", "mail.*.net", MtaStsError::Mx),
        ("*.example.net", "*", MtaStsError::Mx),
        ("*.example.net", "", MtaStsError::Mx),
        ("*.example.net", "a b", MtaStsError::Mx),
        ("mode: enforce", "mode enforce", MtaStsError::Line),
        ("version", "<html>", MtaStsError::Version),
    ] {
        assert_eq!(read(&SOUND.replace(from, to)), Err(error), "{from} {to}");
    }
    assert_eq!(read(""), Err(MtaStsError::Version));
    assert_eq!(MtaStsPolicy::read(b"version: STSv1\xff"), Err(MtaStsError::NotText));
}

#[test]
fn a_star_stands_for_one_label() {
    let policy = read(SOUND).unwrap();
    for (host, known) in [
        ("mail.example.com", true),
        ("MAIL.example.com.", true),
        ("a.example.net", true),
        ("a.b.example.net", false),
        ("example.net", false),
        (".example.net", false),
        ("xmail.example.com", false),
        ("a.mail.example.com", false),
        ("aexample.net", false),
        ("", false),
    ] {
        assert_eq!(policy.knows(host), known, "{host}");
    }
}

#[test]
fn exactly_one_record_says_which_policy_there_is() {
    let id =
        |records: &[&str]| policy_id(&records.iter().map(|&record| record.to_owned()).collect::<Vec<_>>());
    for (records, expected) in [
        (&["v=STSv1; id=20160831085700Z;"][..], Some("20160831085700Z")),
        (&["v=STSv1;id=1"], Some("1")),
        (&["v=STSv1 ; x=y; id=a1 ; z"], Some("a1")),
        (&["v=spf1 -all", "v=STSv1; id=1;"], Some("1")),
        (&["v=STSv1; id=1;", "v=STSv1; id=1;"], None),
        (&["v=STSv1; id=;"], None),
        (&["v=STSv1; id=a-b;"], None),
        (&["v=STSv1; id=123456789012345678901234567890123;"], None),
        (&["v=STSv1;"], None),
        (&["v=STSv12; id=1"], None),
        (&[" v=STSv1; id=1"], None),
        (&["id=1; v=STSv1"], None),
        (&[], None),
    ] {
        assert_eq!(id(records).as_deref(), expected, "{records:?}");
    }
}
