//! Goes through a record, and at each point where the device had made something last looks at what a loss of power
//! would leave there; and just before, when the device had kept some of what it was to make last and some not.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::devices::{Device, Kind, Mounted};
use crate::image::Image;
use crate::ledger::{Ledger, Mark, Seen};
use crate::log::{Log, What};
use crate::messages;

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Flushes and writes past the cache.
    pub(crate) durable: u64,
    /// Different contents of the device, each mounted and looked at.
    pub(crate) states: u64,
    /// Those of them with some of the writes that were yet to be made last, by chance.
    pub(crate) partial: u64,
    /// Those in which something promised was broken.
    pub(crate) broken: u64,
    /// Those with something in them that may never be: a spool or file system that cannot be read, a damaged message.
    pub(crate) unreadable: u64,
    /// Messages that had to be there at the end.
    pub(crate) promised: usize,
    /// The first things that were wrong, for people.
    pub(crate) examples: Vec<String>,
    /// Whether there was no time for the rest of the record.
    pub(crate) is_cut: bool,
}

impl Findings {
    fn say(&mut self, entry: u64, what: &[String]) {
        for what in what.iter().take(2) {
            if self.examples.len() < EXAMPLES {
                self.examples.push(format!("after entry {entry}: {what}"));
            }
        }
    }

    /// Counts a state once in which something is not as it was promised.
    fn compare(&mut self, ledger: &Ledger, state: &mut State, entry: u64) {
        let broken = ledger.broken(&state.seen);
        if !broken.is_empty() && !state.is_broken {
            state.is_broken = true;
            self.broken += 1;
            self.say(entry, &broken);
        }
    }
}

/// A state of the device that was looked at, and what of it has been counted.
#[derive(Debug)]
struct State {
    seen: Seen,
    is_broken: bool,
}

/// How a replay is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// How many states share one check by the file system's own tool.
    pub(crate) check_each: u64,
    /// What chance is made from.
    pub(crate) seed: u64,
    /// When to leave the rest.
    pub(crate) until: Instant,
}

/// Something that changes the device.
#[derive(Debug)]
enum Change {
    Write { at: u64, octets: Vec<u8> },
    Discard { at: u64, octets: u64 },
}

impl Image {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { at, octets } => self.write(*at, octets),
            Change::Discard { at, octets } => self.clear(*at, *octets),
        }
    }
}

/// A stream of numbers that looks like chance (xorshift64).
struct Chance(u64);

impl Chance {
    fn yes(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 63 == 1
    }
}

/// Goes through the record of a device that held `image` at its beginning.
pub(crate) fn replay(plan: Plan, mut image: Image, log: &mut Log, device: &Device) -> Result<Findings> {
    let (mut findings, mut ledger, mut chance) =
        (Findings::default(), Ledger::default(), Chance(plan.seed.max(1)));
    // What a flush that is yet to come makes last. A write past the cache is recorded at once: none waits then.
    let mut pending: Vec<Change> = Vec::new();
    let mut state: Option<State> = None;
    while let Some(entry) = log.next()? {
        let durable = match entry.what {
            What::Mark(word) if word == END => break,
            What::Mark(word) => {
                ledger.note(word.parse::<Mark>()?);
                None
            }
            What::Discard { at, octets } => {
                pending.push(Change::Discard { at, octets });
                None
            }
            What::Write { at, octets } => {
                let write = (!octets.is_empty()).then_some(Change::Write { at, octets });
                if !entry.is_durable {
                    pending.extend(write);
                    continue;
                }
                Some(write)
            }
        };
        if let Some(write) = durable {
            findings.durable += 1;
            if pending.len() > 1 {
                let mut some = image.clone();
                pending.iter().filter(|_| chance.yes()).for_each(|change| some.apply(change));
                let mut state =
                    State { seen: look(plan, &some, device, entry.number, &mut findings)?, is_broken: false };
                findings.partial += 1;
                findings.compare(&ledger, &mut state, entry.number);
            }
            for change in pending.drain(..).chain(write) {
                image.apply(&change);
                state = None;
            }
        }
        let state = match &mut state {
            Some(state) => state,
            None => state.insert(State {
                seen: look(plan, &image, device, entry.number, &mut findings)?,
                is_broken: false,
            }),
        };
        findings.compare(&ledger, state, entry.number);
        if Instant::now() > plan.until {
            findings.is_cut = true;
            break;
        }
    }
    findings.promised = ledger.promised();
    Ok(findings)
}

/// Starts from a state as a machine does that has its power back.
fn look(plan: Plan, image: &Image, device: &Device, entry: u64, findings: &mut Findings) -> Result<Seen> {
    image.put(&device.open()?, device.octets)?;
    let mut seen = match Mounted::new(plan.kind, &device.path) {
        Ok(mounted) => {
            let seen = messages::look(Path::new(messages::FOLDER));
            mounted.end()?;
            seen
        }
        Err(error) => Seen { wrong: vec![format!("{error:#}")], ..Seen::default() },
    };
    if findings.states.is_multiple_of(plan.check_each)
        && let Err(error) = plan.kind.check(&device.path)
    {
        seen.wrong.push(format!("{error:#}"));
    }
    findings.states += 1;
    findings.unreadable += u64::from(!seen.wrong.is_empty());
    findings.say(entry, &seen.wrong);
    Ok(seen)
}

/// What the kernel itself puts at the end of a record.
const END: &str = "dm-log-writes-end";
/// Things said that were wrong.
const EXAMPLES: usize = 6;
