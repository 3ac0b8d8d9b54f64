//! Which header fields signatures of DKIM cover (RFC 6376 §3.5).

use crate::action::rewrite::fields;

/// Whether a signature in this header section covers one of these fields. One that does not say what it covers covers all.
pub fn covers(header: &[u8], names: &[String]) -> bool {
    fields(header).into_iter().any(|(range, name)| {
        let is_signature = name.eq_ignore_ascii_case(b"dkim-signature");
        is_signature && signs(header.get(range).unwrap_or_default(), names)
    })
}

fn signs(field: &[u8], names: &[String]) -> bool {
    let text: String = String::from_utf8_lossy(field).split_whitespace().collect();
    let Some((_, tags)) = text.split_once(':') else { return true };
    let mut tags = tags.split(';').filter_map(|tag| tag.split_once('='));
    let Some((_, signed)) = tags.find(|(name, _)| *name == "h") else { return true };
    signed.split(':').any(|signed| names.iter().any(|name| name.eq_ignore_ascii_case(signed)))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn only_fields_that_are_named_are_covered() {
        let header = b"Received: x\r\nDKIM-Signature: v=1; a=rsa-sha256; bh=h=Cc;\r\n\th=From : to:\r\n Subject; b=x\r\n\r\n";
        for (name, expected) in
            [("From", true), ("TO", true), ("subject", true), ("Received", false), ("Cc", false)]
        {
            assert_eq!(covers(header, &[name.to_owned()]), expected, "{name}");
        }
        assert!(covers(b"DKIM-Signature: v=1\r\n", &["Cc".to_owned()]));
        assert!(!covers(b"Subject: DKIM-Signature: h=Cc\r\n", &["Cc".to_owned()]));
        assert!(!covers(b"dkim-signature: h=Cc\r\n", &[]));
    }
}
