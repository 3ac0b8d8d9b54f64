use super::{ContentType, Structure};
use crate::wire::mime::defect::Defect;

fn boundaries(body: &str) -> (Vec<String>, Vec<Defect>) {
    let parsed = ContentType::parse(body.as_bytes());
    let Structure::Multipart { boundaries, .. } = parsed.structure else {
        panic!("{body}: {:?}", parsed.structure);
    };
    (boundaries.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect(), parsed.defects)
}

#[test]
fn boundaries_that_mail_programs_write_are_certain() {
    for (body, boundary) in [
        ("multipart/mixed; boundary=abc", "abc"),
        ("multipart/mixed; boundary=\"abc\"", "abc"),
        ("Multipart/Alternative;\tBOUNDARY = \"=_ab c\"", "=_ab c"),
        (
            "multipart/related; type=\"multipart/alternative\";\r\n boundary=\"----=_Part_1_2.3\"",
            "----=_Part_1_2.3",
        ),
        ("multipart/mixed; boundary=----=_NextPart_000_01DA.2B;", "----=_NextPart_000_01DA.2B"),
        (
            "multipart/signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=\"x'()+_,-./:=?\"",
            "x'()+_,-./:=?",
        ),
        ("multipart/mixed; boundary=Apple-Mail=_3F-0; charset=utf-8", "Apple-Mail=_3F-0"),
        ("multipart/mixed; boundary=abc; boundary=abc", "abc"),
    ] {
        assert_eq!(boundaries(body), (vec![boundary.to_owned()], Vec::new()), "{body}");
    }
}

#[test]
fn boundaries_with_two_readings_are_uncertain() {
    for body in [
        "multipart/mixed; boundary=a; boundary=b",
        "multipart/mixed; boundary=a; boundary*=us-ascii''b",
        "multipart/mixed; boundary=a; boundary*0=b; boundary*0=c",
        "multipart/mixed; boundary*0=a; boundary*1=b",
        "multipart/mixed; boundary(c(d)e)=a",
        "multipart/mixed; boundary=(boundary=b)a",
        "multipart/mixed; x; boundary=a",
        "multipart/mixed boundary=a; boundary=b",
        "multipart/mixed; boundary==?us-ascii?q?a?=b",
        "multipart/mixed; boundary=\"=?us-ascii?q?a?=\"",
        "multipart/mixed; boundary=\"a\"b",
        "multipart/mixed; boundary=\"a",
        "multipart/mixed; boundary=\"a\\b\"",
        "multipart/mixed; boundary=\"a \"",
        "multipart/mixed; boundary=\"\u{e9}\"",
        "multipart/mixed; boundary=\"a\0b\"",
        "multipart/mixed; x=\"y; boundary=b\"; boundary=a",
        "multipart/mixed; boundary=a b",
    ] {
        let (found, defects) = boundaries(body);
        assert!(!found.is_empty(), "{body}");
        assert!(
            defects.iter().any(|d| matches!(d, Defect::UncertainBoundary | Defect::MalformedContentType)),
            "{body}: {found:?} {defects:?}"
        );
    }
}

#[test]
fn every_reading_of_a_boundary_is_followed() {
    let found = boundaries("multipart/mixed; boundary*=us-ascii''a%62; boundary=c").0;
    assert!(found.contains(&"ab".to_owned()) && found.contains(&"c".to_owned()), "{found:?}");
    let found = boundaries("multipart/mixed; boundary*1=b; boundary*0=a").0;
    assert!(found.contains(&"ab".to_owned()), "{found:?}");
}

#[test]
fn no_boundary_and_long_ones() {
    assert_eq!(boundaries("multipart/mixed").1, [Defect::NoBoundary]);
    assert_eq!(boundaries("multipart/mixed; boundary=\"\"").1, [Defect::NoBoundary]);
    assert!(boundaries(&format!("multipart/mixed; boundary={}", "a".repeat(71))).1.is_empty());
    let long = boundaries(&format!("multipart/mixed; boundary={}", "a".repeat(10_000))).1;
    assert!(long.contains(&Defect::BoundaryTooLong), "{long:?}");
}

#[test]
fn types_that_are_none_are_text_unless_somebody_sees_a_composite_in_them() {
    for body in ["", "text", "plain text", "application/x y", "/", "a/", "text/html, text/plain"] {
        let parsed = ContentType::parse(body.as_bytes());
        assert_eq!((parsed.media_type.as_str(), parsed.defects), ("text/plain", Vec::new()), "{body}");
    }
    for body in [
        "multipart/mixed, text/plain; boundary=a",
        "\"multipart/mixed\"; boundary=a",
        "=?x?q?multipart/a?=; boundary=b",
    ] {
        assert!(boundaries(body).1.contains(&Defect::MalformedContentType), "{body}");
    }
    let parsed = ContentType::parse(b"message/rfc822 x");
    assert_eq!((parsed.structure, parsed.defects), (Structure::Message, vec![Defect::MalformedContentType]));
}
