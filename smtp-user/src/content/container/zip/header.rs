//! Headers of a member of a zip: its own, and that in the directory. APPNOTE.TXT 4.3.7 and 4.3.12.

/// Begins a member's own header.
pub(super) const LOCAL_MAGIC: &[u8] = b"PK\x03\x04";
/// Begins a header in the directory.
pub(super) const CENTRAL_MAGIC: &[u8] = b"PK\x01\x02";

/// Reads numbers and octets one after the other; past the end there is nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'o> {
    octets: &'o [u8],
    pub(super) at: usize,
}

impl<'o> Fields<'o> {
    pub(super) const fn new(octets: &'o [u8], at: usize) -> Self {
        Self { octets, at }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'o [u8]> {
        let taken = self.octets.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// A header in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CentralHeader {
    pub(super) flags: u16,
    pub(super) method: u16,
    /// Time of the last change, which checks a password.
    pub(super) time: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    /// Of the member's own header, as stated.
    pub(super) offset: u64,
    pub(super) name: Vec<u8>,
    pub(super) extra: Vec<u8>,
}

impl CentralHeader {
    /// Reads one, and gives where the next one is.
    pub(super) fn parse(octets: &[u8], at: usize) -> Option<(Self, usize)> {
        let mut fields = Fields::new(octets, at);
        if fields.take(4)? != CENTRAL_MAGIC {
            return None;
        }
        fields.take(4)?;
        let (flags, method, time) = (fields.u16()?, fields.u16()?, fields.u16()?);
        fields.take(2)?;
        let crc = fields.u32()?;
        let (packed, unpacked) = (fields.u32()?, fields.u32()?);
        let [name, extra, comment] = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
        fields.take(8)?;
        let offset = fields.u32()?;
        let name = fields.take(name)?.to_vec();
        let extra = fields.take(extra)?.to_vec();
        fields.take(comment)?;
        let [unpacked, packed, offset] = wide([unpacked, packed, offset], &extra);
        let header = Self { flags, method, time, crc, packed, unpacked, offset, name, extra };
        Some((header, fields.at))
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        // Bit 13: the directory is encrypted, and what it says of the member is not true.
        self.flags & (1 | 1 << 13) != 0
    }

    /// Every name that a reader may give the member.
    pub(super) fn names(&self) -> Vec<String> {
        names(&self.name, &self.extra)
    }

    pub(super) fn is_named(&self, lower: &str) -> bool {
        self.name.eq_ignore_ascii_case(lower.as_bytes())
    }

    pub(super) fn is_within(&self, folder: &str) -> bool {
        self.name.get(..folder.len()).is_some_and(|start| start.eq_ignore_ascii_case(folder.as_bytes()))
    }
}

/// A member's own header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalHeader {
    pub(super) start: usize,
    /// Where the member's octets begin.
    pub(super) data: usize,
    version: u16,
    flags: u16,
    method: u16,
    time: u16,
    crc: u32,
    packed: u64,
    unpacked: u64,
    name: Vec<u8>,
    extra: Vec<u8>,
}

impl LocalHeader {
    pub(super) fn parse(octets: &[u8], start: usize) -> Option<Self> {
        let mut fields = Fields::new(octets, start);
        if fields.take(4)? != LOCAL_MAGIC {
            return None;
        }
        let version = fields.u16()?;
        let (flags, method, time) = (fields.u16()?, fields.u16()?, fields.u16()?);
        fields.take(2)?;
        let crc = fields.u32()?;
        let (packed, unpacked) = (fields.u32()?, fields.u32()?);
        let [name, extra] = [fields.u16()?, fields.u16()?].map(usize::from);
        let name = fields.take(name)?.to_vec();
        let extra = fields.take(extra)?.to_vec();
        let [unpacked, packed, _] = wide([unpacked, packed, 0], &extra);
        let data = fields.at;
        Some(Self { start, data, version, flags, method, time, crc, packed, unpacked, name, extra })
    }

