//! Kinds of content, and the words for them in records.

use serde::{Deserialize, Serialize};

/// What octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing at all.
    Empty,
    /// Text that is nothing else.
    Text,
    /// Octets that are nothing known.
    Data,
    // --- programs ---
    /// A program for DOS, or one for Windows that is cut.
    DosExecutable,
    /// A program or library for Windows.
    Pe,
    /// A program or library for Linux and others.
    Elf,
    /// A program or library for macOS.
    MachO,
    /// A class of Java.
    JavaClass,
    /// Classes of Android.
    Dex,
    /// `WebAssembly`.
    Wasm,
    // --- what runs in an interpreter, or makes something run ---
    /// A script that names its interpreter, or speaks a language of scripts.
    Script,
    /// A batch file of Windows.
    Batch,
    /// An application of HTML for Windows.
    Hta,
    /// A script file of the Windows Script Host.
    Wsf,
    /// A link of Windows.
    Lnk,
    /// A link to an address.
    Url,
    /// A command of the Windows Explorer.
    Scf,
    /// Entries for the registry of Windows.
    Reg,
    /// A web query of Excel.
    Iqy,
    /// A sheet in symbolic form.
    Slk,
    // --- archives ---
    /// PKWARE's archive, and what is built on it.
    Zip,
    /// Java's archive.
    Jar,
    /// Android's package.
    Apk,
    /// Tape archive.
    Tar,
    /// RFC 1952.
    Gzip,
    /// Compressed by bzip2.
    Bzip2,
    /// Compressed by xz.
    Xz,
    /// Compressed by lzip.
    Lzip,
    /// Compressed by LZMA as before xz.
    Lzma,
    /// RFC 8878.
    Zstd,
    /// Compressed by `compress`.
    Compress,
    /// Compressed by LZ4.
    Lz4,
    /// 7-Zip's archive.
    SevenZip,
    /// `WinRAR`'s archive.
    Rar,
    /// Microsoft's cabinet.
    Cab,
    /// LHA and LZH.
    Lha,
    /// ARJ.
    Arj,
    /// ACE.
    Ace,
    /// `ar`, as in packages of Debian.
    Ar,
    /// Unix's `cpio`.
    Cpio,
    /// Red Hat's package.
    Rpm,
    /// Apple's `xar`.
    Xar,
    /// An archive of another program, or what Apple wraps around a file.
    OtherArchive,
    // --- images of media ---
    /// ISO 9660.
    Iso,
    /// Universal Disk Format.
    Udf,
    /// A disk of Virtual PC.
    Vhd,
    /// A disk of Hyper-V.
    Vhdx,
    /// A disk of `VMware`.
    Vmdk,
    /// A disk of QEMU.
    Qcow,
    /// A disk image of Apple.
    Dmg,
    /// An image of a file system within Windows, WIM.
    Wim,
    /// Another image: of a medium that begins with a file system of Windows, or of another emulator.
    OtherImage,
    // --- documents ---
    /// Microsoft's compound file that is nothing of the following.
    Ole,
    /// Word before 2007.
    Doc,
    /// Excel before 2007.
    Xls,
    /// `PowerPoint` before 2007.
    Ppt,
    /// An Outlook message.
    Msg,
    /// An installer package of Windows.
    Msi,
    /// Word since 2007.
    Docx,
    /// Excel since 2007.
    Xlsx,
    /// `PowerPoint` since 2007.
    Pptx,
    /// Another package of Open Packaging Conventions.
    Ooxml,
    /// `OpenDocument`.
    Odf,
    /// Portable Document Format.
    Pdf,
    /// Rich Text Format.
    Rtf,
    /// `OneNote`.
    OneNote,
    /// An object of Office, compressed.
    ActiveMime,
    /// Compiled HTML help.
    Chm,
    /// `PostScript`.
    PostScript,
    // --- texts with a grammar ---
    /// HTML.
    Html,
    /// SVG.
    Svg,
    /// XML that is nothing else.
    Xml,
    // --- mail ---
    /// RFC 5322.
    Message,
    /// Microsoft's `winmail.dat`.
    Tnef,
    /// Files in a text, by uuencode.
    Uuencode,
    /// Files in a text, by yEnc.
    Yenc,
    /// Files in a text, by `BinHex`.
    BinHex,
    /// Cryptographic Message Syntax, RFC 5652.
    Pkcs7,
    /// `OpenPGP`, RFC 9580.
    Pgp,
    // --- media ---
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A font.
    Font,
}

