//! Images of optical media: ISO 9660 with its extensions, and UDF. An image may be both, with different files.

use std::io::Cursor;

use isomage::TreeNode;

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};
use crate::content::kind::Kind;

/// Reads the file system of one kind.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, kind: Kind, octets: &[u8]) {
    let mut cursor = Cursor::new(octets);
    let tree = match kind {
        Kind::Udf => isomage::udf::parse_udf(&mut cursor),
        _ => isomage::iso9660::parse_iso9660(&mut cursor),
    };
    let Ok(tree) = tree else { return walk.note(Finding::Unsupported(Unsupported::Damaged), &level.part) };
    // What is written on a medium is written once; more than its size is the same octets again.
    let mut todo: Vec<(String, &TreeNode)> =
        tree.children.iter().rev().map(|node| (String::new(), node)).collect();
    while let Some((folder, node)) = todo.pop() {
        if !walk.may_go_on(&level.part) {
            return;
        }
        let name = format!("{folder}{}", node.name);
        if node.is_directory {
            let folder = format!("{name}/");
            todo.extend(node.children.iter().rev().map(|node| (folder.clone(), node)));
            continue;
        }
        if is_unsafe(&node.name) {
            walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
        }
        let place = |number: u64| usize::try_from(number).ok();
        let (location, length) = (node.file_location.and_then(place), node.file_length.and_then(place));
        let content =
            location.zip(length).and_then(|(start, length)| octets.get(start..start.checked_add(length)?));
        match content {
            Some(mut content) => {
                let unpacked = walk.unpack(&mut content, octets.len() as u64, &level.part);
                walk.member(level, &[name], kind.name(), &unpacked);
            }
            None if node.size == 0 => {}
            None => walk.unread(level, &[name], kind.name(), Finding::Unsupported(Unsupported::Damaged)),
        }
    }
}
