//! What was promised of messages, by the marks in a record, and whether a spool keeps it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use smtp_user::spool::place::Place;

/// Put into the record at the time when somebody is told so; of a message by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It was taken in: what a 250 follows.
    Taken(u32),
    /// Its attempt was written down as failed.
    Deferred(u32),
    /// Somebody begins to remove it: from here on it may be there or not.
    Removing(u32),
    /// It was removed.
    Removed(u32),
}

impl Mark {
    const fn parts(self) -> (&'static str, u32) {
        match self {
            Self::Taken(number) => ("taken", number),
            Self::Deferred(number) => ("deferred", number),
            Self::Removing(number) => ("removing", number),
            Self::Removed(number) => ("removed", number),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, number) = self.parts();
        write!(f, "{word}.{number}")
    }
}

impl FromStr for Mark {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, number) = text.split_once('.').with_context(|| format!("no mark of ours: {text}"))?;
        let number = number.parse().with_context(|| format!("no mark of ours: {text}"))?;
        Ok(match word {
            "taken" => Self::Taken(number),
            "deferred" => Self::Deferred(number),
            "removing" => Self::Removing(number),
            "removed" => Self::Removed(number),
            _ => bail!("no mark of ours: {text}"),
        })
    }
}

/// What a spool held after a loss of power.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Messages that are there octet for octet, and where they stand.
    pub(crate) whole: BTreeMap<u32, Place>,
    /// Everything that must not be after any loss of power, whatever was promised.
    pub(crate) wrong: Vec<String>,
}

/// What was promised so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<u32, Mark>);

impl Ledger {
    /// What was promised by marks, one a line.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut ledger = Self::default();
        text.lines().try_for_each(|line| line.parse().map(|mark| ledger.note(mark)))?;
        Ok(ledger)
    }

    /// Takes note of a mark: the last one of a message counts.
    pub(crate) fn note(&mut self, mark: Mark) {
        self.0.insert(mark.parts().1, mark);
    }

    /// Messages that must be there.
    pub(crate) fn promised(&self) -> usize {
        self.0.values().filter(|mark| matches!(mark, Mark::Taken(_) | Mark::Deferred(_))).count()
    }

    /// What is not as it was promised. More may be there: its originator was not told, and sends it again.
    pub(crate) fn broken(&self, seen: &Seen) -> Vec<String> {
        let broken = |mark: &&Mark| match mark {
            Mark::Taken(number) => !seen.whole.contains_key(number),
            Mark::Deferred(number) => seen.whole.get(number) != Some(&Place::Deferred),
            Mark::Removing(_) => false,
            Mark::Removed(number) => seen.whole.contains_key(number),
        };
        let say = |mark: &Mark| {
            let found = seen.whole.get(&mark.parts().1).map_or("not there", |place| place.name());
            format!("{mark}, and it is {found}")
        };
        self.0.values().filter(broken).map(say).collect()
    }
}

#[cfg(test)]
mod tests {
    use smtp_user::spool::place::Place;

    use super::{Ledger, Mark, Seen};

    #[test]
    fn marks_are_read_as_they_were_written() {
        for mark in [Mark::Taken(1), Mark::Deferred(2), Mark::Removing(30), Mark::Removed(4)] {
            assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
        }
        assert!("dm-log-writes-end".parse::<Mark>().is_err());
    }

    #[test]
    fn the_last_mark_of_a_message_counts() {
        let ledger = Ledger::read("taken.1\ntaken.2\nremoving.1\ndeferred.2\n").unwrap();
        assert_eq!(ledger.promised(), 1);
        assert_eq!(ledger.broken(&Seen::default()), ["deferred.2, and it is not there"]);
        assert!(Ledger::read("taken.1\ntak").is_err());
    }

    #[test]
    fn what_was_promised_must_be_there_and_what_was_removed_must_not() {
        let mut ledger = Ledger::default();
        let mut seen = Seen::default();
        seen.whole.insert(9, Place::Active);
        assert!(ledger.broken(&seen).is_empty());
        ledger.note(Mark::Taken(1));
        assert_eq!(ledger.broken(&seen), ["taken.1, and it is not there"]);
        seen.whole.insert(1, Place::Active);
        assert!(ledger.broken(&seen).is_empty());
        ledger.note(Mark::Deferred(1));
        assert_eq!(ledger.broken(&seen), ["deferred.1, and it is active"]);
        ledger.note(Mark::Removing(1));
        assert!(ledger.broken(&seen).is_empty());
        ledger.note(Mark::Removed(1));
        assert_eq!(ledger.broken(&seen), ["removed.1, and it is active"]);
        assert_eq!(ledger.promised(), 0);
    }
}