    /// Whether it is a header, and not four octets that look like the start of one.
    pub(super) fn is_plausible(&self) -> bool {
        self.version & 0xff <= 63
            && matches!(self.method, 0..=20 | 93..=99)
            && !self.name.is_empty()
            && !self.name.contains(&0)
    }

    pub(super) fn names(&self) -> Vec<String> {
        names(&self.name, &self.extra)
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.flags & (1 | 1 << 13) != 0
    }

    /// Whether sizes and checksum stand behind the octets instead.
    pub(super) const fn has_descriptor(&self) -> bool {
        self.flags & 1 << 3 != 0
    }

    /// Whether a reader of it and a reader of the directory see different things.
    pub(super) fn differs_from(&self, header: &CentralHeader) -> bool {
        let sizes = (self.crc, self.packed, self.unpacked) != (header.crc, header.packed, header.unpacked);
        let stated = (self.crc, self.packed, self.unpacked) != (0, 0, 0);
        // Some writers put the sizes here too although they stand behind, and some write the largest number.
        let unknown =
            self.has_descriptor() && (!stated || (self.packed, self.unpacked) == (WIDE_MARK, WIDE_MARK));
        self.method != header.method
            || (self.flags ^ header.flags) & 1 != 0
            || (self.name != header.name && header.flags & 1 << 13 == 0)
            || (sizes && !unknown)
    }

    /// The same as if the directory said it. `to`: where the octets end at the latest.
    pub(super) fn as_central(&self, octets: &[u8], to: usize) -> CentralHeader {
        let mut packed = self.packed;
        let (mut crc, mut unpacked) = (self.crc, self.unpacked);
        if self.has_descriptor() && packed == 0 {
            let rest = octets.get(self.data..to).unwrap_or_default();
            let length = memchr::memmem::find(rest, b"PK\x07\x08").unwrap_or(rest.len());
            packed = length as u64;
            let mut fields = Fields::new(rest, length + 4);
            if let (Some(stated), Some(_), Some(size)) = (fields.u32(), fields.u32(), fields.u32()) {
                (crc, unpacked) = (stated, u64::from(size));
            }
        }
        CentralHeader {
            flags: self.flags,
            method: self.method,
            time: self.time,
            crc,
            packed,
            unpacked,
            offset: self.start as u64,
            name: self.name.clone(),
            extra: self.extra.clone(),
        }
    }
}

const WIDE_MARK: u64 = 0xffff_ffff;

/// Numbers of 32 bits, or those of 64 that the extra field has in their places, in its order: unpacked,
/// packed, offset. APPNOTE.TXT 4.5.3.
fn wide(narrow: [u32; 3], extra: &[u8]) -> [u64; 3] {
    let field = extra_field(extra, 1).unwrap_or_default();
    let mut fields = Fields::new(field, 0);
    let [first, second, third] = narrow;
    let mut next = |narrow: u32| {
        if narrow == u32::MAX { fields.u64().unwrap_or(u64::from(narrow)) } else { u64::from(narrow) }
    };
    let unpacked = next(first);
    let packed = next(second);
    [unpacked, packed, next(third)]
}

/// The content of an extra field.
pub(super) fn extra_field(extra: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut fields = Fields::new(extra, 0);
    loop {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let content = fields.take(usize::from(length))?;
        if id == wanted {
            return Some(content);
        }
    }
}

/// Every reading of a name.
fn names(name: &[u8], extra: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |name: String| {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    };
    add(std::str::from_utf8(name)
        .map_or_else(|_| name.iter().map(|octet| char::from(*octet)).collect(), str::to_owned));
    if let Some(unicode) = extra_field(extra, 0x7075).and_then(|field| field.get(5..)) {
        add(String::from_utf8_lossy(unicode).into_owned());
    }
    if let Some(end) = memchr::memchr(0, name) {
        // Where names end for readers in C.
        add(String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned());
    }
    names
}
