//! Finds a session's records by its name or the beginning of it. Names begin with the time of their making, so
//! that only the records from then on are read.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::audit::reader::Reader;
use crate::audit::timestamp;
use crate::cli::mistake::CommandError;
use crate::cli::word::WordError;
use crate::event::session_event::{Record, SessionEvent};
use crate::model::session_id::SessionId;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Beginning of a session's name, or all of it.
    prefix: String,
    message: Option<u32>,
}

/// Characters of a session's name.
const WHOLE: usize = 36;
/// Fewer characters name more than a minute of sessions.
const SHORTEST: usize = 4;

impl FromStr for Wanted {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let invalid = |why: &str| {
            let shown: String = text.chars().take(64).collect();
            let problem = format!(
                "`{shown}` {why}; a session is named like 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17, a message by that, \
                 `.` and a number"
            );
            WordError::new(&problem, None)
        };
        let (prefix, message) = match text.trim().split_once('.') {
            None => (text.trim(), None),
            Some((prefix, number)) => match number.parse() {
                Ok(number) => (prefix, Some(number)),
                Err(_) => return Err(invalid("has no message number after the full stop")),
            },
        };
        let prefix = prefix.to_ascii_lowercase();
        let has_form = (0..).zip(prefix.bytes()).all(|(at, octet)| match at {
            8 | 13 | 18 | 23 => octet == b'-',
            _ => octet.is_ascii_digit() || matches!(octet, b'a'..=b'f'),
        });
        if !has_form || prefix.len() > WHOLE {
            return Err(invalid("is no name of a session or message"));
        }
        if prefix.len() < SHORTEST {
            return Err(invalid("is too short"));
        }
        Ok(Self { prefix, message })
    }
}

impl Wanted {
    /// Number of the message, if one is looked for.
    pub fn message(&self) -> Option<u32> {
        self.message
    }

    /// Earliest time at which such a session can have been opened, microseconds since 1970.
    pub fn earliest(&self) -> u64 {
        self.filled('0')
    }

    /// Latest such time.
    fn latest(&self) -> u64 {
        self.filled('f').saturating_add(999)
    }

    fn filled(&self, with: char) -> u64 {
        let digits = self.prefix.chars().filter(|c| *c != '-').chain(std::iter::repeat(with)).take(12);
        u64::from_str_radix(&digits.collect::<String>(), 16).unwrap_or(0).saturating_mul(1000)
    }

    fn is_whole(&self) -> bool {
        self.prefix.len() == WHOLE
    }
}

/// A session's records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) session: SessionId,
    pub(super) records: Vec<Record>,
}

/// Records that come after an account, such as a note about lost ones, come soon.
const AFTERMATH: u64 = 2_000_000;
/// How long after it got its name a session is opened at the latest.
const OPENING: u64 = 60_000_000;
/// More sessions than these need not be told apart.
const CANDIDATES: usize = 8;

/// Reads the one session that is looked for.
pub(super) fn find(reader: &mut Reader, wanted: &Wanted) -> anyhow::Result<Found> {
    let mut sessions: BTreeMap<SessionId, Vec<Record>> = BTreeMap::new();
    // After this time nothing more is to come; known once every session that was found has its account.
    let mut end = String::new();
    let mut open = 0_usize;
    let last_opening = timestamp::format(wanted.latest().saturating_add(OPENING));
    while let Some(raw) = reader.next_record()? {
        let is_late = raw.time() > last_opening.as_str() || (wanted.is_whole() && !sessions.is_empty());
        if is_late && open == 0 && raw.time() > end.as_str() {
            break;
        }
        if !raw.session().starts_with(&wanted.prefix) {
            continue;
        }
        let Some(record) = raw.parse() else { continue };
        if !sessions.contains_key(&record.session) {
            if sessions.len() == CANDIDATES {
                break;
            }
            open += 1;
        }
        if matches!(record.event, SessionEvent::Account { .. }) {
            open = open.saturating_sub(1);
            let ended = timestamp::parse(&record.time).unwrap_or(0);
            end = timestamp::format(ended.saturating_add(AFTERMATH));
        }
        sessions.entry(record.session).or_default().push(record);
    }
    let candidates: Vec<SessionId> = sessions.keys().copied().collect();
    let mut sessions = sessions.into_iter();
    match (sessions.next(), sessions.next()) {
        (Some((session, records)), None) => {
            let known = |number| records.iter().any(|record| record.message == Some(number));
            match wanted.message {
                Some(number) if !known(number) => {
                    Err(CommandError::NoSuchMessage { session: session.to_string(), number }.into())
                }
                _ => Ok(Found { session, records }),
            }
        }
        (None, _) => Err(CommandError::NoSuchSession { id: wanted.prefix.clone() }.into()),
        (Some(_), Some(_)) => Err(CommandError::ManySessions {
            id: wanted.prefix.clone(),
            candidates: candidates.iter().map(SessionId::to_string).collect(),
        }
        .into()),
    }
}
