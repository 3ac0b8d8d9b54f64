//! Programs for an operating system, told by their first octets.

/// Octets of the start of a part that are enough to tell.
pub const HEAD: usize = 64;

/// What a part is called that is a program; `None` if it is none.
pub fn executable(head: &[u8]) -> Option<&'static str> {
    // A text may begin with these two letters; a header of DOS has zeros in its first 64 octets.
    if head.starts_with(b"MZ") && head.get(..HEAD).is_some_and(|head| head.contains(&0)) {
        return Some("Executable.MZ");
    }
    head.starts_with(b"\x7fELF").then_some("Executable.ELF")
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn programs_and_texts() {
        let mut header = vec![0; 64];
        header[..2].copy_from_slice(b"MZ");
        assert_eq!(executable(&header), Some("Executable.MZ"));
        assert_eq!(executable(b"\x7fELF\x02"), Some("Executable.ELF"));
        assert_eq!(executable(b"MZ is how this text begins, and it goes on for more than 64 octets."), None);
        assert_eq!(executable(b""), None);
    }
}
