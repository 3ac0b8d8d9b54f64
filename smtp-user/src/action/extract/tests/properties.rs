//! What holds for any octets.

use proptest::prelude::*;

use super::{Kind, ROOM, Weeds, extract};

const KINDS: [Kind; 5] = [Kind::Html, Kind::Svg, Kind::Docx, Kind::Doc, Kind::Pdf];

proptest! {
    #[test]
    fn octets_of_chance_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..400), kind in 0..5_usize) {
        let _ = extract(KINDS[kind], &octets, &Weeds::default(), ROOM);
    }

    /// What is put between elements that stay stays, octet for octet.
    #[test]
    fn text_between_elements_stays(text in "[a-zA-Z0-9 \u{e4}\r\n\t&;.,]{0,200}") {
        let page = format!("<p>{text}</p><script>x</script>{text}");
        let copy = extract(Kind::Html, page.as_bytes(), &Weeds::default(), 0).unwrap().unwrap();
        prop_assert_eq!(String::from_utf8(copy.octets).unwrap(), format!("<p>{text}</p>{text}"));
    }

    /// A copy has nothing in it that would go from it.
    #[test]
    fn weeding_twice_changes_nothing(
        page in "(<(a|svg|script|img|math|style|title|/a|/svg|/script|!--|x:script|SCRIPT)( (on[a-z]|href|src)=['\"]?(javascript:|&#x6a;|x)?['\"]?)?/?>|[a-z&;'\"<> -]){0,12}"
    ) {
        if let Ok(Some(copy)) = extract(Kind::Html, page.as_bytes(), &Weeds::default(), 0) {
            let again = extract(Kind::Html, &copy.octets, &Weeds::default(), 0);
            prop_assert!(matches!(again, Ok(None) | Err(_)), "{:?} -> {:?} -> {again:?}", page, String::from_utf8_lossy(&copy.octets));
        }
    }
}
