//! ICAP (RFC 3507): what is asked of a service with RESPMOD, and what its answer says.
//!
//! A message goes as the body of an HTTP response, whole and without a preview, so that a service never says "no need to
//! look" of what it has not seen. Only an answer that is complete and understood can mean "clean".

mod chunks;
mod response;

pub use chunks::{ChunkDefect, ChunkReader, ChunkStep};
pub use response::{IcapDefect, IcapResponse, MAX_HEAD, Verdict};

/// Ends each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";
/// Ends the chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What stands before a chunk of this many octets.
pub fn chunk_header(octets: usize) -> Vec<u8> {
    format!("{octets:x}\r\n").into_bytes()
}

/// Asks what a service can do; its tag names the version of its signatures (RFC 3507 §4.10).
pub fn options(authority: &str, service: &str) -> Vec<u8> {
    format!(
        "OPTIONS icap://{authority}/{service} ICAP/1.0\r\nHost: {authority}\r\nUser-Agent: Postern\r\n\
         Encapsulated: null-body=0\r\n\r\n"
    )
    .into_bytes()
}

/// Asks about a message, or a part of one, of this many octets, which follow in chunks (RFC 3507 §4.9).
pub fn respmod(authority: &str, service: &str, octets: u64, is_part: bool) -> Vec<u8> {
    // Nothing of the message stands in here: no name, and so nothing that could end a line.
    let (name, kind) =
        if is_part { ("part", "application/octet-stream") } else { ("message.eml", "message/rfc822") };
    let request = format!("GET http://mail.invalid/{name} HTTP/1.1\r\nHost: mail.invalid\r\n\r\n");
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {octets}\r\n\r\n");
    format!(
        "RESPMOD icap://{authority}/{service} ICAP/1.0\r\nHost: {authority}\r\nUser-Agent: Postern\r\nAllow: 204\r\n\
         Encapsulated: req-hdr=0, res-hdr={}, res-body={}\r\n\r\n{request}{response}",
        request.len(),
        request.len() + response.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{options, respmod};

    #[test]
    fn requests_say_where_their_parts_begin() {
        let part = String::from_utf8(respmod("av:1344", "avscan", 5, true)).unwrap();
        assert!(part.contains("Content-Type: application/octet-stream\r\n"), "{part}");
        let request = String::from_utf8(respmod("av:1344", "avscan", 5, false)).unwrap();
        let (head, rest) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("RESPMOD icap://av:1344/avscan ICAP/1.0\r\nHost: av:1344\r\n"), "{head}");
        let at = |name: &str| -> usize {
            let (_, rest) = head.split_once(&format!("{name}=")).unwrap();
            rest.split([',', '\r']).next().unwrap().parse().unwrap()
        };
        assert_eq!(at("req-hdr"), 0);
        assert!(rest[at("res-hdr")..].starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
        assert_eq!(at("res-body"), rest.len());
        assert!(options("av:1344", "avscan").ends_with(b"Encapsulated: null-body=0\r\n\r\n"));
    }
}
