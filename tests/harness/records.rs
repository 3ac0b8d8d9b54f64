//! What the gateway wrote down about its sessions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::deadline::{SOON, wait_for};

/// All records below a folder, oldest first.
///
/// # Panics
///
/// When a whole line is not JSON.
pub fn read(folder: &Path) -> Vec<Value> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        // The last line may be in the making.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let record = serde_json::from_str(line);
            records.push(record.unwrap_or_else(|error| panic!("{}: {error}: {line}", file.display())));
        }
    }
    records.sort_by(|a: &Value, b: &Value| {
        let key = |record: &Value| record["time"].as_str().unwrap_or_default().to_owned();
        key(a).cmp(&key(b))
    });
    records
}

/// Records of one kind.
pub fn of_event<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["event"] == event).collect()
}

/// Waits until there are this many accounts, and returns all records.
///
/// # Panics
///
/// When they do not come in time.
#[track_caller]
pub fn wait_for_accounts(folder: &Path, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} accounts in {}", folder.display()), SOON, || {
        let records = read(folder);
        (of_event(&records, "account").len() >= count).then_some(records)
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension.to_string_lossy().starts_with("json")) {
            files.push(path);
        }
    }
}
