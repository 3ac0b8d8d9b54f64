//! What holds for any octets.

use proptest::prelude::*;

use super::{Kind, ROOM, Weeds, extract};
use crate::action::extract::safe_copy;
use crate::content::ContentLimits;
use crate::content::container::zip::layout::layout;
use crate::content::fixture::zip::{Entry, archive};

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

    /// What is not cleaned is not touched, in whatever order members stand and however they are packed.
    #[test]
    fn members_of_archives_that_stay_stay_octet_for_octet(
        contents in proptest::collection::vec((any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)), 1..8),
        comment in "[ -~]{0,20}",
    ) {
        let page = |content: &[u8]| [b"<html><p>x</p><script>", content, b"</script></html>"].concat();
        let entries: Vec<Entry> = contents.iter().enumerate().map(|(index, (is_page, is_packed, content))| {
            let (name, content) = if *is_page {
                (format!("{index}.html"), page(format!("{content:?}").as_bytes()))
            } else {
                (format!("{index}.txt"), [b"text ", content.as_slice()].concat())
            };
            if *is_packed { Entry::deflated(&name, &content) } else { Entry::stored(&name, &content) }
        }).collect();
        let mut original = archive(&entries);
        let at = original.len() - 2;
        original.splice(at.., [&(comment.len() as u16).to_le_bytes(), comment.as_bytes()].concat());
        let copy = safe_copy(&original, "", &[], &Weeds::default(), &ContentLimits::default()).unwrap().1;
        prop_assert_eq!(copy.is_some(), contents.iter().any(|(is_page, ..)| *is_page));
        let Some(copy) = copy else { return Ok(()) };
        let (old, new) = (layout(&original, 10).unwrap(), layout(&copy.octets, 10).unwrap());
        prop_assert_eq!(old.comment, new.comment);
        prop_assert_eq!(old.members.len(), new.members.len());
        for (old, new) in old.members.iter().zip(&new.members) {
            if copy.members.iter().any(|member| member.place == old.names[0]) {
                let mut left = 1 << 20;
                prop_assert_eq!(new.unpack(&ContentLimits::default(), &mut left).unwrap(), b"<html><p>x</p></html>");
                continue;
            }
            prop_assert_eq!(old.own, new.own);
            prop_assert_eq!(&old.central[..42], &new.central[..42]);
            prop_assert_eq!(&old.central[46..], &new.central[46..]);
        }
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
