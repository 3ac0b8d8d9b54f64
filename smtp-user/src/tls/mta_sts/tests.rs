//! A policy is kept for as long as it holds, and under names that are names.

use super::{KeptPolicy, PolicyFolder};
use crate::wire::mta_sts::{MtaStsMode, MtaStsPolicy};

fn kept(domain: &str) -> KeptPolicy {
    let policy = MtaStsPolicy { mode: MtaStsMode::Enforce, mx: vec!["mx.example".to_owned()], max_age: 1000 };
    KeptPolicy { domain: domain.to_owned(), id: "1".to_owned(), until: 11_000, policy }
}

#[test]
fn a_policy_holds_until_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let policies = PolicyFolder::new(folder.path().join("sts"));
    assert_eq!(policies.load("a.example", 10_000), None);
    policies.store(&kept("a.example")).unwrap();
    for now in [10_000, 10_999] {
        assert_eq!(policies.load("a.example", now), Some(kept("a.example")));
    }
    for now in [11_000, 20_000, 0] {
        assert_eq!(policies.load("a.example", now), None, "{now}");
    }
    assert_eq!(policies.load("b.example", 10_000), None);
    std::fs::write(folder.path().join("sts/a.example.json"), b"{").unwrap();
    assert_eq!(policies.load("a.example", 10_000), None);
    policies.store(&kept("a.example")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("sts")).unwrap().count(), 1);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let policies = PolicyFolder::new(folder.path().join("sts"));
    for name in ["", "..", "../x", ".x", "a/b", "a\0b", &"a".repeat(300)] {
        policies.store(&kept(name)).unwrap();
        assert_eq!(policies.load(name, 10_000), None, "{name:?}");
    }
    assert!(!folder.path().join("sts").exists());
}