impl Kind {
    /// The word for records and rules; stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text => "text",
            Self::Data => "data",
            Self::DosExecutable => "dos_executable",
            Self::Pe => "pe",
            Self::Elf => "elf",
            Self::MachO => "mach_o",
            Self::JavaClass => "java_class",
            Self::Dex => "dex",
            Self::Wasm => "wasm",
            Self::Script => "script",
            Self::Batch => "batch",
            Self::Hta => "hta",
            Self::Wsf => "wsf",
            Self::Lnk => "lnk",
            Self::Url => "url",
            Self::Scf => "scf",
            Self::Reg => "reg",
            Self::Iqy => "iqy",
            Self::Slk => "slk",
            Self::Zip => "zip",
            Self::Jar => "jar",
            Self::Apk => "apk",
            Self::Tar => "tar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzip => "lzip",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Compress => "compress",
            Self::Lz4 => "lz4",
            Self::SevenZip => "seven_zip",
            Self::Rar => "rar",
            Self::Cab => "cab",
            Self::Lha => "lha",
            Self::Arj => "arj",
            Self::Ace => "ace",
            Self::Ar => "ar",
            Self::Cpio => "cpio",
            Self::Rpm => "rpm",
            Self::Xar => "xar",
            Self::OtherArchive => "other_archive",
            Self::Iso => "iso",
            Self::Udf => "udf",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vmdk => "vmdk",
            Self::Qcow => "qcow",
            Self::Dmg => "dmg",
            Self::Wim => "wim",
            Self::OtherImage => "other_image",
            Self::Ole => "ole",
            Self::Doc => "doc",
            Self::Xls => "xls",
            Self::Ppt => "ppt",
            Self::Msg => "msg",
            Self::Msi => "msi",
            Self::Docx => "docx",
            Self::Xlsx => "xlsx",
            Self::Pptx => "pptx",
            Self::Ooxml => "ooxml",
            Self::Odf => "odf",
            Self::Pdf => "pdf",
            Self::Rtf => "rtf",
            Self::OneNote => "one_note",
            Self::ActiveMime => "active_mime",
            Self::Chm => "chm",
            Self::PostScript => "post_script",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Xml => "xml",
            Self::Message => "message",
            Self::Tnef => "tnef",
            Self::Uuencode => "uuencode",
            Self::Yenc => "yenc",
            Self::BinHex => "bin_hex",
            Self::Pkcs7 => "pkcs7",
            Self::Pgp => "pgp",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Font => "font",
        }
    }

    /// Whether a processor or a virtual machine runs it as it is.
    pub const fn is_executable(self) -> bool {
        self.program_name().is_some()
    }

    /// What a part is called that is a program; `None` if it is none.
    pub const fn program_name(self) -> Option<&'static str> {
        Some(match self {
            Self::DosExecutable | Self::Pe => "Executable.MZ",
            Self::Elf => "Executable.ELF",
            Self::MachO => "Executable.MachO",
            Self::JavaClass => "Executable.Java",
            Self::Dex => "Executable.Dex",
            _ => return None,
        })
    }

    /// Whether it is only read, heard or seen: nothing in it runs.
    pub const fn is_passive(self) -> bool {
        matches!(self, Self::Empty | Self::Text | Self::Image | Self::Audio | Self::Video | Self::Font)
    }

    /// Whether an interpreter runs it, or opening it runs something.
    pub const fn is_script(self) -> bool {
        matches!(
            self,
            Self::Script
                | Self::Batch
                | Self::Hta
                | Self::Wsf
                | Self::Lnk
                | Self::Url
                | Self::Scf
                | Self::Reg
                | Self::Iqy
                | Self::Slk
        )
    }

    /// Whether it may hold other content that a reader takes out of it.
    pub const fn is_container(self) -> bool {
        !matches!(self.reader(), Reader::None)
    }

    pub(super) const fn reader(self) -> Reader {
        match self {
            Self::Zip
            | Self::Jar
            | Self::Apk
            | Self::Docx
            | Self::Xlsx
            | Self::Pptx
            | Self::Ooxml
            | Self::Odf => Reader::Zip,
            Self::Ole | Self::Doc | Self::Xls | Self::Ppt | Self::Msg | Self::Msi => Reader::Ole,
            Self::Compress
            | Self::Lz4
            | Self::Arj
            | Self::Ace
            | Self::Ar
            | Self::Cpio
            | Self::Rpm
            | Self::Xar
            | Self::OtherArchive
            | Self::Vhd
            | Self::Vhdx
            | Self::Vmdk
            | Self::Qcow
            | Self::Dmg
            | Self::Wim
            | Self::OtherImage
            | Self::Chm
            | Self::BinHex => Reader::Unsupported,
            Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Lzip
            | Self::Lzma
            | Self::Zstd
            | Self::SevenZip
            | Self::Rar
            | Self::Cab
            | Self::Lha
            | Self::Iso
            | Self::Udf
            | Self::Pdf
            | Self::Rtf
            | Self::Message
            | Self::Tnef
            | Self::Uuencode
            | Self::Yenc
            | Self::Pkcs7
            | Self::OneNote
            | Self::ActiveMime
            | Self::Pgp => Reader::Own,
            _ => Reader::None,
        }
    }
}

/// What reads what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    /// Nothing is in it.
    None,
    /// The reader of zip archives.
    Zip,
    /// The reader of compound files.
    Ole,
    /// A reader for this kind alone.
    Own,
    /// It is known, and nothing here reads it.
    Unsupported,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
