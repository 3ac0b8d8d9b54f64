//! What a walk into content comes upon.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a walk into content comes upon, beside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It needs a key that nobody gave.
    Encrypted,
    /// It was not read to its end.
    LimitExceeded(Limit),
    /// It is of a kind, or in a form, that nothing here reads.
    Unsupported(Unsupported),
    /// Two readers may see different things in it.
    Ambiguous(Technique),
    /// Something worth a line in the record, from which nothing follows by itself.
    Trait(Trait),
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Octets of the part.
    Part,
    /// Octets of one member.
    Member,
    /// Octets of all.
    Octets,
    /// Octets out for one octet in.
    Ratio,
    /// Members.
    Members,
    /// Containers within each other.
    Depth,
    /// Time.
    Time,
    /// Memory that a decoder asks for.
    Window,
}

/// Why something was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// Nothing here reads this kind.
    Kind,
    /// A compression that nothing here decodes.
    Method,
    /// It is damaged, or not what it says.
    Damaged,
    /// Its other pieces are elsewhere.
    Divided,
    /// It has ended the processes that were to unpack it.
    KillsDecoders,
}

/// How something was made to be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Technique {
    /// A member's own header and the directory say different things.
    HeadersDiffer,
    /// More than one end of the directory.
    TwoDirectories,
    /// Members that the directory does not name.
    HiddenMember,
    /// Members that share octets.
    Overlap,
    /// Octets before the archive that are nothing known.
    DataBefore,
    /// Octets behind the archive.
    DataAfter,
    /// Compressed octets that are said to be stored.
    StoredOverCompressed,
    /// The checksum or the length is not that of the content.
    ChecksumDiffers,
    /// A name that leads out of the folder.
    UnsafeName,
    /// No directory where there should be one.
    NoDirectory,
    /// Two members of one name.
    SameName,
    /// A message within that is made to be misread.
    MessageStructure,
}

/// What something has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// Macros.
    Macros,
    /// A template or frame that is fetched from elsewhere.
    ExternalTemplate,
    /// A script of a PDF.
    Javascript,
    /// An action of a PDF that starts a program.
    LaunchAction,
    /// An action of a PDF when it is opened.
    OpenAction,
    /// A file within a document.
    EmbeddedFile,
    /// An object within a document.
    EmbeddedObject,
    /// It was encrypted, and a password from the message opened it.
    OpenedByPassword,
    /// A signature over it.
    Signed,
    /// A macro that runs when the document is opened or closed.
    AutoExec,
    /// A macro that starts programs, or fetches something.
    SuspiciousMacro,
    /// A sheet of macros of Excel 4.
    MacroSheet,
    /// A field or link that calls another program, DDE.
    Dde,
    /// A control in a document.
    ActiveX,
    /// A page that makes a file in the browser of whoever opens it.
    HtmlSmuggling,
    /// An object that is brought up to date when the document is opened.
    ObjectUpdate,
    /// An object of the equation editor, which has been a way in for long.
    EquationEditor,
}

impl Finding {
    /// A word for records, with what it is about.
    pub fn name(self) -> String {
        match self {
            Self::Encrypted => "encrypted".to_owned(),
            Self::LimitExceeded(limit) => format!("limit_exceeded: {}", limit.name()),
            Self::Unsupported(why) => format!("unsupported: {}", why.name()),
            Self::Ambiguous(technique) => format!("ambiguous: {}", technique.name()),
            Self::Trait(has) => has.name().to_owned(),
        }
    }
}

impl Limit {
    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Member => "member",
            Self::Octets => "octets",
            Self::Ratio => "ratio",
            Self::Members => "members",
            Self::Depth => "depth",
            Self::Time => "time",
            Self::Window => "window",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Part => "octets of an attachment that is unpacked",
            Self::Member => "octets of a file in an archive",
            Self::Octets => "octets in archives",
            Self::Ratio => "compression ratio",
            Self::Members => "files in archives",
            Self::Depth => "archives within each other",
            Self::Time => "time for archives",
            Self::Window => "memory for decompression",
        })
    }
}

impl Unsupported {
    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Method => "method",
            Self::Damaged => "damaged",
            Self::KillsDecoders => "kills_decoders",
            Self::Divided => "divided",
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "a format that is not unpacked",
            Self::Method => "a compression that is not decoded",
            Self::Damaged => "a damaged archive or document",
            Self::KillsDecoders => "something that ends every program that unpacks it",
            Self::Divided => "a piece of a divided archive",
        })
    }
}

impl Technique {
    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeadersDiffer => "headers_differ",
            Self::TwoDirectories => "two_directories",
            Self::HiddenMember => "hidden_member",
            Self::Overlap => "overlap",
            Self::DataBefore => "data_before",
            Self::DataAfter => "data_after",
            Self::StoredOverCompressed => "stored_over_compressed",
            Self::ChecksumDiffers => "checksum_differs",
            Self::UnsafeName => "unsafe_name",
            Self::NoDirectory => "no_directory",
            Self::SameName => "same_name",
            Self::MessageStructure => "message_structure",
        }
    }
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadersDiffer => "header and directory of an archive differ",
            Self::TwoDirectories => "archive with two directories",
            Self::HiddenMember => "file that the directory of its archive does not name",
            Self::Overlap => "files of an archive share octets",
            Self::DataBefore => "unknown octets before an archive",
            Self::DataAfter => "octets behind an archive",
            Self::StoredOverCompressed => "compressed octets said to be stored",
            Self::ChecksumDiffers => "file that is not what its archive says",
            Self::UnsafeName => "name that leads out of the folder",
            Self::NoDirectory => "archive without a directory",
            Self::SameName => "two files of one name in an archive",
            Self::MessageStructure => "ambiguous structure of a message within",
        })
    }
}

impl Trait {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Macros,
        Self::ExternalTemplate,
        Self::Javascript,
        Self::LaunchAction,
        Self::OpenAction,
        Self::EmbeddedFile,
        Self::EmbeddedObject,
        Self::OpenedByPassword,
        Self::Signed,
        Self::AutoExec,
        Self::SuspiciousMacro,
        Self::MacroSheet,
        Self::Dde,
        Self::ActiveX,
        Self::HtmlSmuggling,
        Self::ObjectUpdate,
        Self::EquationEditor,
    ];

    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Macros => "macros",
            Self::ExternalTemplate => "external_template",
            Self::Javascript => "javascript",
            Self::LaunchAction => "launch_action",
            Self::OpenAction => "open_action",
            Self::EmbeddedFile => "embedded_file",
            Self::EmbeddedObject => "embedded_object",
            Self::OpenedByPassword => "opened_by_password",
            Self::Signed => "signed",
            Self::AutoExec => "auto_exec",
            Self::SuspiciousMacro => "suspicious_macro",
            Self::MacroSheet => "macro_sheet",
            Self::Dde => "dde",
            Self::ActiveX => "active_x",
            Self::HtmlSmuggling => "html_smuggling",
            Self::ObjectUpdate => "object_update",
            Self::EquationEditor => "equation_editor",
        }
    }
}
