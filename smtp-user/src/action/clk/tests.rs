//! Tests of the locked form.

use proptest::prelude::*;

use super::{ClkError, HEADER, LockKey, lock, unlock};

fn key(octet: u8) -> LockKey {
    LockKey::new([octet; 32])
}

proptest! {
    #[test]
    fn what_was_locked_comes_back_octet_for_octet(content: Vec<u8>, name: String, nonce: [u8; 12]) {
        let locked = lock(&key(1), nonce, &name, &content).unwrap();
        let back = unlock(&key(1), &locked).unwrap();
        prop_assert_eq!(back.content, content);
        prop_assert_eq!(back.name, name);
    }

    #[test]
    fn one_changed_octet_is_noticed(content in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, by in 1..=255u8) {
        let mut locked = lock(&key(1), [7; 12], "a.exe", &content).unwrap();
        let at = at.index(locked.len());
        locked[at] ^= by;
        prop_assert!(unlock(&key(1), &locked).is_err());
    }

    #[test]
    fn nothing_else_opens_or_panics(file: Vec<u8>) {
        prop_assert!(unlock(&key(1), &file).is_err());
    }
}

#[test]
fn what_it_needs_is_said() {
    let locked = lock(&key(1), [7; 12], "a.exe", b"MZ").unwrap();
    assert!(matches!(unlock(&key(2), &locked), Err(ClkError::OtherKey { .. })));
    assert_eq!(unlock(&key(1), &locked[..HEADER - 1]), Err(ClkError::NotLocked));
    assert_eq!(unlock(&key(1), &locked[..locked.len() - 1]), Err(ClkError::Changed));
    assert_eq!(unlock(&key(1), b"MZ and more than forty octets of something else"), Err(ClkError::NotLocked));
    let mut newer = locked;
    newer[8] = 2;
    assert_eq!(unlock(&key(1), &newer), Err(ClkError::Version { version: 2 }));
}

#[test]
fn keys_are_written_in_hexadecimal() {
    let text = key(0xa5).to_hex();
    assert_eq!(LockKey::from_hex(&format!("  {text}\n")).unwrap().to_hex(), text);
    assert!(LockKey::from_hex("a5").is_none());
    assert!(LockKey::from_hex(&"é".repeat(32)).is_none());
}
