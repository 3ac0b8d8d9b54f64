//! Messages for the tests, and mail data as it stands on the wire.

/// The EICAR test file (68 octets), put together here so that no scanner finds it in this source.
pub fn eicar() -> Vec<u8> {
    let pieces = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EI", "CAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];
    pieces.concat().into_bytes()
}

/// A short text message.
pub fn note(subject: &str) -> Vec<u8> {
    let text = format!(
        "From: <a@client.test>\r\nTo: <b@server.test>\r\nSubject: {subject}\r\n\
         Message-ID: <{subject}@client.test>\r\n\r\nThis is a note.\r\n"
    );
    text.into_bytes()
}

/// A short text message with a line that a scripted engine minds, or nobody.
pub fn marked(subject: &str, line: &[u8]) -> Vec<u8> {
    [note(subject), line.to_vec(), b"\r\n".to_vec()].concat()
}

/// A message with one attachment in base64.
pub fn with_attachment(subject: &str, name: &str, octets: &[u8]) -> Vec<u8> {
    let text = format!(
        "From: <a@client.test>\r\nTo: <b@server.test>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_cut\"\r\n\r\n\
         --=_cut\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nSee the attachment.\r\n\
         --=_cut\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n\
         {}--=_cut--\r\n",
        base64(octets)
    );
    text.into_bytes()
}

/// A message that says EICAR in an attachment.
pub fn infected(subject: &str) -> Vec<u8> {
    with_attachment(subject, "eicar.com", &eicar())
}

/// Base64 in lines of 76 characters (RFC 2045 §6.8).
pub fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(octets.len() * 4 / 3 + octets.len() / 28 + 8);
    for line in octets.chunks(57) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, &octet| (bits << 8) | u32::from(octet))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place > group.len() { '=' } else { char::from(digit) });
            }
        }
        text.push_str("\r\n");
    }
    text
}

/// Mail data on the wire: dots at line starts doubled, ended by CRLF, full stop, CRLF (RFC 5321 §4.5.2).
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + 8);
    let mut at_line_start = true;
    for &octet in message {
        if at_line_start && octet == b'.' {
            wire.push(b'.');
        }
        wire.push(octet);
        at_line_start = octet == b'\n';
    }
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// Where one stands in the other.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::{base64, stuffed};

    #[test]
    fn base64_of_every_remainder() {
        assert_eq!(base64(b"abc"), "YWJj\r\n");
        assert_eq!(base64(b"ab"), "YWI=\r\n");
        assert_eq!(base64(b"a"), "YQ==\r\n");
        assert_eq!(base64(&[0; 58]).lines().map(str::len).collect::<Vec<_>>(), [76, 4]);
    }

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        assert_eq!(stuffed(b".a.\r\n..\r\nb"), b"..a.\r\n...\r\nb\r\n.\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
    }
}
