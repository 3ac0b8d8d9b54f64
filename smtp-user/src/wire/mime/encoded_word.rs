//! Encoded words, RFC 2047, as they stand in the names of files.

use crate::wire::mime::base64::Base64Decoder;
use crate::wire::mime::charset::to_text;
use crate::wire::mime::quoted_printable::QuotedPrintableDecoder;

/// Decodes every encoded word in a text; `None` if there is none.
///
/// What is looked for in names are their ASCII characters: character sets that do not hide those are read as ISO 8859-1.
pub fn decode_words(text: &[u8]) -> Option<String> {
    let (mut decoded, mut rest, mut found) = (String::new(), text, false);
    while let Some(at) = rest.windows(2).position(|window| window == b"=?") {
        let (plain, word) = rest.split_at(at);
        let Some((octets, charset, after)) = word_at(word) else {
            decoded.push_str(&to_text(rest.get(..at + 2).unwrap_or_default(), b""));
            rest = rest.get(at + 2..).unwrap_or_default();
            continue;
        };
        // Blanks between two encoded words are not part of the text, RFC 2047 §6.2.
        if !(found && plain.trim_ascii().is_empty()) {
            decoded.push_str(&to_text(plain, b""));
        }
        decoded.push_str(&to_text(&octets, charset));
        (rest, found) = (after, true);
    }
    decoded.push_str(&to_text(rest, b""));
    found.then_some(decoded)
}

/// The word at the start of a text that begins with `=?`: octets, character set, and what follows.
fn word_at(text: &[u8]) -> Option<(Vec<u8>, &[u8], &[u8])> {
    // RFC 2047 §2 says 75 octets; a name in one long word is read by most.
    let inner = text.strip_prefix(b"=?")?;
    let inner = inner.get(..inner.len().min(MAX_WORD))?;
    let mut fields = inner.splitn(3, |octet| *octet == b'?');
    let (charset, encoding, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let end = rest.windows(2).position(|window| window == b"?=")?;
    let content = rest.get(..end)?;
    let mut octets = Vec::new();
    match encoding {
        b"b" | b"B" => {
            let mut decoder = Base64Decoder::default();
            decoder.decode(content, &mut octets);
            decoder.finish(&mut octets);
        }
        b"q" | b"Q" => {
            let spaced: Vec<u8> = content.iter().map(|o| if *o == b'_' { b' ' } else { *o }).collect();
            let mut decoder = QuotedPrintableDecoder::default();
            decoder.decode(&spaced, &mut octets);
            decoder.finish(&mut octets);
        }
        _ => return None,
    }
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + end + 2;
    Some((octets, charset, text.get(length..)?))
}

/// Octets of an encoded word at most.
const MAX_WORD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::decode_words;

    #[test]
    fn words_in_names() {
        let decode = |text: &str| decode_words(text.as_bytes());
        assert_eq!(decode("report.pdf"), None);
        assert_eq!(decode("=?utf-8?Q?eicar=2Ecom?="), Some("eicar.com".to_owned()));
        assert_eq!(decode("=?UTF-8?B?ZWljYXI=?= =?utf-8?q?.com?= x"), Some("eicar.com x".to_owned()));
        assert_eq!(decode("=?iso-8859-1?q?=E9_a?="), Some("é a".to_owned()));
        assert_eq!(decode("=?utf-8?x?a?= =?"), None);
        assert_eq!(decode(&"=?".repeat(50_000)), None);
    }
}
