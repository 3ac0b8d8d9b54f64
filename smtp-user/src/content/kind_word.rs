//! All kinds of content, for whoever reads a word and wants to know what it stands for.

use crate::content::kind::Kind;

impl Kind {
    /// All of them, in that order.
    pub const ALL: [Self; 83] = [
        Self::Empty,
        Self::Text,
        Self::Data,
        Self::DosExecutable,
        Self::Pe,
        Self::Elf,
        Self::MachO,
        Self::JavaClass,
        Self::Dex,
        Self::Wasm,
        Self::Script,
        Self::Batch,
        Self::Hta,
        Self::Wsf,
        Self::Lnk,
        Self::Url,
        Self::Scf,
        Self::Reg,
        Self::Iqy,
        Self::Slk,
        Self::Zip,
        Self::Jar,
        Self::Apk,
        Self::Tar,
        Self::Gzip,
        Self::Bzip2,
        Self::Xz,
        Self::Lzip,
        Self::Lzma,
        Self::Zstd,
        Self::Compress,
        Self::Lz4,
        Self::SevenZip,
        Self::Rar,
        Self::Cab,
        Self::Lha,
        Self::Arj,
        Self::Ace,
        Self::Ar,
        Self::Cpio,
        Self::Rpm,
        Self::Xar,
        Self::OtherArchive,
        Self::Iso,
        Self::Udf,
        Self::Vhd,
        Self::Vhdx,
        Self::Vmdk,
        Self::Qcow,
        Self::Dmg,
        Self::Wim,
        Self::OtherImage,
        Self::Ole,
        Self::Doc,
        Self::Xls,
        Self::Ppt,
        Self::Msg,
        Self::Msi,
        Self::Docx,
        Self::Xlsx,
        Self::Pptx,
        Self::Ooxml,
        Self::Odf,
        Self::Pdf,
        Self::Rtf,
        Self::OneNote,
        Self::ActiveMime,
        Self::Chm,
        Self::PostScript,
        Self::Html,
        Self::Svg,
        Self::Xml,
        Self::Message,
        Self::Tnef,
        Self::Uuencode,
        Self::Yenc,
        Self::BinHex,
        Self::Pkcs7,
        Self::Pgp,
        Self::Image,
        Self::Audio,
        Self::Video,
        Self::Font,
    ];

    /// The kind of a word; that of [`Kind::name`].
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        assert!(Kind::ALL.iter().enumerate().all(|(index, kind)| *kind as usize == index));
        assert!(Kind::ALL.iter().all(|kind| Kind::of_word(kind.name()) == Some(*kind)));
        assert_eq!(Kind::of_word("pdff"), None);
    }
}
