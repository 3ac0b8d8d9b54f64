//! What a daemon says, line by line.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Log {
    pub(super) fn fill(&self, stderr: impl Read) {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { break };
            self.lines.lock().expect("no reader panics").0.push(line);
            self.changed.notify_all();
        }
        self.lines.lock().expect("no reader panics").1 = true;
        self.changed.notify_all();
    }

    pub(super) fn text(&self) -> String {
        self.lines.lock().map(|lines| lines.0.join("\n")).unwrap_or_default()
    }

    pub(super) fn wait_for_line(
        &self,
        mut wanted: impl FnMut(&str) -> bool,
        limit: Duration,
    ) -> Option<String> {
        let end = Instant::now() + limit;
        let mut seen = 0;
        let mut lines = self.lines.lock().expect("no reader panics");
        loop {
            while seen < lines.0.len() {
                if wanted(&lines.0[seen]) {
                    return Some(lines.0[seen].clone());
                }
                seen += 1;
            }
            let left = end.saturating_duration_since(Instant::now());
            if lines.1 || left.is_zero() {
                return None;
            }
            lines = self.changed.wait_timeout(lines, left).expect("no reader panics").0;
        }
    }
}
