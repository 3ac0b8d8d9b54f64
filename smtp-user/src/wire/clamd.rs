//! The protocol of clamd: commands that end with NUL, and one line of reply to each (`clamd(8)`).
//!
//! Only a complete reply that is understood can be clean. A limit that was met is never clean, whatever
//! form clamd gives it.

/// Asks for the version.
pub const VERSION: &[u8] = b"zVERSION\0";
/// Asks to scan a file whose descriptor follows.
pub const FILDES: &[u8] = b"zFILDES\0";
/// Asks to scan what follows in chunks.
pub const INSTREAM: &[u8] = b"zINSTREAM\0";
/// Ends the chunks.
pub const LAST_CHUNK: [u8; 4] = [0; 4];
/// Octets of a reply at most.
pub const MAX_REPLY: usize = 4096;

/// What stands before a chunk of this many octets.
pub const fn chunk_header(octets: u32) -> [u8; 4] {
    octets.to_be_bytes()
}

/// What clamd says about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClamdReply {
    /// It looked at all of it and found nothing.
    Clean,
    /// It found something of this name.
    Found(String),
    /// It did not look at all of it.
    LimitExceeded(String),
    /// It met something that needs a key.
    Encrypted(String),
    /// It could not do it.
    Error(String),
    /// Something else: nothing follows from it.
    Unknown(String),
}

impl ClamdReply {
    /// Reads a reply without the NUL at its end.
    pub fn parse(reply: &[u8]) -> Self {
        let text = excerpt(reply);
        let Ok(reply) = std::str::from_utf8(reply) else { return Self::Unknown(text) };
        if reply.bytes().any(|octet| octet.is_ascii_control()) {
            return Self::Unknown(text);
        }
        if let Some(error) = reply.strip_suffix("ERROR") {
            return if error.to_ascii_lowercase().contains("limit") {
                Self::LimitExceeded(text)
            } else {
                Self::Error(text)
            };
        }
        let Some((subject, result)) = reply.split_once(": ") else { return Self::Unknown(text) };
        let descriptor = subject.strip_prefix("fd[").and_then(|rest| rest.strip_suffix(']'));
        if subject != "stream" && descriptor.is_none_or(|number| number.parse::<u32>().is_err()) {
            return Self::Unknown(text);
        }
        match result.strip_suffix(" FOUND") {
            None if result == "OK" => Self::Clean,
            None | Some("") => Self::Unknown(text),
            Some(name) if name.starts_with("Heuristics.Limits.Exceeded") => {
                Self::LimitExceeded(excerpt(name.as_bytes()))
            }
            Some(name) if name.starts_with("Heuristics.Encrypted") => {
                Self::Encrypted(excerpt(name.as_bytes()))
            }
            Some(name) => Self::Found(excerpt(name.as_bytes())),
        }
    }
}

/// Printable ASCII of a text, bounded.
pub fn excerpt(text: &[u8]) -> String {
    let shown = text.iter().take(MAX_EXCERPT);
    shown.map(|octet| if matches!(octet, b' '..=b'~') { char::from(*octet) } else { '?' }).collect()
}

const MAX_EXCERPT: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ClamdReply::{self, Clean, Encrypted, Error, Found, LimitExceeded, Unknown};

    #[test]
    fn every_kind_of_reply() {
        let name = |name: &str| name.to_owned();
        for (reply, expected) in [
            ("stream: OK", Clean),
            ("fd[12]: OK", Clean),
            ("stream: Eicar-Test-Signature FOUND", Found(name("Eicar-Test-Signature"))),
            ("fd[9]: A B(0a:68) FOUND", Found(name("A B(0a:68)"))),
            ("stream: Heuristics.Limits.Exceeded FOUND", LimitExceeded(name("Heuristics.Limits.Exceeded"))),
            (
                "fd[3]: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
                LimitExceeded(name("Heuristics.Limits.Exceeded.MaxFileSize")),
            ),
            (
                "INSTREAM size limit exceeded. ERROR",
                LimitExceeded(name("INSTREAM size limit exceeded. ERROR")),
            ),
            ("stream: Heuristics.Encrypted.Zip FOUND", Encrypted(name("Heuristics.Encrypted.Zip"))),
            ("No file descriptor received. ERROR", Error(name("No file descriptor received. ERROR"))),
            ("UNKNOWN COMMAND", Unknown(name("UNKNOWN COMMAND"))),
            ("", Unknown(name(""))),
            ("OK", Unknown(name("OK"))),
            ("stream: OK stream: OK", Unknown(name("stream: OK stream: OK"))),
            ("stream:  OK", Unknown(name("stream:  OK"))),
            ("stream: OK\n", Unknown(name("stream: OK?"))),
            ("stream:  FOUND", Unknown(name("stream:  FOUND"))),
            ("/etc/passwd: OK", Unknown(name("/etc/passwd: OK"))),
            ("fd[x]: OK", Unknown(name("fd[x]: OK"))),
        ] {
            assert_eq!(ClamdReply::parse(reply.as_bytes()), expected, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn only_two_forms_are_clean(reply in prop::collection::vec(any::<u8>(), 0..40)) {
            if ClamdReply::parse(&reply) == Clean {
                prop_assert!(reply == b"stream: OK" || reply.starts_with(b"fd[") && reply.ends_with(b"]: OK"));
            }
        }
    }
}
