//! Files: those of rules alone, and those that cannot be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{SAMPLE, places};
use crate::app::config::{Config, LoadError, MAX_CONFIG_BYTES, RuleFile};
use crate::policy::lint::Severity;

#[test]
fn a_file_of_rules_needs_no_gateway() {
    let rules = "[[rule]]\nname = \"a\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"in\"\n\
                 [[rule]]\nname = \"b\"\ninterface = \"eth0\"\naction = \"drop\"\n[[rule]]\nname = \"c\"\naction = \"stack\"\n";
    let read = RuleFile::parse(rules, "f").unwrap();
    assert_eq!(read.rules.len(), 3);
    assert_eq!(read.warnings, []);
    // What a whole configuration lacks, it lacks still.
    assert_eq!(places(rules), [(1, 1), (5, 12)]);
    // What is there is checked.
    let more = format!("{rules}[[resource]]\nname = \"inn\"\n[gateway]\ninterfaces = [\"eth1\"]\n");
    let errors = RuleFile::parse(&more, "f").unwrap_err();
    let lines: Vec<_> = errors.of(Severity::Error).map(|d| (d.line, d.suggestion.as_deref())).collect();
    assert_eq!(lines, [(5, Some("inn")), (8, Some("eth1"))]);
    assert!(RuleFile::parse(&rules.replace("drop", "dorp"), "f").is_err());
    // A configuration is a file of rules too.
    assert_eq!(RuleFile::parse(SAMPLE, "f").unwrap().rules, Config::parse(SAMPLE, "f").unwrap().rules);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    assert!(matches!(Config::load(&path), Err(LoadError::NotFound { .. })));
    fs::write(&path, SAMPLE).unwrap();
    assert_eq!(Config::load(&path).unwrap().file, path.display().to_string());
    assert!(matches!(Config::load(folder.path()), Err(LoadError::Read { .. })));
    fs::write(&path, b"[gateway]\n# \xff\n").unwrap();
    assert!(matches!(Config::load(&path), Err(LoadError::Encoding { line: 2, .. })));
    fs::write(&path, vec![b'#'; MAX_CONFIG_BYTES as usize + 1]).unwrap();
    assert!(matches!(Config::load(&path), Err(LoadError::TooLarge { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it nevertheless.
    if fs::read(&path).is_err() {
        assert!(matches!(Config::load(&path), Err(LoadError::Permission { .. })));
    }
}
