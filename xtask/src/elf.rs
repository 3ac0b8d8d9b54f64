//! As much of ELF as is needed: the names and sizes of code sections of a 64-bit little-endian object.
//! Never more; what cannot be read is an error, not a guess.

use anyhow::{Context, Result, bail};

/// A section that holds instructions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: String,
    /// Its octets.
    pub(crate) size: u64,
}

struct Header {
    name: usize,
    flags: u64,
    offset: usize,
    size: u64,
}

/// Code sections that are not empty, largest first.
pub(crate) fn code_sections(object: &[u8]) -> Result<Vec<Section>> {
    if object.get(..6) != Some(b"\x7fELF\x02\x01") {
        bail!("not a 64-bit little-endian ELF file");
    }
    let table = number(object, 0x28, 8)?;
    let entry_size = number(object, 0x3a, 2)?;
    let count = number(object, 0x3c, 2)?;
    let names_index = number(object, 0x3e, 2)?;
    let header = |index: usize| -> Result<Header> {
        let at = table + index * entry_size;
        Ok(Header {
            name: number(object, at, 4)?,
            flags: number(object, at + 0x08, 8)? as u64,
            offset: number(object, at + 0x18, 8)?,
            size: number(object, at + 0x20, 8)? as u64,
        })
    };
    let names = header(names_index)?.offset;
    let mut sections = Vec::new();
    for index in 0..count {
        let header = header(index)?;
        if header.flags & SHF_EXECINSTR != 0 && header.size > 0 {
            sections.push(Section { name: text(object, names + header.name)?, size: header.size });
        }
    }
    sections.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
    Ok(sections)
}

fn number(object: &[u8], at: usize, octets: usize) -> Result<usize> {
    let field =
        at.checked_add(octets).and_then(|end| object.get(at..end)).context("the ELF file is cut short")?;
    Ok(field.iter().rev().fold(0, |value, octet| value << 8 | usize::from(*octet)))
}

fn text(object: &[u8], at: usize) -> Result<String> {
    let rest = object.get(at..).context("a section name lies outside the ELF file")?;
    let name = rest.split(|octet| *octet == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

const SHF_EXECINSTR: u64 = 4;

#[cfg(test)]
mod tests {
    use super::code_sections;

    #[test]
    fn reads_its_own_program() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let sections = code_sections(&own).unwrap();
        assert!(sections.iter().any(|section| section.name == ".text" && section.size > 0));
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(code_sections(&own[..40]).is_err());
        assert!(code_sections(&own[..4096]).is_err());
        assert!(code_sections(b"#!/bin/sh\n").is_err());
    }
}
