//! Files in files.

use super::{Payload, Sample, pick};
use crate::content::fixture;
use crate::content::fixture::iso::iso;
use crate::content::fixture::other::{self, base64};
use crate::content::fixture::zip::{Entry, archive, end, one};
use crate::inspect::inspection::tests::clean_corpus::Chance;

type Maker = fn(&str, &[u8]) -> Vec<u8>;

/// What it is called, the end of its name, and how it is made of a name and octets.
const FILES: &[(&str, &str, Maker)] = &[
    ("zip", "zip", one),
    ("stored zip", "zip", |name, content| archive(&[Entry::stored(name, content)])),
    ("zip behind octets", "zip", |name, content| [vec![0xee; 700], one(name, content)].concat()),
    ("zip before octets", "zip", |name, content| [one(name, content), vec![0xee; 700]].concat()),
    ("zip with two of one name", "zip", |name, content| {
        archive(&[Entry::deflated(name, b"first"), Entry::deflated(name, content)])
    }),
    ("zip whose directory hides it", "zip", |name, content| {
        archive(&[
            Entry::deflated("b.txt", b"x"),
            Entry { is_hidden: true, ..Entry::deflated(name, content) },
        ])
    }),
    ("zip with another name in its header", "zip", |name, content| {
        archive(&[Entry { local_name: Some(b"b.txt".to_vec()), ..Entry::deflated(name, content) }])
    }),
    ("two zips in a row", "zip", |name, content| [one(name, content), one("b.txt", b"x")].concat()),
    ("zip with a zip for a comment", "zip", |name, content| {
        let entry = Entry::deflated("b.txt", b"x");
        let (local, central) = (archive(std::slice::from_ref(&entry)), entry.central(0));
        let local = local[..local.len() - central.len() - 22].to_vec();
        let inner = one(name, content);
        [local.clone(), central.clone(), end(1, central.len(), local.len(), &inner), inner].concat()
    }),
    ("zip with sizes behind", "zip", |name, content| {
        let entry = Entry { flags: 8, ..Entry::deflated(name, content) };
        archive(&[entry])
    }),
    ("zip said to be stored", "zip", |name, content| {
        let entry = Entry::deflated(name, content);
        archive(&[Entry { method: 0, unpacked: entry.data.len() as u32, ..entry }])
    }),
    ("zip by bzip2", "zip", |name, content| {
        archive(&[Entry { method: 12, data: fixture::bzip2(content), ..Entry::stored(name, content) }])
    }),
    ("gzip", "gz", fixture::gzip),
    ("gzip in pieces", "gz", |name, content| {
        let (first, second) = content.split_at(content.len() / 2);
        [fixture::gzip(name, first), fixture::gzip(name, b""), fixture::gzip(name, second)].concat()
    }),
    ("bzip2", "*.bz2", |_, content| fixture::bzip2(content)),
    ("xz", "*.xz", |_, content| fixture::xz(content)),
    ("zstd", "*.zst", |_, content| fixture::zstd(content)),
    ("tar", "tar", other::tar),
    ("tar in gzip", "tgz", |name, content| fixture::gzip("a.tar", &other::tar(name, content))),
    ("tar in xz", "txz", |name, content| fixture::xz(&other::tar(name, content))),
    ("7z", "7z", |name, content| fixture::seven_zip(name, content, None, false)),
    ("cab", "cab", fixture::cab),
    ("lha", "lzh", other::lha),
    ("iso", "iso", |name, content| iso(&name.to_uppercase(), content)),
    ("compound file with a package", "doc", |name, content| {
        let package = other::package(name, content);
        fixture::ole(&[("/WordDocument", &[0; 64]), ("/ObjectPool/_1/\u{1}Ole10Native", &package)])
    }),
    ("docx", "docx", |name, content| {
        archive(&[
            Entry::deflated("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types/>"),
            Entry::deflated("word/document.xml", b"<?xml version=\"1.0\"?><w/>"),
            Entry::deflated(&format!("word/embeddings/{name}"), content),
        ])
    }),
    ("pdf", "pdf", fixture::pdf),
    ("picture and zip", "gif", |name, content| {
        [b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(), &one(name, content)].concat()
    }),
    ("pdf and zip", "pdf", |name, content| [fixture::pdf("b.txt", b"x"), one(name, content)].concat()),
    ("rtf", "rtf", |name, content| {
        other::rtf(&fixture::ole(&[("/\u{1}Ole10Native", &other::package(name, content))]))
    }),
    ("rtf with octets", "rtf", |name, content| {
        let object = fixture::ole(&[("/\u{1}Ole10Native", &other::package(name, content))]);
        let start = format!("{{\\rtf1{{\\object\\objemb{{\\*\\objdata \\bin{} ", object.len());
        [start.as_bytes(), &object, b"}}}"].concat()
    }),
    ("tnef", "dat", other::tnef),
    ("signed", "p7m", |name, content| {
        let entity = format!(
            "Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nContent-Type: application/octet-stream; \
             name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--s--\r\n",
            base64(content)
        );
        other::cms(2, entity.as_bytes())
    }),
    ("signed, one part", "p7m", |name, content| {
        let entity = format!(
            "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename={name}\r\n\r\n{}\r\n",
            base64(content)
        );
        other::cms(2, entity.as_bytes())
    }),
    ("message", "eml", other::message),
    ("message with little header", "eml", |name, content| {
        format!(
            "Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nContent-Type: application/octet-stream; \
             name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--s--\r\n",
            base64(content)
        )
        .into_bytes()
    }),
    ("message in lines of CR", "eml", |name, content| {
        let message = String::from_utf8(other::message(name, content)).unwrap();
        message.replace("\r\n", "\r").into_bytes()
    }),
    ("message whose body is in lines of CR", "eml", |name, content| {
        let message = String::from_utf8(other::message(name, content)).unwrap();
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        format!("{header}\r\n\r\nHello\r{}", body.replace("\r\n", "\r")).into_bytes()
    }),
    ("message in lines of LF", "eml", |name, content| {
        let message = String::from_utf8(other::message(name, content)).unwrap();
        message.replace("\r\n", "\n").into_bytes()
    }),
    ("uuencode", "uue", other::uuencode),
    ("uuencode behind an empty line", "uue", |name, content| {
        let text = String::from_utf8(other::uuencode(name, content)).unwrap();
        text.replace(&format!("{name}\r\n"), &format!("{name}\r\n\r\n")).into_bytes()
    }),
    ("uuencode with odd lines", "uue", |name, content| {
        let text = String::from_utf8(other::uuencode(name, content)).unwrap();
        let mut lines: Vec<&str> = text.split("\r\n").collect();
        lines.insert(4, "x-junk: this is no line of it");
        lines.join("\r\n").into_bytes()
    }),
    ("uuencode without blanks at ends", "uue", |name, content| {
        let text = String::from_utf8(other::uuencode(name, content)).unwrap();
        let lines = text.split("\r\n").map(|line| line.replace('`', " "));
        lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\r\n").into_bytes()
    }),
    ("xxencode", "xxe", other::xxencode),
    ("yenc", "yenc", other::yenc),
    ("page with an address of octets", "html", |_, content| {
        let data = base64(content).replace("\r\n", "");
        format!("<html><a download href=\"data:application/octet-stream;base64,{data}\">x</a></html>")
            .into_bytes()
    }),
    ("page with an address of another type", "html", |_, content| {
        let data = base64(content).replace("\r\n", "");
        format!("<html><body><a href='data:text/plain;charset=x;base64,{data}'>x</a></html>").into_bytes()
    }),
    ("page with a script that has octets", "html", |_, content| {
        let data = base64(content).replace("\r\n", "");
        format!("<html><script>var b=new Blob([atob(\"{data}\")]);</script></html>").into_bytes()
    }),
    ("page with an address in escapes", "html", |_, content| {
        let data: String = escapes("%", content);
        format!("<html><a download=a href=\"data:application/octet-stream,{data}\">x</a></html>").into_bytes()
    }),
    ("picture with a script", "svg", |_, content| {
        let data = base64(content).replace("\r\n", "");
        format!(
            "<svg xmlns=\"x\"><script>location='data:application/octet-stream;base64,{data}'</script></svg>"
        )
        .into_bytes()
    }),
    ("calendar", "ics", |name, content| {
        let data = base64(content).replace("\r\n", "\r\n ");
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nATTACH;FMTTYPE=application/octet-stream;ENCODING=BASE64;\r\n \
             VALUE=BINARY;X-FILENAME={name}:{data}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        .into_bytes()
    }),
    ("literal of PGP", "pgp", |name, content| armored(&literal(name, content))),
    ("compressed of PGP", "asc", |name, content| {
        armored(&[b"\xa3\x01".as_slice(), &fixture::deflate(&literal(name, content))].concat())
    }),
    ("octets of PGP", "gpg", |name, content| {
        [b"\xa3\x01".as_slice(), &fixture::deflate(&literal(name, content))].concat()
    }),
];

