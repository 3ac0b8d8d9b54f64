//! Character references of HTML, as many as people write.

/// Those of ISO 8859-1, from 160 on.
const LATIN: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo",
    "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot",
    "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",
    "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute",
    "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash",
    "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde",
    "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
    "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave",
    "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];
const OTHERS: [(&str, char); 29] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("colon", ':'),
    ("sol", '/'),
    ("period", '.'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("euro", '\u{20ac}'),
    ("ndash", '\u{2013}'),
    ("mdash", '\u{2014}'),
    ("lsquo", '\u{2018}'),
    ("rsquo", '\u{2019}'),
    ("sbquo", '\u{201a}'),
    ("ldquo", '\u{201c}'),
    ("rdquo", '\u{201d}'),
    ("bdquo", '\u{201e}'),
    ("bull", '\u{2022}'),
    ("hellip", '\u{2026}'),
    ("trade", '\u{2122}'),
    ("lsaquo", '\u{2039}'),
    ("rsaquo", '\u{203a}'),
    ("larr", '\u{2190}'),
    ("rarr", '\u{2192}'),
    ("minus", '\u{2212}'),
    ("commat", '@'),
    ("num", '#'),
];
/// Characters of a reference at most.
const MAX_NAME: usize = 10;

/// A text with its references resolved; what is none stays.
pub(super) fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '#');
        let end = reference.find(is_end).unwrap_or(reference.len()).min(MAX_NAME);
        let (body, after) = reference.split_at_checked(end).unwrap_or((reference, ""));
        if let Some(c) = number(body).or_else(|| name(body)) {
            // A blank that does not break a line is one here.
            out.push(if c == '\u{a0}' { ' ' } else { c });
            rest = after.strip_prefix(';').unwrap_or(after);
        } else {
            out.push('&');
            rest = reference;
        }
    }
    out.push_str(rest);
    out
}

fn number(body: &str) -> Option<char> {
    let digits = body.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}

fn name(body: &str) -> Option<char> {
    if let Some((_, c)) = OTHERS.iter().find(|(name, _)| *name == body) {
        return Some(*c);
    }
    let at = LATIN.iter().position(|name| *name == body)?;
    char::from_u32(160 + u32::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn references_are_resolved_and_the_rest_stays() {
        for (text, expected) in [
            (
                "a &amp; b &lt;c&gt; &#65;&#x42; &uuml;&yuml;&nbsp;&euro;",
                "a & b <c> AB \u{fc}\u{ff} \u{20ac}",
            ),
            ("AT&T &unknown; & &#xd800; &#99999999; &", "AT&T &unknown; & &#xd800; &#99999999; &"),
            ("&ampx &amp", "&ampx &"),
            ("&\u{e4}\u{f6}&amp;\u{fc}", "&\u{e4}\u{f6}&\u{fc}"),
        ] {
            assert_eq!(resolved(text), expected);
        }
    }
}
