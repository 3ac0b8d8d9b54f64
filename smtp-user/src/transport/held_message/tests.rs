use std::path::Path;

use super::memory::GRANT;
use super::{DEFAULT_MEMORY_BOUND, HeldMessage, HoldError, HoldLimits, MessageMemory};
use crate::model::message_octets::MessageOctets;

async fn read_all(message: &HeldMessage) -> Vec<u8> {
    let (mut reader, mut all) = (message.reader(), Vec::new());
    while let Some(chunk) = reader.next_chunk().await.unwrap() {
        all.extend_from_slice(chunk);
    }
    all
}

fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn every_size_comes_back_whole_with_and_without_memory_to_spare() {
    let folder = tempfile::tempdir().unwrap();
    for (size, chunk) in [
        (0, 1),
        (1, 1),
        (65_536, 1000),
        (65_537, 65_537),
        (400_000, 7001),
        (900_000, 900_000),
        (GRANT, 30_000),
        (GRANT + 1, 30_000),
        (3_000_000, 32_768),
    ] {
        for (grants, bound) in [(0, DEFAULT_MEMORY_BOUND), (1, GRANT)] {
            let memory = MessageMemory::with_grants(grants);
            let limits = HoldLimits { memory, ..HoldLimits::new(folder.path()) };
            let mut message = HeldMessage::new(limits);
            let expected = octets(size);
            for piece in expected.chunks(chunk) {
                message.append(piece).await.unwrap();
            }
            assert_eq!(read_all(&message).await, expected, "{size} before its end is said");
            message.finish().await.unwrap();
            assert_eq!(message.len(), size as u64);
            assert_eq!(read_all(&message).await, expected, "{size}");
            assert_eq!(message.as_file().is_some(), size > bound, "{size}");
            let mut room = vec![0; 100];
            let middle = size / 2;
            let count = message.read_at(middle as u64, &mut room).unwrap();
            assert_eq!(room[..count], expected[middle..(middle + count)]);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files have no names");
}

#[tokio::test]
async fn memory_that_messages_share_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let limits = HoldLimits { memory: MessageMemory::with_grants(1), ..HoldLimits::new(folder.path()) };
    for _ in 0..3 {
        let [mut first, mut second] = [0; 2].map(|_| HeldMessage::new(limits.clone()));
        for message in [&mut first, &mut second] {
            message.append(&octets(200_000)).await.unwrap();
            message.finish().await.unwrap();
        }
        assert_eq!((first.as_file().is_some(), second.as_file().is_some()), (false, true));
    }
}

#[tokio::test]
async fn a_large_message_keeps_little_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut message = HeldMessage::new(HoldLimits::new(folder.path()));
    let chunk = octets(65_536);
    for _ in 0..160 {
        message.append(&chunk).await.unwrap();
        assert!(message.memory.capacity() <= 2 << 20, "{}", message.memory.capacity());
    }
    assert_eq!(message.len(), 160 * 65_536);
}

#[tokio::test]
async fn too_large_and_no_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let limits = HoldLimits { max_octets: 10, ..HoldLimits::new(folder.path()) };
    let mut message = HeldMessage::new(limits);
    message.append(&[0; 10]).await.unwrap();
    assert!(matches!(message.append(&[0]).await, Err(HoldError::TooLarge { limit: 10 })));
    assert!(matches!(message.append(&[0]).await, Err(HoldError::Failed)));

    let memory = MessageMemory::with_grants(0);
    let limits = HoldLimits { memory, ..HoldLimits::new(Path::new("/nonexistent")) };
    let mut message = HeldMessage::new(limits);
    message.append(&octets(65_536)).await.unwrap();
    assert!(matches!(message.append(&octets(200_000)).await, Err(HoldError::Create { .. })));
    assert!(message.reader().next_chunk().await.is_err());
}

#[tokio::test]
async fn a_full_disk_is_named() {
    // A device that is always full stands for the disk.
    let mut message = HeldMessage::new(HoldLimits::new(Path::new("/tmp")));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    message.file = Some(std::sync::Arc::new(full));
    let outcome = message.append(&octets(200_000)).await;
    assert!(matches!(outcome, Err(HoldError::NoSpace)), "{outcome:?}");
}
