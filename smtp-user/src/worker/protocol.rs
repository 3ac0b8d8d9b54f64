//! What is said between the daemon and a worker: a length in four octets, JSON, and behind it the octets that it is about.
//! First of all a worker says that it has given its rights away.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::action::extract::{CleanedMember, Removed, Weeds};
use crate::content::{ContentLimits, Contents, Finding, Kind};
use crate::engine::hash_list::{DigestKinds, Digests};
use crate::wire::mime::second_reader::SeenPart;

/// What a worker is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// To say what is in a part.
    Unpack(Question),
    /// To make a safe copy of one.
    Copy(Original),
}

/// A part of which a safe copy is wanted; its octets follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// Declared media type, in lower case.
    pub media_type: String,
    /// What the copy of a page is.
    pub pages: Pages,
    /// What goes from pages and pictures.
    pub weeds: Weeds,
    /// How far its making goes.
    pub limits: ContentLimits,
    /// Members of an archive that are to be cleaned, as in `/docs/a.docm`; none: all that can be.
    pub members: Vec<String>,
    /// How many octets follow.
    pub length: u64,
}

/// What the copy of a page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pages {
    /// A page.
    Page,
    /// Its text.
    Text {
        /// The character set that is declared.
        charset: Option<String>,
    },
}

/// What came of a safe copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Copied {
    /// The part is safe as it is.
    Needless,
    /// There is a copy, and its octets follow.
    Copy {
        /// What was taken out.
        removed: Removed,
        /// Of an archive, what out of which members.
        members: Vec<CleanedMember>,
        /// How many octets follow.
        length: u64,
    },
    /// The text of a page, in UTF-8, stands for it, and its octets follow.
    Text {
        /// How many octets follow.
        length: u64,
    },
    /// There is none, for this reason.
    Impossible(String),
}

/// A question: what is in these octets? Or, if they are a message, how would another reader divide it?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// They are a whole message, and only its parts are asked for.
    pub structure_only: bool,
    /// Number of the part.
    pub part: String,
    /// Declared media type, in lower case.
    pub media_type: String,
    /// Passwords that may open what is encrypted.
    pub passwords: Vec<String>,
    /// How far the walk goes.
    pub limits: ContentLimits,
    /// Which digests are made of members.
    pub digests: DigestKinds,
    /// Octets of each way to read the part; they follow in this order.
    pub lengths: Vec<u64>,
}

/// The answer for one way to read a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// What the walk came to.
    pub contents: Contents,
    /// Members in the order they were met.
    pub members: Vec<SeenMember>,
    /// Parts of a message as another reader sees them, if they were asked for and it is a message to it.
    pub parts: Option<Vec<SeenPart>>,
}

/// A member, without its octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMember {
    /// Number of the part and the way to it.
    pub part: String,
    /// Every name that a reader may give it.
    pub names: Vec<String>,
    /// How it was packed, in a word.
    pub encoding: String,
    /// Every kind that it is.
    pub kinds: Vec<Kind>,
    /// What is known of its octets.
    pub seen: Seen,
}

/// What is known of a member's octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// They were looked at, all of them or those before a cut.
    Read {
        /// How many.
        octets: u64,
        /// Of them.
        digests: Digests,
        /// Whether the test string is in them.
        has_eicar: bool,
    },
    /// There are none, for this reason.
    Unread(Finding),
}

/// Octets of JSON at most: 10,000 members with long names are a tenth of it.
const MAX_JSON: u32 = 256 << 20;

/// Octets of a safe copy at most: more than can be made of what is unpacked on the way.
const MAX_COPY: u64 = 1 << 30;

/// Reads the answer about a safe copy, and the copy if there is one.
pub fn read_copy(input: &mut impl Read) -> io::Result<(Copied, Vec<u8>)> {
    let copied: Copied = read(input)?;
    let octets = match &copied {
        Copied::Copy { length, .. } | Copied::Text { length } if *length > MAX_COPY => {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Copied::Copy { length, .. } | Copied::Text { length } => read_octets(input, *length)?,
        Copied::Needless | Copied::Impossible(_) => Vec::new(),
    };
    Ok((copied, octets))
}

/// Reads so many octets, and not fewer.
pub fn read_octets(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    // Room as it comes: a length alone costs no memory.
    let mut octets = Vec::new();
    input.take(length).read_to_end(&mut octets)?;
    if octets.len() as u64 == length { Ok(octets) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// What a worker says first, once.
pub const READY: u8 = b'r';

/// Says that a worker is one.
pub fn write_ready(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[READY])?;
    out.flush()
}

/// Reads that.
pub fn read_ready(input: &mut impl Read) -> io::Result<()> {
    let mut said = [0];
    input.read_exact(&mut said)?;
    if said == [READY] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Writes a value.
pub fn write(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= MAX_JSON);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&json)?;
    out.flush()
}

/// Reads a value.
pub fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_JSON {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(serde_json::from_slice(&read_octets(input, length.into())?)?)
}
