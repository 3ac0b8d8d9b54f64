use std::path::Path;

use super::{How, LockArgs, UnlockArgs, lock, plain_name, unlock};

const HOW: How = How { force: false, json: true };

fn locking(folder: &Path, file: &str) -> LockArgs {
    LockArgs { file: folder.join(file), key: folder.join("lock.key"), output: None, how: HOW }
}

fn unlocking(folder: &Path, file: &str, output: &str) -> UnlockArgs {
    let output = Some(folder.join(output));
    UnlockArgs { file: folder.join(file), key: folder.join("lock.key"), output, how: HOW }
}

#[test]
fn a_file_comes_back_octet_for_octet() {
    let folder = tempfile::tempdir().unwrap();
    for (name, octets) in
        [("empty", Vec::new()), ("a.exe", b"MZ\0\r\n\x1a".to_vec()), ("large", vec![7; 3 << 20])]
    {
        std::fs::write(folder.path().join(name), &octets).unwrap();
        lock(&locking(folder.path(), name)).unwrap();
        let locked = std::fs::read(folder.path().join(format!("{name}.clk"))).unwrap();
        let is_open = |part: &[u8]| locked.windows(part.len()).any(|window| window == part);
        assert!(octets.is_empty() || !is_open(&octets), "{name}");
        unlock(&unlocking(folder.path(), &format!("{name}.clk"), "back")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("back")).unwrap(), octets);
        std::fs::remove_file(folder.path().join("back")).unwrap();
    }
}

#[test]
fn wrong_files_wrong_keys_and_files_that_are_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("a"), b"content").unwrap();
    let error = unlock(&unlocking(path, "a", "back")).unwrap_err();
    assert!(error.to_string().contains("lock.key cannot be read"), "{error}: unlocking makes no key");
    lock(&locking(path, "a")).unwrap();
    let error = lock(&locking(path, "a")).unwrap_err();
    assert!(error.to_string().contains("`--force` writes over it"), "{error}");
    let error = unlock(&unlocking(path, "a", "back")).unwrap_err();
    assert!(error.to_string().contains("no locked file"), "{error}");
    let mut locked = std::fs::read(path.join("a.clk")).unwrap();
    *locked.last_mut().unwrap() ^= 1;
    std::fs::write(path.join("changed.clk"), &locked).unwrap();
    let error = unlock(&unlocking(path, "changed.clk", "back")).unwrap_err();
    assert!(error.to_string().contains("has been changed"), "{error}");
    std::fs::write(path.join("lock.key"), "0".repeat(64)).unwrap();
    let error = unlock(&unlocking(path, "a.clk", "back")).unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
    std::fs::write(path.join("lock.key"), "secret").unwrap();
    let error = unlock(&unlocking(path, "a.clk", "back")).unwrap_err();
    assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");
    assert!(!path.join("back").exists() && !path.join("back.part").exists());
}

#[test]
fn names_lead_nowhere_else() {
    for (name, plain) in [
        ("a.exe", "a.exe"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.exe", "a.exe"),
        ("..", "unlocked"),
        ("a/", "unlocked"),
        ("a\nb", "a_b"),
    ] {
        assert_eq!(plain_name(name), plain);
    }
}
