//! What is read of the machine is read rightly, and the outcome is one line a check.

use super::host::{effective_capabilities, kernel_version};
use super::*;

#[test]
fn kernel_versions_are_read() {
    for (release, version) in [
        ("6.1.0-18-amd64", Some((6, 1))),
        ("6.12", Some((6, 12))),
        ("5.15.153.1-microsoft-standard-WSL2", Some((5, 15))),
        ("linux", None),
    ] {
        assert_eq!(kernel_version(release), version, "{release}");
    }
}

#[test]
fn capabilities_are_read() {
    let status = "Name:\tpostern\nCapInh:\t0000000000000000\nCapEff:\t000000c000001000\n";
    assert_eq!(effective_capabilities(status), 1 << 39 | 1 << 38 | 1 << 12);
    assert_eq!(effective_capabilities(""), 0);
}

#[test]
fn each_check_is_one_line() {
    let checks = [Check::ok("rights", "There."), Check::fail("bpffs", "Not there.")];
    assert_eq!(text(&checks), "ok    rights        There.\nFAIL  bpffs         Not there.\n");
    assert_eq!(serde_json::to_value(&checks[1]).unwrap()["status"], "fail");
}

#[test]
fn an_error_becomes_a_sentence() {
    let error = PacketPathError::NotLoaded { dir: "/x".into() };
    assert_eq!(sentence(&error), "Nothing is loaded under /x; start with `postern run`.");
}
