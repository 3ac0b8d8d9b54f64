//! Structured fields with parameters: `Content-Type` and `Content-Disposition`, RFC 2045 §5.1.

/// What stands behind the name of a parameter to a reader who only looks for that and an equals sign; and whether there are the
/// asterisks or digits of a piece (RFC 2231 §3) between them.
pub(super) fn lenient_value(behind: &[u8]) -> Option<(bool, &[u8])> {
    let behind = behind.trim_ascii_start();
    let starred = behind.iter().take_while(|octet| matches!(octet, b'*' | b'0'..=b'9')).count();
    let value = behind.get(starred..)?.trim_ascii_start().strip_prefix(b"=")?;
    Some((starred > 0, value.trim_ascii_start()))
}

/// A field body as it is written, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterField {
    /// What stands before the first semicolon, in lower case, without comments and blanks around it.
    pub value: Vec<u8>,
    /// The parameters in their order.
    pub parameters: Vec<Parameter>,
    /// Something in it is not as the grammar says.
    pub malformed: bool,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// In lower case, with the asterisks of RFC 2231.
    pub name: Vec<u8>,
    /// Without quotes and escapes.
    pub value: Vec<u8>,
}

impl ParameterField {
    /// Takes an unfolded field body apart. Every octet is looked at once.
    pub fn parse(body: &[u8]) -> Self {
        let mut cursor = Cursor { rest: body, malformed: false };
        let mut field = Self { value: cursor.head(), ..Self::default() };
        while !cursor.rest.is_empty() {
            if field.parameters.len() == MAX_PARAMETERS {
                cursor.malformed = true;
                break;
            }
            if let Some(parameter) = cursor.parameter() {
                field.parameters.push(parameter);
            }
        }
        field.malformed = cursor.malformed;
        field
    }

    /// The values of a parameter, by its name in lower case.
    pub fn values<'f>(&'f self, name: &'f [u8]) -> impl Iterator<Item = &'f [u8]> {
        self.parameters.iter().filter(move |p| p.name == name).map(|p| p.value.as_slice())
    }
}

/// Parameters in a field at most; no reader knows twenty.
const MAX_PARAMETERS: usize = 100;

struct Cursor<'b> {
    rest: &'b [u8],
    malformed: bool,
}

impl Cursor<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&octet, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(octet)
    }

    /// Everything up to the first semicolon, which is taken too.
    fn head(&mut self) -> Vec<u8> {
        let mut head = Vec::new();
        while let Some(octet) = self.next() {
            match octet {
                b';' => break,
                b'(' => self.comment(),
                _ => head.push(octet.to_ascii_lowercase()),
            }
        }
        head.trim_ascii().to_vec()
    }

    /// The rest of a comment, RFC 5322 §3.2.2. It counts as malformed: few readers know comments here.
    fn comment(&mut self) {
        self.malformed = true;
        let mut depth = 1_usize;
        while let Some(octet) = self.next() {
            match octet {
                b'\\' => drop(self.next()),
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// One parameter and the semicolon after it.
    fn parameter(&mut self) -> Option<Parameter> {
        let mut name = Vec::new();
        loop {
            match self.next() {
                Some(b'=') => break,
                // An empty parameter, as after a last semicolon, is none; a name without a value is odd.
                None | Some(b';') => {
                    self.malformed |= !name.trim_ascii().is_empty();
                    return None;
                }
                Some(b'(') => self.comment(),
                Some(octet) => name.push(octet.to_ascii_lowercase()),
            }
        }
        let name = name.trim_ascii().to_vec();
        self.malformed |=
            name.is_empty() || name.iter().any(|octet| !octet.is_ascii_graphic() || *octet == b'"');
        let value = self.value();
        Some(Parameter { name, value })
    }

    /// A value, quoted or not, and the semicolon after it.
    fn value(&mut self) -> Vec<u8> {
        self.rest = self.rest.trim_ascii_start();
        let mut value = Vec::new();
        if self.rest.first() == Some(&b'"') {
            self.next();
            self.quoted(&mut value);
            loop {
                match self.next() {
                    None | Some(b';') => break,
                    Some(b'(') => self.comment(),
                    Some(b' ' | b'\t') => {}
                    Some(_) => self.malformed = true,
                }
            }
            return value;
        }
        while let Some(octet) = self.next() {
            match octet {
                b';' => break,
                b'(' => self.comment(),
                b'"' => {
                    self.malformed = true;
                    value.push(octet);
                }
                _ => value.push(octet),
            }
        }
        let value = value.trim_ascii().to_vec();
        self.malformed |= value.iter().any(|octet| matches!(octet, b' ' | b'\t' | 0));
        value
    }

    /// The rest of a quoted string, RFC 5322 §3.2.4.
    fn quoted(&mut self, value: &mut Vec<u8>) {
        loop {
            match self.next() {
                Some(b'"') => return,
                Some(b'\\') => value.extend(self.next()),
                Some(octet) => value.push(octet),
                None => {
                    self.malformed = true;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ParameterField;

    fn parse(body: &str) -> (String, Vec<(String, String)>, bool) {
        let field = ParameterField::parse(body.as_bytes());
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        let parameters = field.parameters.iter().map(|p| (text(&p.name), text(&p.value))).collect();
        (text(&field.value), parameters, field.malformed)
    }

    fn sound(value: &str, parameters: &[(&str, &str)]) -> (String, Vec<(String, String)>, bool) {
        let parameters = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        (value.to_owned(), parameters, false)
    }

    #[test]
    fn what_mail_programs_write() {
        assert_eq!(parse(" Text/Plain"), sound("text/plain", &[]));
        assert_eq!(parse("text/plain; charset=UTF-8;"), sound("text/plain", &[("charset", "UTF-8")]));
        assert_eq!(
            parse("multipart/mixed;\tboundary=\"a;b=\\\"c\" ; Type = x"),
            sound("multipart/mixed", &[("boundary", "a;b=\"c"), ("type", "x")])
        );
        assert_eq!(parse("a/b; boundary=--=_1/2?3"), sound("a/b", &[("boundary", "--=_1/2?3")]));
    }

    #[test]
    fn what_is_odd_is_told() {
        for body in [
            "a/b; x",
            "a/b; x=\"y",
            "a/b; x=y z",
            "a/b; x=\"y\"z",
            "a/b (c)",
            "a/b; x=y(",
            "a/b; =y",
            "a/b; x=y\"z",
        ] {
            assert!(parse(body).2, "{body}");
        }
    }
}
