//! What becomes of a frame on its way through the gateway.

use etherparse::Ipv4Header;

use super::Mac;

/// What a forwarded frame must look like: other MAC addresses, TTL one less, IPv4 checksum made right, no
/// octet else.
///
/// # Panics
///
/// When the frame is not an untagged IPv4 or IPv6 frame without extras.
pub fn forwarded(frame: &[u8], source: Mac, destination: Mac) -> Vec<u8> {
    let mut expected = frame.to_vec();
    expected[..6].copy_from_slice(&destination);
    expected[6..12].copy_from_slice(&source);
    match expected[12..14] {
        [0x08, 0x00] => {
            let (mut header, _) = Ipv4Header::from_slice(&expected[14..]).expect("an IPv4 header");
            header.time_to_live -= 1;
            header.header_checksum = header.calc_header_checksum();
            expected[14..14 + header.header_len()].copy_from_slice(&header.to_bytes());
        }
        [0x86, 0xdd] => expected[14 + 7] -= 1,
        _ => panic!("only IP is forwarded"),
    }
    expected
}