pub(super) const COUNT: usize = FILES.len();

/// Every octet in two digits, behind a sign.
pub(super) fn escapes(sign: &str, octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| format!("{text}{sign}{octet:02X}"))
}

/// A packet of literal data, RFC 9580 §5.9.
fn literal(name: &str, content: &[u8]) -> Vec<u8> {
    let body = [b"b".as_slice(), &[name.len() as u8], name.as_bytes(), &[0; 4], content].concat();
    [b"\xcb\xff".as_slice(), &(body.len() as u32).to_be_bytes(), &body].concat()
}

fn armored(octets: &[u8]) -> Vec<u8> {
    let text = base64(octets);
    format!("-----BEGIN PGP MESSAGE-----\r\n\r\n{text}\r\n=AAAA\r\n-----END PGP MESSAGE-----\r\n")
        .into_bytes()
}

/// Puts what there is into a file. `file`: its name without an end, or with one once it is in something.
pub(super) fn wrap(
    chance: &mut Chance,
    sample: &mut Sample,
    file: &mut String,
    payload: Payload,
    wanted: Option<usize>,
) {
    let &(mut how, mut extension, mut make) = pick(chance, FILES, wanted);
    // Files in pages have no names.
    if payload == Payload::Named && ["html", "svg"].contains(&extension) {
        (how, extension, make) = FILES[0];
    }
    let within = if file.contains('.') { file.clone() } else { format!("{file}.{}", payload.extension()) };
    sample.octets = make(&within, &sample.octets);
    sample.how.push(how);
    *file = match extension.strip_prefix('*') {
        // The name within is the one without, less its end.
        Some(end) => format!("{within}{end}"),
        None => format!("a.{extension}"),
    };
}
