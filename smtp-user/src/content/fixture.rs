//! Makes containers for tests: sound ones by their own rules, and lies on purpose.

pub(crate) mod iso;
pub(crate) mod other;
pub(crate) mod zip;

use std::io::Write as _;

/// What is put into containers: the test string, a program that does nothing, a text.
pub(crate) fn payloads() -> [(&'static str, Vec<u8>); 3] {
    [("eicar", eicar()), ("program", program()), ("harmless", b"Nothing to see here.\r\n".to_vec())]
}

/// The test string of anti-virus programs, in two pieces, so that this file is not taken for it.
fn eicar() -> Vec<u8> {
    [b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD".as_slice(), b"-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// The headers of a program for Windows, and nothing to run.
pub(crate) fn program() -> Vec<u8> {
    let mut octets = vec![0; 128];
    octets[..2].copy_from_slice(b"MZ");
    octets[60] = 64;
    octets[64..68].copy_from_slice(b"PE\0\0");
    octets
}

pub(crate) fn gzip(name: &str, content: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().filename(name);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn xz(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(3);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn seven_zip(name: &str, content: &[u8], password: Option<&str>, header: bool) -> Vec<u8> {
    use sevenz_rust2::encoder_options::AesEncoderOptions;
    use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderConfiguration, EncoderMethod};
    let mut writer = ArchiveWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    if let Some(password) = password {
        let aes = AesEncoderOptions::new(password.into());
        writer.set_content_methods(vec![aes.into(), EncoderConfiguration::new(EncoderMethod::LZMA2)]);
        writer.set_encrypt_header(header);
    }
    writer.push_archive_entry(ArchiveEntry::new_file(name), Some(content)).unwrap();
    writer.finish().unwrap().into_inner()
}

pub(crate) fn cab(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file(name);
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A compound file with some streams.
pub(crate) fn ole(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    for (path, content) in streams {
        if let Some(folder) = std::path::Path::new(path).parent() {
            file.create_storage_all(folder).unwrap();
        }
        file.create_stream(path).unwrap().write_all(content).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// A presentation of `PowerPoint` 97 that says whether it has macros, with compound files as objects or VBA projects; with
/// their length they are compressed.
pub(crate) fn ppt(has_macros: bool, storages: &[(bool, &[u8])]) -> Vec<u8> {
    let record = |head: [u8; 4], content: &[u8]| {
        [head.as_slice(), &(content.len() as u32).to_le_bytes(), content].concat()
    };
    let flags =
        [u32::from(has_macros).to_le_bytes(), u32::from(has_macros).to_le_bytes(), 2_u32.to_le_bytes()];
    let info = record(*b"\x1f\0\xff\x03", &record(*b"\x02\0\0\x04", &flags.concat()));
    let mut stream = record(*b"\x0f\0\xe8\x03", &info);
    for (is_compressed, content) in storages {
        stream.extend(if *is_compressed {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(content).unwrap();
            let length = (content.len() as u32).to_le_bytes();
            record(*b"\x10\0\x11\x10", &[length.as_slice(), &encoder.finish().unwrap()].concat())
        } else {
            record(*b"\0\0\x11\x10", content)
        });
    }
    ole(&[("/PowerPoint Document", &stream), ("/Current User", b"x")])
}

/// A document with one embedded file.
pub(crate) fn pdf(name: &str, content: &[u8]) -> Vec<u8> {
    use lopdf::{Document, Object, Stream, dictionary};
    let mut document = Document::with_version("1.5");
    let mut stream = Stream::new(dictionary! { "Type" => "EmbeddedFile" }, content.to_vec());
    let _ = stream.compress();
    let file = document.add_object(stream);
    let specification = document.add_object(dictionary! {
        "Type" => "Filespec",
        "F" => Object::string_literal(name),
        "EF" => dictionary! { "F" => file },
    });
    let pages =
        document.add_object(dictionary! { "Type" => "Pages", "Kids" => Vec::<Object>::new(), "Count" => 0 });
    let catalog = document.add_object(dictionary! {
        "Type" => "Catalog",
        "Pages" => pages,
        "Names" => dictionary! { "EmbeddedFiles" => dictionary! {
            "Names" => vec![Object::string_literal(name), specification.into()],
        } },
    });
    document.trailer.set("Root", catalog);
    let mut octets = Vec::new();
    document.save_to(&mut octets).unwrap();
    octets
}
