//! The head of an ICAP response (RFC 3507 §4.3.3), and what it says about a message.

/// A response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcapResponse {
    /// As in `204`.
    pub status: u16,
    /// What stands behind the number.
    pub reason: String,
    headers: Vec<(String, String)>,
}

/// What a response says about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found: 204, and nothing that says otherwise.
    Clean,
    /// Something of this name was found.
    Found(String),
    /// The service gives something back; whether it is what it was given shows the body.
    Body,
    /// The service could not do it.
    Failed(String),
}

/// What is wrong with a head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IcapDefect {
    /// Not ICAP.
    #[error("no ICAP status line: {0}")]
    StatusLine(String),
    /// A line without a name.
    #[error("a header line without a name: {0}")]
    HeaderLine(String),
}

/// Octets of a head at most.
pub const MAX_HEAD: usize = 64 << 10;
/// Characters of a threat's name or a reason.
const MAX_TEXT: usize = 200;

/// Fields that services name a threat in; the first has a form of its own.
const THREATS: [&str; 5] =
    ["X-Infection-Found", "X-Virus-ID", "X-Virus-Name", "X-Violations-Found", "X-Blocked"];

impl IcapResponse {
    /// Reads a head without the empty line behind it.
    pub fn parse(head: &[u8]) -> Result<Self, IcapDefect> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let bad = || IcapDefect::StatusLine(printable(first));
        let rest = first.strip_prefix("ICAP/1.").ok_or_else(bad)?;
        let mut words = rest.splitn(3, ' ');
        let (_minor, status) = (words.next(), words.next().ok_or_else(bad)?);
        let digits = status.len() == 3 && status.bytes().all(|digit| digit.is_ascii_digit());
        let status = status.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        let reason = printable(words.next().unwrap_or_default());
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                continue;
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| IcapDefect::HeaderLine(printable(line)))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(Self { status, reason, headers })
    }

    /// The value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The tag of the service's state: it changes with its signatures.
    pub fn tag(&self) -> Option<String> {
        self.header("ISTag").map(|tag| printable(tag.trim_matches('"')))
    }

    /// Whether the connection may be used again.
    pub fn keeps_open(&self) -> bool {
        !self.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Where the body begins behind the head, if there is one.
    pub fn body_at(&self) -> Option<u64> {
        let places = self.header("Encapsulated")?;
        places.split(',').find_map(|place| {
            let (name, at) = place.trim().split_once('=')?;
            let is_body = name.ends_with("-body") && name != "null-body";
            is_body.then(|| at.trim().parse().ok()).flatten()
        })
    }

    /// What it says about the message.
    pub fn verdict(&self) -> Verdict {
        if let Some(name) = self.threat() {
            return Verdict::Found(name);
        }
        match self.status {
            204 => Verdict::Clean,
            200 | 206 => Verdict::Body,
            status => Verdict::Failed(format!("{status} {}", self.reason)),
        }
    }

    fn threat(&self) -> Option<String> {
        let (field, value) =
            THREATS.iter().find_map(|field| self.header(field).map(|value| (*field, value)))?;
        // `Type=0; Resolution=2; Threat=Eicar-Test-Signature;`
        let threat = value.split(';').find_map(|item| item.trim().strip_prefix("Threat="));
        let name = threat.unwrap_or(value).trim();
        let is_none = field != "X-Infection-Found"
            && matches!(name.to_ascii_lowercase().as_str(), "" | "0" | "no" | "none" | "no threats");
        let name = if name.is_empty() { "unnamed threat" } else { name };
        (!is_none).then(|| printable(name))
    }
}

fn printable(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{IcapResponse, Verdict};

    fn parse(text: &str) -> IcapResponse {
        IcapResponse::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_204_without_a_threat_is_clean() {
        for (text, verdict) in [
            ("ICAP/1.0 204 Unmodified\r\nISTag: \"x\"", Verdict::Clean),
            ("ICAP/1.0 204", Verdict::Clean),
            (
                "ICAP/1.0 204 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar;",
                Verdict::Found("Eicar".to_owned()),
            ),
            ("ICAP/1.0 200 OK\r\nx-virus-id: Eicar", Verdict::Found("Eicar".to_owned())),
            ("ICAP/1.0 200 OK\r\nX-Infection-Found:", Verdict::Found("unnamed threat".to_owned())),
            ("ICAP/1.0 204 OK\r\nX-Violations-Found: 0", Verdict::Clean),
            ("ICAP/1.0 200 OK\r\nX-Violations-Found: 1\r\n  doc.exe", Verdict::Found("1 doc.exe".to_owned())),
            ("ICAP/1.0 200 OK", Verdict::Body),
            ("ICAP/1.0 100 Continue", Verdict::Failed("100 Continue".to_owned())),
            ("ICAP/1.0 404 No such service", Verdict::Failed("404 No such service".to_owned())),
            ("ICAP/1.0 500 Oops\x1b[2J", Verdict::Failed("500 Oops?[2J".to_owned())),
        ] {
            assert_eq!(parse(text).verdict(), verdict, "{text}");
        }
    }

    #[test]
    fn what_is_not_icap_is_a_defect() {
        for text in
            ["", "HTTP/1.1 204 OK", "ICAP/1.0", "ICAP/1.0 2x4 OK", "ICAP/1.0 +04 OK", "ICAP/1.0 204 OK\r\nx"]
        {
            assert!(IcapResponse::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn places_and_tags_are_read() {
        let response = parse(
            "ICAP/1.0 200 OK\r\nISTag: \"CI-1-27\"\r\nEncapsulated: res-hdr=0, res-body=137\r\nConnection: Close",
        );
        assert_eq!(response.body_at(), Some(137));
        assert_eq!(response.tag().as_deref(), Some("CI-1-27"));
        assert!(!response.keeps_open());
        assert_eq!(parse("ICAP/1.0 204 OK\r\nEncapsulated: null-body=0").body_at(), None);
    }
}
