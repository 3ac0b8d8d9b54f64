//! A next hop that takes everything, and may be as careless about line ends as servers have been.

/// A next hop that takes everything.
#[derive(Default)]
pub struct Sink {
    /// Takes CR, LF and CRLF for line ends, everywhere.
    pub careless: bool,
    /// Offers nothing.
    pub plain: bool,
    /// Messages it got, dots and all.
    pub messages: Vec<Vec<u8>>,
    /// Commands it got.
    pub commands: Vec<String>,
    input: Vec<u8>,
    data: Option<Vec<u8>>,
    chunk: Option<(usize, bool)>,
}

impl Sink {
    /// One that is careless about line ends or not, and offers extensions or none.
    pub fn new(careless: bool, plain: bool) -> Self {
        Self { careless, plain, ..Self::default() }
    }

    /// Takes octets, and gives what it says to them.
    pub fn take(&mut self, octets: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(octets);
        let mut said = Vec::new();
        loop {
            if let Some((octets, last)) = self.chunk {
                if self.input.len() < octets {
                    return said;
                }
                let chunk = self.input.drain(..octets).collect::<Vec<_>>();
                self.data.get_or_insert_default().extend(chunk);
                self.chunk = None;
                if last {
                    self.messages.extend(self.data.take());
                }
                said.extend_from_slice(b"250 taken\r\n");
                continue;
            }
            let Some((line, end)) = self.line() else { return said };
            self.input.drain(..end);
            let reply = match &mut self.data {
                Some(_) if line == b"." => {
                    self.messages.extend(self.data.take());
                    "250 queued\r\n".to_owned()
                }
                Some(data) => {
                    data.extend(line);
                    data.extend_from_slice(b"\r\n");
                    continue;
                }
                None => self.command(&String::from_utf8_lossy(&line)),
            };
            said.extend(reply.into_bytes());
        }
    }

    fn command(&mut self, line: &str) -> String {
        self.commands.push(line.to_owned());
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" if !self.plain => {
                "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 CHUNKING\r\n"
                    .to_owned()
            }
            "STARTTLS" => "220 go\r\n".to_owned(),
            "DATA" => {
                self.data = Some(Vec::new());
                "354 go\r\n".to_owned()
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let octets = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                self.chunk = Some((octets, words.next() == Some("LAST")));
                String::new()
            }
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 ok\r\n".to_owned(),
        }
    }

    /// The next line, and where the one behind it begins.
    fn line(&self) -> Option<(Vec<u8>, usize)> {
        if !self.careless {
            let end = self.input.windows(2).position(|octets| octets == b"\r\n")?;
            return Some((self.input[..end].to_vec(), end + 2));
        }
        let end = self.input.iter().position(|octet| matches!(octet, b'\r' | b'\n'))?;
        let whole = self.input[end..].starts_with(b"\r\n");
        if self.input[end..] == *b"\r" {
            return None;
        }
        Some((self.input[..end].to_vec(), end + if whole { 2 } else { 1 }))
    }
}
