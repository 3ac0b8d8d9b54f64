//! Where the addresses stand in the body of a field that lists them (RFC 5322 §3.4, and §4.4 for what older programs write).

/// Places of the octets of each address, without blanks and comments; `None` if brackets or quotes are not closed.
pub(super) fn addresses(body: &[u8]) -> Option<Vec<Vec<usize>>> {
    let mut list = List::default();
    let mut at = 0;
    while let Some(&octet) = body.get(at) {
        at = match octet {
            b'(' => comment_end(body, at)?,
            b'"' => {
                let end = closed(body, at, b'"')?;
                list.take(at..end);
                end
            }
            b'[' => {
                let end = closed(body, at, b']')?;
                list.take(at..end);
                end
            }
            b'<' if list.angle == Angle::None => {
                list.current.clear();
                list.angle = Angle::Open;
                at + 1
            }
            b'>' if list.angle == Angle::Open => {
                list.angle = Angle::Closed;
                at + 1
            }
            b'<' | b'>' | b')' | b']' => return None,
            // In brackets it parts a route from the address behind it (RFC 5322 §4.4), and so does a colon.
            b',' | b':' if list.angle == Angle::Open => {
                list.current.clear();
                at + 1
            }
            // What stands before a colon names a group.
            b':' => {
                list.current.clear();
                at + 1
            }
            b',' | b';' => {
                list.end();
                at + 1
            }
            b' ' | b'\t' | b'\r' | b'\n' => at + 1,
            _ => {
                list.take(at..at + 1);
                at + 1
            }
        };
    }
    if list.angle == Angle::Open {
        return None;
    }
    list.end();
    Some(list.done)
}

#[derive(Default)]
struct List {
    done: Vec<Vec<usize>>,
    current: Vec<usize>,
    angle: Angle,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Angle {
    #[default]
    None,
    Open,
    Closed,
}

impl List {
    fn take(&mut self, places: std::ops::Range<usize>) {
        // Behind the brackets nothing of the address comes.
        if self.angle != Angle::Closed {
            self.current.extend(places);
        }
    }

    fn end(&mut self) {
        let place = std::mem::take(&mut self.current);
        if !place.is_empty() {
            self.done.push(place);
        }
        self.angle = Angle::None;
    }
}

/// Behind the octet that closes what begins here; a backslash takes the meaning from the next one.
fn closed(body: &[u8], start: usize, close: u8) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match body.get(at)? {
            b'\\' => at += 2,
            octet if *octet == close => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Behind a comment, which may have others in it.
fn comment_end(body: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match body.get(at)? {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::addresses;

    fn found(body: &str) -> Option<Vec<String>> {
        let text = |places: Vec<usize>| places.iter().map(|at| char::from(body.as_bytes()[*at])).collect();
        addresses(body.as_bytes()).map(|all| all.into_iter().map(text).collect())
    }

    #[test]
    fn addresses_are_found_wherever_they_may_stand() {
        for (body, expected) in [
            (" al@a.test\r\n", vec!["al@a.test"]),
            (" Al <al@a.test>,\r\n\tBo <bo@b.test>\r\n", vec!["al@a.test", "bo@b.test"]),
            (" \"Al, <x@y>\" <al@a.test>", vec!["al@a.test"]),
            (" al@a.test (Al, of (a) \\) ), bo@b.test", vec!["al@a.test", "bo@b.test"]),
            (" all: al@a.test, Bo <bo@b.test>;, c@c.test", vec!["al@a.test", "bo@b.test", "c@c.test"]),
            (" undisclosed-recipients:;", vec![]),
            (" <@x.test,@y.test:al@a.test>", vec!["al@a.test"]),
            (" al @ a.test", vec!["al@a.test"]),
            (" \"a b\"@a.test", vec!["\"a b\"@a.test"]),
            (" al@[IPv6:::1]", vec!["al@[IPv6:::1]"]),
            (" <>", vec![]),
            ("", vec![]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found(body), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_is_not_closed_has_no_addresses() {
        for body in ["\"al <a@b>", "<a@b", "(a@b", "a@[1", "a>b", "<a<b>>", "a)b", "a\\"] {
            let expected = (body == "a\\").then(|| vec!["a\\".to_owned()]);
            assert_eq!(found(body), expected, "{body}");
        }
    }
}
