//! One answer of a web server (RFC 9112), as far as a small text needs it.

/// Where the reading of an answer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpProgress {
    /// There is more to come.
    More,
    /// The content, whole.
    Content(Vec<u8>),
}

/// Why an answer is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Something else than 200, a redirection too.
    #[error("the web server answered {0}")]
    Status(u16),
    /// It is no text.
    #[error("the web server sent something else than text/plain")]
    Type,
    /// It breaks the rules.
    #[error("what the web server sent is no answer")]
    Malformed,
    /// It ends in the middle.
    #[error("the web server's answer was cut")]
    Cut,
    /// It is longer than is read.
    #[error("the web server sent too much")]
    TooLong,
}

/// Octets of a header.
pub const MAX_HEADER: usize = 16 << 10;

/// Reads what has come so far; `is_end` says that the other side has properly ended.
pub fn read(octets: &[u8], is_end: bool, max_content: usize) -> Result<HttpProgress, HttpError> {
    let more = if is_end { Err(HttpError::Cut) } else { Ok(HttpProgress::More) };
    let Some(at) = octets.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if octets.len() > MAX_HEADER { Err(HttpError::TooLong) } else { more };
    };
    let header = octets.get(..at).and_then(|header| std::str::from_utf8(header).ok());
    let header = header.filter(|header| header.len() <= MAX_HEADER).ok_or(HttpError::Malformed)?;
    let content = octets.get(at + 4..).unwrap_or_default();
    let mut lines = header.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    if status != 200 {
        return Err(HttpError::Status(status));
    }
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').ok_or(HttpError::Malformed))
        .map(|field| field.map(|(name, value)| (name.to_ascii_lowercase(), value.trim())))
        .collect::<Result<_, _>>()?;
    let all = |name: &str| fields.iter().filter(|(it, _)| it == name).map(|(_, value)| *value).collect();
    let (kinds, lengths, codings): (Vec<&str>, Vec<&str>, Vec<&str>) =
        (all("content-type"), all("content-length"), all("transfer-encoding"));
    let kind = kinds.first().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if kinds.len() != 1 || !kind.trim().eq_ignore_ascii_case("text/plain") {
        return Err(HttpError::Type);
    }
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) if content.len() > max_content => Err(HttpError::TooLong),
        ([], []) if is_end => Ok(HttpProgress::Content(content.to_vec())),
        ([], []) => Ok(HttpProgress::More),
        ([], [length]) => {
            let length: usize = number(length, 10).ok_or(HttpError::Malformed)?;
            if length > max_content {
                return Err(HttpError::TooLong);
            }
            content.get(..length).map_or(more, |content| Ok(HttpProgress::Content(content.to_vec())))
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => match chunks(content, max_content)? {
            Some(content) => Ok(HttpProgress::Content(content)),
            None => more,
        },
        // Two answers to where it ends.
        _ => Err(HttpError::Malformed),
    }
}

fn status(line: &str) -> Result<u16, HttpError> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let digits = rest.and_then(|rest| rest.split(' ').next()).filter(|digits| digits.len() == 3);
    digits
        .and_then(|digits| number(digits, 10))
        .and_then(|code| code.try_into().ok())
        .ok_or(HttpError::Malformed)
}

/// A number of up to eight digits and nothing else.
fn number(text: &str, radix: u32) -> Option<usize> {
    let is_plain = (1..=8).contains(&text.len()) && text.chars().all(|c| c.is_digit(radix));
    if is_plain { usize::from_str_radix(text, radix).ok() } else { None }
}

/// The content of chunks (RFC 9112 §7.1); `None` while there is more to come.
fn chunks(mut octets: &[u8], max_content: usize) -> Result<Option<Vec<u8>>, HttpError> {
    let mut content = Vec::new();
    loop {
        let Some(end) = octets.windows(2).position(|window| window == b"\r\n") else {
            return if octets.len() > MAX_HEADER { Err(HttpError::Malformed) } else { Ok(None) };
        };
        let line = octets.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        let size = line.and_then(|line| line.split(';').next()).map(str::trim_end);
        let size = size.and_then(|size| number(size, 16)).ok_or(HttpError::Malformed)?;
        if content.len() + size > max_content {
            return Err(HttpError::TooLong);
        }
        if size == 0 {
            // What may follow says nothing about the content.
            return Ok(Some(content));
        }
        let rest = octets.get(end + 2..).unwrap_or_default();
        let (Some(chunk), Some(after)) = (rest.get(..size), rest.get(size..size + 2)) else {
            return Ok(None);
        };
        if after != b"\r\n" {
            return Err(HttpError::Malformed);
        }
        content.extend_from_slice(chunk);
        octets = rest.get(size + 2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
