//! Mail data of a given size: a text part and one attachment in base64 that does not repeat itself.

/// Mail data on the wire, with the final dot; about `octets` long.
pub(crate) fn of_size(octets: usize) -> Vec<u8> {
    let mut data = HEAD.as_bytes().to_vec();
    let mut random: u64 = 0x5057_4e42;
    while data.len() + TAIL.len() + 78 <= octets.max(HEAD.len() + TAIL.len() + 78) {
        for _ in 0..76 {
            // xorshift64: no two lines are alike, and nothing can be found in them.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            data.push(DIGITS[usize::try_from(random >> 58).unwrap_or(0)]);
        }
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(TAIL.as_bytes());
    data
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEAD: &str = "From: <a@src.test>\r\nTo: <b@dst.test>\r\nSubject: load\r\nDate: Sun, 22 Nov 2026 00:00:00 +0000\r\n\
Message-ID: <load@src.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_bench\"\r\n\r\n\
--=_bench\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nSee the attachment.\r\n\
--=_bench\r\nContent-Type: application/octet-stream; name=\"load.bin\"\r\n\
Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"load.bin\"\r\n\r\n";
const TAIL: &str = "--=_bench--\r\n.\r\n";
