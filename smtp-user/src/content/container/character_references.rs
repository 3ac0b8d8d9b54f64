//! References to characters in markup (HTML 13.5), as far as they hide what stands in an address.

/// Named references of characters that addresses have.
const NAMED: [(&[u8], &[u8]); 11] = [
    (b"colon;", b":"),
    (b"comma;", b","),
    (b"semi;", b";"),
    (b"sol;", b"/"),
    (b"plus;", b"+"),
    (b"equals;", b"="),
    (b"percnt;", b"%"),
    (b"lpar;", b"("),
    (b"rpar;", b")"),
    (b"Tab;", b""),
    (b"NewLine;", b""),
];

/// Digits of a number that are read.
const MAX_DIGITS: usize = 8;

/// A text with characters in the places of references to them, and without the line ends and tabs that browsers leave
/// out of addresses; `None` where nothing is hidden by either.
pub(super) fn shown(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest, mut has_reference) = (Vec::with_capacity(text.len()), text, false);
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, reference(behind).filter(|_| octet == b'&')) {
            (_, Some((character, behind))) => {
                out.extend(character);
                rest = behind;
                has_reference = true;
            }
            (b'\t' | b'\r' | b'\n', None) => {}
            (_, None) => out.push(octet),
        }
    }
    let schemes = |text: &[u8]| memchr::memmem::find_iter(&text.to_ascii_lowercase(), b"data:").count();
    (has_reference || schemes(&out) > schemes(text)).then_some(out)
}

/// The character of a reference, and what is behind it. What stands behind the ampersand is given.
fn reference(behind: &[u8]) -> Option<(Option<u8>, &[u8])> {
    let Some(number) = behind.strip_prefix(b"#") else {
        let named =
            NAMED.iter().find_map(|(name, character)| Some((*character, behind.strip_prefix(*name)?)));
        return named.map(|(character, behind)| (character.first().copied(), behind));
    };
    let hexadecimal = number.strip_prefix(b"x").or(number.strip_prefix(b"X"));
    let (digits, radix) = hexadecimal.map_or((number, 10), |digits| (digits, 16));
    let count = digits.iter().take_while(|octet| char::from(**octet).is_digit(radix)).count();
    let (number, behind) = digits.split_at_checked(count).filter(|_| (1..=MAX_DIGITS).contains(&count))?;
    let number = u32::from_str_radix(std::str::from_utf8(number).ok()?, radix).ok()?;
    let character = u8::try_from(number).ok()?;
    let character = Some(character).filter(|character| !matches!(character, b'\t' | b'\r' | b'\n'));
    Some((character, behind.strip_prefix(b";").unwrap_or(behind)))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn references_become_characters() {
        let of = |text: &str| shown(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(of("&#100;ata&colon;x"), Some("data:x".to_owned()));
        assert_eq!(of("&#x64;&#X61ta&#58x"), Some("data:x".to_owned()));
        assert_eq!(of("da\r\n\tta:x"), Some("data:x".to_owned()));
        assert_eq!(of("da&#9;ta&Tab;:x"), Some("data:x".to_owned()));
        for plain in ["data:x\r\n", "a & b", "&nothing;", "&#;", "&#99999999999;", "&#8364;", "&"] {
            assert_eq!(of(plain), None, "{plain}");
        }
    }
}
