//! How a zip is laid out, octet by octet: for whoever writes another with some of its members.
//!
//! There is a layout only where every reader sees the same: one directory, one header for each member that agrees with
//! the directory, and not an octet that belongs to nothing.

use std::collections::HashSet;
use std::io::Read as _;
use std::ops::Range;

use super::directory::{Directory, END_LENGTH, directories};
use super::header::{CentralHeader, Fields, LocalHeader};
use super::{decode, is_filler};
use crate::content::container::place::is_unsafe;
use crate::content::limits::{ContentLimits, RATIO_FLOOR};

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Layout<'o> {
    /// In the order of the directory.
    pub(crate) members: Vec<Placed<'o>>,
    /// Its comment.
    pub(crate) comment: &'o [u8],
    /// Zeros and line ends behind it.
    pub(crate) filler: &'o [u8],
}

/// A member, and where it is.
#[derive(Debug)]
pub(crate) struct Placed<'o> {
    /// Every name that a reader may give it.
    pub(crate) names: Vec<String>,
    /// It has nothing in it, and only a name.
    pub(crate) is_folder: bool,
    /// Where its own header begins.
    pub(crate) start: usize,
    /// Its own header, its octets, and what says how many they are, all as they stand.
    pub(crate) own: &'o [u8],
    /// Its own header alone.
    pub(crate) header: &'o [u8],
    /// Its octets, packed.
    data: &'o [u8],
    /// Where those are.
    pub(crate) data_at: Range<usize>,
    /// Its header in the directory.
    pub(crate) central: &'o [u8],
    /// How it is packed.
    pub(crate) method: u16,
    /// Octets packed, and not packed.
    pub(crate) sizes: [u64; 2],
    crc: u32,
    /// What says how long it is may stand behind it.
    has_descriptor: bool,
}

/// Why there is no layout, or no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It needs a key.
    Encrypted,
    /// It is not what it says.
    Damaged(&'static str),
    /// Two readers may see different things.
    Uncertain(&'static str),
    /// A bound was met.
    TooLarge,
}

/// Octets of a large directory's end and of its locator, which stand between the directory and its end.
const LARGE_END: usize = 56 + 20;

/// Finds everything.
pub(crate) fn layout(octets: &[u8], max_members: usize) -> Result<Layout<'_>, Obstacle> {
    let mut all = directories(octets);
    let directory = all.pop().ok_or(Obstacle::Damaged("it has no directory"))?;
    if directory.is_divided || directory.base != 0 {
        return Err(Obstacle::Uncertain("its directory is not where it should be"));
    }
    let mut members = members(octets, &directory, max_members)?;
    tiles(octets, &mut members, directory.start)?;
    let beside = |other: &Directory| {
        other.start != directory.start && !members.iter().any(|member| member.data_at.contains(&other.start))
    };
    if all.iter().any(beside)
        || !matches!(directory.end_mark.checked_sub(directory.stop), Some(0 | LARGE_END))
    {
        return Err(Obstacle::Uncertain("it has more than one directory"));
    }
    let comment = octets.get(directory.end_mark + END_LENGTH..directory.end);
    let filler = octets.get(directory.end..).unwrap_or_default();
    if !is_filler(filler) {
        return Err(Obstacle::Uncertain("something stands behind it"));
    }
    Ok(Layout { members, comment: comment.unwrap_or_default(), filler })
}

/// What the directory names.
fn members<'o>(
    octets: &'o [u8],
    directory: &Directory,
    max_members: usize,
) -> Result<Vec<Placed<'o>>, Obstacle> {
    let (mut members, mut names, mut at) = (Vec::new(), HashSet::new(), directory.start);
    while at < directory.stop {
        if members.len() == max_members {
            return Err(Obstacle::TooLarge);
        }
        let parsed = CentralHeader::parse(octets, at);
        let (header, next) = parsed.ok_or(Obstacle::Uncertain("its directory has more than headers"))?;
        if !names.insert(header.name.clone()) {
            return Err(Obstacle::Uncertain("two members have one name"));
        }
        let central = octets.get(at..next).unwrap_or_default();
        members.push(member(octets, directory, &header, central)?);
        at = next;
    }
    if at != directory.stop || members.len() != directory.stated_count {
        return Err(Obstacle::Uncertain("its directory is not as long as it says"));
    }
    Ok(members)
}

