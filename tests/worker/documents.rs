//! A document of each kind of which safe copies are made, each with something to take out.

use std::io::{Cursor, Write as _};

use lopdf::{Document, Object, Stream, dictionary};

/// Name, declared type, octets.
pub(crate) fn all() -> [(&'static str, &'static str, Vec<u8>); 6] {
    let page = b"<html><body onload=\"x()\"><p>text</p><script>alert(1)</script></body></html>";
    let picture = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script><rect/></svg>";
    [
        ("page", "text/html", page.to_vec()),
        ("picture", "image/svg+xml", picture.to_vec()),
        ("new document", "", office()),
        ("old document", "", compound()),
        ("PDF", "", pdf()),
        ("archive", "application/zip", archive()),
    ]
}

/// One with two of these documents in it.
fn archive() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("docs/a.docm", office()), ("b.pdf", pdf()), ("c.txt", b"text".to_vec())] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn office() -> Vec<u8> {
    const TYPES: &str =
        "<?xml version=\"1.0\"?><Types><Default Extension=\"xml\" ContentType=\"a/b\"/></Types>";
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("word/document.xml", b"<w:document/>"),
        ("word/vbaProject.bin", b"macros"),
    ] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn compound() -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.create_storage_all("/Macros/VBA").unwrap();
    for path in ["/WordDocument", "/Macros/VBA/dir"] {
        file.create_stream(path).unwrap().write_all(&[b'x'; 5000]).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

fn pdf() -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let mut stream = Stream::new(dictionary! {}, b"a content stream, ".repeat(1000));
    stream.compress().unwrap();
    let content = document.add_object(stream);
    let page = document.add_object(dictionary! { "Type" => "Page", "Contents" => content });
    let pages =
        document.add_object(dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 });
    let catalog = document.add_object(dictionary! {
        "Type" => "Catalog",
        "Pages" => pages,
        "OpenAction" => dictionary! { "S" => "JavaScript", "JS" => Object::string_literal("x()") },
    });
    document.trailer.set("Root", catalog);
    let mut octets = Vec::new();
    document.save_to(&mut octets).unwrap();
    octets
}
