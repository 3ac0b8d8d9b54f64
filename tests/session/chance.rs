//! The fuzz targets' checks, fed by chance.

use proptest::prelude::*;

use crate::checks;

/// Octets that mean something, more often than not.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "EHLO x\r\n",
            "MAIL FROM:<a@b>\r\n",
            "RCPT TO:<c@d>\r\n",
            "DATA\r\n",
            "BDAT 5\r\n",
            "BDAT 5 LAST\r\n",
            "hello",
            ".\r\n",
            "\r\n.\r\n",
            "QUIT\r\n",
            "RSET\r\n",
            "STARTTLS\r\n",
            "AUTH PLAIN\r\n",
            "250 ok\r\n",
            "250-x\r\n",
            "250 PIPELINING\r\n",
            "250 CHUNKING\r\n",
            "220 go\r\n",
            "354 go\r\n",
            "421 bye\r\n",
            "\r",
            "\n",
            ".",
            "\0",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..20).prop_map(|words| words.concat())
}

/// Pieces of messages, and of what stands in them.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
            "Content-Type: multipart/signed; boundary=\"b c\"\r\n\r\n",
            "Content-Type: message/rfc822\r\n\r\n",
            "Content-Type: text/html; charset*0=\"x; name*=utf-8''%41\r\n",
            "Content-Transfer-Encoding: base64\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n",
            "Subject: x\r\n",
            "--b\r\n",
            "--b--\r\n",
            "\r\n--b\r\n\r\n",
            "QUJD",
            "RA==",
            "=41=\r\n",
            "\r\n",
            "\r\n\r\n",
            "\r",
            "\n",
            "begin 644 a\r\n",
            "PK\x03\x04",
            "PK\x05\x06\0\0\0\0\0\0\0\0",
            "%PDF-1.4\n1 0 obj\n<</JS(x)>>\nendobj\n",
            "trailer<</Root 1 0 R>>",
            "{\\rtf1\\objdata 0105",
            "<html><script>",
            "<a href='javascript:x' onclick=y>",
            "<svg><title>",
            "</script>",
            "stream: OK",
            "stream: X FOUND",
            "ICAP/1.0 204 x\r\nISTag: \"a\"\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn messages_and_what_is_in_them(cut: u8, input in content()) {
        let with_cut = [&[cut], input.as_slice()].concat();
        checks::tree(&with_cut);
        checks::decoders(&with_cut);
        checks::engine_replies(&with_cut);
        checks::parameters(&input);
        checks::contents(&input);
        checks::extraction(&input);
    }

    #[test]
    fn commands(input in octets()) {
        checks::command(&input);
        for line in input.split(|&octet| octet == b'\n') {
            checks::command(line.strip_suffix(b"\r").unwrap_or(line));
        }
    }

    #[test]
    fn replies(cut: u8, input in octets()) {
        checks::reply(&[&[cut], input.as_slice()].concat());
    }

    #[test]
    fn data_and_chunks(cut: u8, mode: u8, input in octets()) {
        let input = [&[cut, mode], input.as_slice()].concat();
        checks::data(&input);
        checks::bdat(&input);
    }

    #[test]
    fn sessions(mode: u8, segments in prop::collection::vec((any::<u8>(), octets()), 0..40)) {
        let mut input = vec![mode];
        for (tag, mut octets) in segments {
            octets.truncate(255);
            input.extend([tag, u8::try_from(octets.len()).unwrap()]);
            input.extend(octets);
        }
        checks::relay(&input);
    }
}