fn member<'o>(
    octets: &'o [u8],
    directory: &Directory,
    header: &CentralHeader,
    central: &'o [u8],
) -> Result<Placed<'o>, Obstacle> {
    let local = LocalHeader::parse(octets, directory.place_of(header));
    let local = local.ok_or(Obstacle::Uncertain("a member is not where its directory says"))?;
    if header.is_encrypted() || local.is_encrypted() {
        return Err(Obstacle::Encrypted);
    }
    if local.differs_from(header) {
        return Err(Obstacle::Uncertain("the headers of a member differ"));
    }
    let mut names = header.names();
    for name in local.names() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.iter().any(|name| is_unsafe(name)) {
        return Err(Obstacle::Uncertain("a name leads out of its folder"));
    }
    let length = usize::try_from(header.packed).ok();
    let end = length.and_then(|length| local.data.checked_add(length));
    let data_at = local.data..end.ok_or(Obstacle::Damaged("a member has no end"))?;
    let data = octets.get(data_at.clone()).ok_or(Obstacle::Damaged("a member is cut"))?;
    let is_folder = names.first().is_some_and(|name| name.ends_with('/')) && header.packed == 0;
    Ok(Placed {
        names,
        is_folder,
        start: local.start,
        own: octets.get(local.start..data_at.end).unwrap_or_default(),
        header: octets.get(local.start..local.data).unwrap_or_default(),
        data,
        data_at,
        central,
        method: header.method,
        sizes: [header.packed, header.unpacked],
        crc: header.crc,
        has_descriptor: local.has_descriptor(),
    })
}

/// Sees that members stand one behind the other up to the directory, with nothing between them; gives each the octets
/// that say how long it is.
fn tiles<'o>(octets: &'o [u8], members: &mut [Placed<'o>], directory: usize) -> Result<(), Obstacle> {
    let mut starts: Vec<usize> = members.iter().map(|member| member.start).collect();
    starts.sort_unstable();
    if starts.first().copied().unwrap_or(directory) != 0 {
        return Err(Obstacle::Uncertain("something stands before its members"));
    }
    starts.push(directory);
    for member in members {
        let behind = starts.partition_point(|start| *start <= member.start);
        let next = starts.get(behind).copied().unwrap_or(directory);
        let rest = octets.get(member.data_at.end..next);
        let rest = rest.ok_or(Obstacle::Uncertain("two members share octets"))?;
        let is_own = rest.is_empty() || member.has_descriptor && is_descriptor(rest, member);
        if !is_own {
            return Err(Obstacle::Uncertain("something stands between its members"));
        }
        member.own = octets.get(member.start..next).unwrap_or_default();
    }
    // Of two members that begin at one place, neither ends before the next.
    let is_twice = starts.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    if is_twice { Err(Obstacle::Uncertain("two members share octets")) } else { Ok(()) }
}

/// Checksum and sizes behind a member, APPNOTE.TXT 4.3.9: with and without its mark, in 32 bits and in 64.
fn is_descriptor(rest: &[u8], member: &Placed<'_>) -> bool {
    let rest = if matches!(rest.len(), 16 | 24) { rest.strip_prefix(b"PK\x07\x08") } else { Some(rest) };
    let Some(rest) = rest else { return false };
    let mut fields = Fields::new(rest, 0);
    let crc = fields.u32();
    let sizes = match rest.len() {
        12 => [fields.u32().map(u64::from), fields.u32().map(u64::from)],
        20 => [fields.u64(), fields.u64()],
        _ => return false,
    };
    (crc, sizes) == (Some(member.crc), member.sizes.map(Some))
}

impl Placed<'_> {
    /// Unpacks it. `left`: octets that may still be unpacked, which become fewer.
    pub(crate) fn unpack(&self, limits: &ContentLimits, left: &mut u64) -> Result<Vec<u8>, Obstacle> {
        let [packed, unpacked] = self.sizes;
        let by_ratio = packed.saturating_add(1).saturating_mul(limits.max_ratio).max(RATIO_FLOOR);
        if unpacked > limits.max_member.min(by_ratio).min(*left) {
            return Err(Obstacle::TooLarge);
        }
        let decoder = decode::decoder(self.method, self.data);
        let decoder = decoder.ok_or(Obstacle::Damaged("its compression is not known"))?;
        let mut octets = Vec::new();
        let read = decoder.take(unpacked.saturating_add(1)).read_to_end(&mut octets);
        read.map_err(|_| Obstacle::Damaged("what is packed cannot be unpacked"))?;
        if octets.len() as u64 != unpacked || decode::checksum(&octets) != self.crc {
            return Err(Obstacle::Damaged("its checksum is not that of its content"));
        }
        *left = left.saturating_sub(unpacked);
        Ok(octets)
    }
}
