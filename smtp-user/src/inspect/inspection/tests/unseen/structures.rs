//! What parts stand in.

use super::{Sample, pick};
use crate::content::fixture::other::base64;
use crate::inspect::inspection::tests::clean_corpus::Chance;

type Maker = fn(&str, &str) -> String;

const TEXT: &str = "Content-Type: text/plain\r\n\r\nHello.";

/// A multipart: its field, what stands between the hyphens and the end of a delimiter line, a part.
fn multipart(declared: &str, delimiter: &str, entity: &str) -> String {
    format!(
        "Content-Type: {declared}\r\n\r\n--{delimiter}\r\n{TEXT}\r\n--{delimiter}\r\n{entity}\r\n--{delimiter}--\r\n"
    )
}

/// What it is called, and what is made of a boundary and an entity.
pub(super) const STRUCTURES: &[(&str, Maker)] = &[
    ("mixed", |b, entity| multipart(&format!("multipart/mixed; boundary=\"{b}\""), b, entity)),
    ("related", |b, entity| multipart(&format!("multipart/related; boundary={b}"), b, entity)),
    ("unknown multipart", |b, entity| multipart(&format!("multipart/x-any; boundary={b}"), b, entity)),
    ("form", |b, entity| multipart(&format!("multipart/form-data; boundary={b}"), b, entity)),
    ("signed", |b, entity| multipart(&format!("multipart/signed; boundary={b}"), b, entity)),
    ("encrypted", |b, entity| multipart(&format!("multipart/encrypted; boundary={b}"), b, entity)),
    ("first of alternatives", |b, entity| {
        format!(
            "Content-Type: multipart/alternative; boundary={b}\r\n\r\n--{b}\r\n{entity}\r\n--{b}\r\n{TEXT}\r\n--{b}--\r\n"
        )
    }),
    ("no last delimiter", |b, entity| {
        format!("Content-Type: multipart/mixed; boundary={b}\r\n\r\n--{b}\r\n{TEXT}\r\n--{b}\r\n{entity}")
    }),
    ("blanks behind delimiters", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
            .replace(&format!("\r\n--{b}\r\n"), &format!("\r\n--{b} \t \r\n"))
    }),
    ("text behind delimiters", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
            .replace(&format!("\r\n--{b}\r\n"), &format!("\r\n--{b} x\r\n"))
    }),
    ("text right behind delimiters", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
            .replace(&format!("\r\n--{b}\r\n"), &format!("\r\n--{b}x\r\n"))
    }),
    ("form feed behind delimiters", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
            .replace(&format!("\r\n--{b}\r\n"), &format!("\r\n--{b}\x0c\r\n"))
    }),
    ("blank before delimiters", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
            .replace(&format!("\r\n--{b}\r\n"), &format!("\r\n --{b}\r\n"))
    }),
    ("capitals in the field", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={}", b.to_uppercase()), b, entity)
    }),
    ("another boundary", |b, entity| multipart("multipart/mixed; boundary=other", b, entity)),
    ("no boundary", |b, entity| multipart("multipart/mixed", b, entity)),
    ("empty boundary", |_, entity| multipart("multipart/mixed; boundary=\"\"", "", entity)),
    ("boundary of a blank", |b, entity| multipart(&format!("multipart/mixed; boundary=\"{b} \""), b, entity)),
    ("two boundaries", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=\"{b}\"; boundary=other"), b, entity)
    }),
    ("two boundaries the other way", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=other; boundary={b}"), b, entity)
    }),
    ("boundary of RFC 2231", |b, entity| {
        multipart(
            &format!("multipart/mixed; boundary*=us-ascii'en'%{:02X}{}", b.as_bytes()[0], &b[1..]),
            b,
            entity,
        )
    }),
    ("boundary of RFC 2231 beside another", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=other; boundary*=us-ascii''{b}"), b, entity)
    }),
    ("boundary in pieces", |b, entity| {
        let (first, second) = b.split_at(1);
        multipart(&format!("multipart/mixed; boundary*0=\"{first}\"; boundary*1=\"{second}\""), b, entity)
    }),
    ("boundary in an encoded word", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=\"=?us-ascii?Q?{b}?=\""), b, entity)
    }),
    ("boundary partly in an encoded word", |b, entity| {
        let (first, second) = b.split_at(1);
        multipart(&format!("multipart/mixed; boundary=\"{first}=?us-ascii?Q?{second}?=\""), b, entity)
    }),
    ("quote that does not end", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=\"{b}"), b, entity)
    }),
    ("quote that does not end before more", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=\"{b}; x=y"), b, entity)
    }),
    ("quotes of one stroke", |b, entity| multipart(&format!("multipart/mixed; boundary='{b}'"), b, entity)),
    ("escape in the boundary", |b, entity| {
        let (first, second) = b.split_at(1);
        multipart(&format!("multipart/mixed; boundary=\"{first}\\{second}\""), b, entity)
    }),
    ("comment in the boundary", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}(comment)"), b, entity)
    }),
    ("comment before the boundary", |b, entity| {
        multipart(&format!("multipart/mixed; boundary=(other){b}"), b, entity)
    }),
    ("comment in the type", |b, entity| multipart(&format!("multi(x)part/mixed; boundary={b}"), b, entity)),
    ("type in quotes", |b, entity| multipart(&format!("\"multipart/mixed\"; boundary={b}"), b, entity)),
    ("type in an encoded word", |b, entity| {
        multipart(&format!("=?us-ascii?Q?mul=74ipart/mixed?=; boundary={b}"), b, entity)
    }),
    ("type in pieces", |b, entity| multipart(&format!("multipart / mixed; boundary={b}"), b, entity)),
    ("no semicolon", |b, entity| multipart(&format!("multipart/mixed boundary={b}"), b, entity)),
    ("comma", |b, entity| multipart(&format!("multipart/mixed, boundary={b}"), b, entity)),
    ("no subtype", |b, entity| multipart(&format!("multipart/; boundary={b}"), b, entity)),
    ("two types, text first", |b, entity| {
        format!(
            "Content-Type: text/plain\r\n{}",
            multipart(&format!("multipart/mixed; boundary={b}"), b, entity)
        )
    }),
    ("two types, text last", |b, entity| {
        let text = format!("multipart/mixed; boundary={b}\r\nContent-Type: text/plain");
        multipart(&text, b, entity)
    }),
    ("name of the field in two lines", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity).replacen(
            "Content-Type:",
            "Content-\r\n Type:",
            1,
        )
    }),
    ("mark before the name of the field", |b, entity| {
        format!("\u{feff}{}", multipart(&format!("multipart/mixed; boundary={b}"), b, entity))
    }),
    ("line of blanks for an empty one", |b, entity| {
        multipart(&format!("multipart/mixed; boundary={b}"), b, entity).replacen("\r\n\r\n", "\r\n \r\n", 1)
    }),
    ("behind the end", |b, entity| {
        format!(
            "Content-Type: multipart/mixed; boundary={b}\r\n\r\n--{b}\r\n{TEXT}\r\n--{b}--\r\n\r\n--{b}\r\n{entity}\r\n--{b}--\r\n"
        )
    }),
    ("behind the end with another boundary", |b, entity| {
        format!(
            "Content-Type: multipart/mixed; boundary={b}\r\n\r\n--{b}\r\n{TEXT}\r\n--{b}--\r\n\r\n--other\r\n{entity}\r\n--other--\r\n"
        )
    }),
    ("before the start with another boundary", |b, entity| {
        format!(
            "Content-Type: multipart/mixed; boundary={b}\r\n\r\n--other\r\n{entity}\r\n--other--\r\n--{b}\r\n{TEXT}\r\n--{b}--\r\n"
        )
    }),
    ("boundary of the parent", |b, entity| {
        let inner = multipart(&format!("multipart/mixed; boundary={b}"), b, entity);
        multipart(&format!("multipart/mixed; boundary={b}"), b, &inner)
    }),
    ("boundary that begins like the parent's", |b, entity| {
        let own = format!("{b}b");
        let inner = multipart(&format!("multipart/mixed; boundary={own}"), &own, entity);
        multipart(&format!("multipart/mixed; boundary={b}"), b, &inner)
    }),
    ("boundary that ends like the parent's", |b, entity| {
        let own = format!("{b}--");
        let inner = multipart(&format!("multipart/mixed; boundary={own}"), &own, entity);
        multipart(&format!("multipart/mixed; boundary={b}"), b, &inner)
    }),
    ("message", |_, entity| format!("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n{entity}")),
    ("message in capitals", |_, entity| {
        format!("Content-Type: MESSAGE/RFC822\r\n\r\nSubject: y\r\n{entity}")
    }),
    ("global message", |_, entity| format!("Content-Type: message/global\r\n\r\nSubject: y\r\n{entity}")),
    ("news", |_, entity| format!("Content-Type: message/news\r\n\r\nSubject: y\r\n{entity}")),
    ("message of another kind", |_, entity| {
        format!("Content-Type: message/x-other\r\n\r\nSubject: y\r\n{entity}")
    }),
    ("external body", |_, entity| {
        format!("Content-Type: message/external-body; access-type=local-file; name=x\r\n\r\n{entity}")
    }),
    ("piece of a message", |_, entity| {
        format!("Content-Type: message/partial; id=x; number=1; total=1\r\n\r\nSubject: y\r\n{entity}")
    }),
    ("message in base64", |_, entity| {
        let text = base64(format!("Subject: y\r\n{entity}").as_bytes());
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}")
    }),
    ("message in lines of CR", |_, entity| {
        let text = base64(format!("Subject: y\r\n{entity}").replace("\r\n", "\r").as_bytes());
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}")
    }),
    ("message in lines of LF", |_, entity| {
        let text = base64(format!("Subject: y\r\n{entity}").replace("\r\n", "\n").as_bytes());
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}")
    }),
    ("multipart in base64", |b, entity| {
        let inner = multipart(&format!("multipart/mixed; boundary={b}"), b, entity);
        let (header, body) = inner.split_once("\r\n\r\n").unwrap();
        format!("{header}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", base64(body.as_bytes()))
    }),
    ("multipart in quoted-printable", |b, entity| {
        let inner = multipart(&format!("multipart/mixed; boundary={b}"), b, entity);
        let (header, body) = inner.split_once("\r\n\r\n").unwrap();
        let body = body.replace('=', "=3D").replace(&format!("--{b}"), &format!("=2D-{b}"));
        format!("{header}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{body}")
    }),
    ("digest", |b, entity| {
        multipart(&format!("multipart/digest; boundary={b}"), b, &format!("\r\n{entity}"))
    }),
    ("attachment of a Sun", |_, entity| {
        format!("Content-Type: X-sun-attachment\r\n\r\n----------\r\nX-Sun-Data-Type: text\r\n{entity}\r\n")
    }),
];

/// Puts the entity into something.
pub(super) fn wrap(chance: &mut Chance, sample: &mut Sample, level: u64, wanted: Option<usize>) {
    let (how, make) = pick(chance, STRUCTURES, wanted);
    let boundary = format!("b{level}{:x}", chance.below(1 << 20));
    // Whatever is in it passes as text; eight bits are those of UTF-8.
    let entity = String::from_utf8_lossy(&sample.octets).into_owned();
    sample.octets = make(&boundary, &entity).into_bytes();
    sample.how.push(how);
}
