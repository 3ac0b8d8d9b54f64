//! Files packed: gzip and ZIP, both without compression, so that a test sees what is in them.

/// Octets as gzip stores them uncompressed (RFC 1951 §3.2.4, RFC 1952).
///
/// # Panics
///
/// When they are more than one block takes.
pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).expect("a short text");
    let mut all = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    all.extend(length.to_le_bytes());
    all.extend((!length).to_le_bytes());
    all.extend(octets);
    all.extend(crc32(octets).to_le_bytes());
    all.extend(u32::from(length).to_le_bytes());
    all
}

/// RFC 1952 §8.
fn crc32(octets: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for octet in octets {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Files as a ZIP archive stores them uncompressed (APPNOTE 4.3); and each as it stands in there, with its local header.
///
/// # Panics
///
/// When they are too long.
pub fn zip(files: &[(&str, &[u8])]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut all, mut directory, mut members) = (Vec::new(), Vec::new(), Vec::new());
    for (name, octets) in files {
        let length = u32::try_from(octets.len()).expect("a short file");
        let name_length = u16::try_from(name.len()).expect("a short name");
        // Version, flags, method, time and date (the first of January 1980), CRC, both lengths, those of name and extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(octets).to_le_bytes());
        common.extend([length.to_le_bytes(), length.to_le_bytes()].concat());
        common.extend(name_length.to_le_bytes());
        common.extend([0, 0]);
        let offset = u32::try_from(all.len()).expect("a short archive");
        let member = [b"PK\x03\x04", common.as_slice(), name.as_bytes(), octets].concat();
        directory.extend([b"PK\x01\x02\x14\0", common.as_slice(), &[0; 10]].concat());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        all.extend(&member);
        members.push(member);
    }
    let count = u16::try_from(files.len()).expect("few files").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("a short directory");
    let offset = u32::try_from(all.len()).expect("a short archive");
    all.extend(directory);
    all.extend(
        [b"PK\x05\x06\0\0\0\0", &count[..], &count, &length.to_le_bytes(), &offset.to_le_bytes(), &[0, 0]]
            .concat(),
    );
    (all, members)
}
