//! Mail that nobody has written yet: techniques of evasion, each alone and put together at random. What is not wanted never
//! goes on openly, what is harmless is at worst called odd, and nothing falls over.

mod files;
mod names;
mod parts;
mod structures;

use std::collections::BTreeMap;

use super::clean_corpus::Chance;
use crate::content::fixture;
use crate::content::fixture::other::base64;
use crate::engine::eicar::eicar;
use crate::inspect::{Config, Inspector};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::policy::part_rule::PartRule;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// The test string.
    Eicar,
    /// A program, told by its first octets.
    Program,
    /// A text with the name of a program.
    Named,
    /// A text.
    Harmless,
}

impl Payload {
    const ALL: [Self; 4] = [Self::Eicar, Self::Program, Self::Named, Self::Harmless];

    fn octets(self) -> Vec<u8> {
        match self {
            Self::Eicar => eicar(),
            Self::Program => fixture::program(),
            Self::Named | Self::Harmless => b"Nothing to see here, and nothing more to say.\r\n".to_vec(),
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Named => "exe",
            _ => "txt",
        }
    }
}

/// Something that is being put together, and how.
struct Sample {
    how: Vec<&'static str>,
    octets: Vec<u8>,
}

/// A choice: the one that is asked for, or any.
fn pick<'t, T>(chance: &mut Chance, all: &'t [T], wanted: Option<usize>) -> &'t T {
    let any = chance.below(all.len() as u64) as usize;
    &all[wanted.unwrap_or(any)]
}

/// One of each dimension that a technique may be asked for in.
#[derive(Clone, Copy, Default)]
struct Wanted {
    container: Option<usize>,
    coding: Option<usize>,
    kind: Option<usize>,
    name: Option<usize>,
    structure: Option<usize>,
}

/// Only the techniques that are asked for, and plain ones elsewhere.
fn alone(chance: &mut Chance, payload: Payload, wanted: Wanted) -> Sample {
    let mut sample = Sample { how: Vec::new(), octets: payload.octets() };
    let mut file = String::from("a");
    if let Some(container) = wanted.container {
        files::wrap(chance, &mut sample, &mut file, payload, Some(container));
    }
    let plain = |wanted: Option<usize>| Some(wanted.unwrap_or(0));
    let coding = plain(wanted.coding);
    parts::entity(chance, &mut sample, &file, payload, [coding, plain(wanted.kind), plain(wanted.name)]);
    structures::wrap(chance, &mut sample, 0, plain(wanted.structure));
    finish(sample)
}

fn at_random(chance: &mut Chance, payload: Payload) -> Sample {
    let mut sample = Sample { how: Vec::new(), octets: payload.octets() };
    let mut file = String::from("a");
    for _ in 0..chance.below(4) {
        files::wrap(chance, &mut sample, &mut file, payload, None);
    }
    parts::entity(chance, &mut sample, &file, payload, [None; 3]);
    for level in 0..chance.below(4) {
        structures::wrap(chance, &mut sample, level, None);
    }
    finish(sample)
}

fn finish(mut sample: Sample) -> Sample {
    let header =
        b"Received: from a.example by b.example; Sun, 22 Nov 2026 07:00:00 +0000\r\nFrom: a@example.org\r\n\
                   To: b@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n";
    sample.octets.splice(0..0, header.iter().copied());
    sample
}

struct Judge {
    runtime: tokio::runtime::Runtime,
    inspector: Inspector,
    /// How often which way of failing was met, and the first message of each.
    failures: BTreeMap<String, usize>,
    judged: usize,
}

impl Judge {
    fn new() -> Self {
        let mut programs = PartRule::new("programs", PartAction::Quarantine);
        programs.extensions = vec!["exe".to_owned()];
        let config = Config { executables: true, rules: vec![programs], ..Config::default() };
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            inspector: Inspector::new(config).unwrap(),
            failures: BTreeMap::new(),
            judged: 0,
        }
    }

    fn judge(&mut self, payload: Payload, sample: &Sample) {
        let mut inspection = self.inspector.begin();
        inspection.push(&sample.octets);
        let judgement = self.runtime.block_on(inspection.judge(&sample.octets));
        let (verdict, action) = (judgement.decision.verdict, judgement.decision.action);
        self.judged += 1;
        let is_right = match payload {
            Payload::Harmless => matches!(
                (verdict, &action),
                (MessageVerdict::Clean, MessageAction::Pass)
                    | (
                        MessageVerdict::Ambiguous
                            | MessageVerdict::Unsupported
                            | MessageVerdict::LimitExceeded,
                        MessageAction::Refuse
                    )
            ),
            _ => action != MessageAction::Pass,
        };
        if is_right {
            return;
        }
        let how = sample.how.join(" + ");
        if self.failures.len() < 3 && std::env::var_os("POSTERN_SHOW").is_some() {
            eprintln!("{payload:?} {how}\n{}\n", String::from_utf8_lossy(&sample.octets));
        }
        let why = format!("{payload:?} {verdict:?} {action:?} ({}): {how}", judgement.decision.why);
        *self.failures.entry(why).or_insert(0) += 1;
    }

    fn end(self) {
        for (why, count) in self.failures.iter().take(200) {
            eprintln!("{count} {why}");
        }
        let failures: usize = self.failures.values().sum();
        assert_eq!(failures, 0, "of {} messages", self.judged);
    }
}

fn seed(or: u64) -> u64 {
    let seed = std::env::var("POSTERN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    eprintln!("POSTERN_SEED={seed}");
    seed
}

type Writer = fn(&[u8]) -> Vec<u8>;

/// Ways to write ASCII in other character sets.
const CHARSETS: &[(&str, Writer)] = &[
    ("utf-16le", |text| text.iter().flat_map(|octet| [*octet, 0]).collect()),
    ("utf-16be", |text| text.iter().flat_map(|octet| [0, *octet]).collect()),
    ("utf-32", |text| text.iter().flat_map(|octet| [0, 0, 0, *octet]).collect()),
    ("utf-7", |text| {
        text.iter().flat_map(|octet| if *octet == b'+' { b"+-".to_vec() } else { vec![*octet] }).collect()
    }),
    ("utf-7", |text| {
        let wide: Vec<u8> = text.iter().flat_map(|octet| [0, *octet]).collect();
        let coded = base64(&wide).replace("\r\n", "").replace('=', "");
        format!("+{coded}-").into_bytes()
    }),
    ("iso-2022-jp", |text| [&text[..9], b"\x1b(B", &text[9..20], b"\x1b$B\x1b(J", &text[20..]].concat()),
    ("hz-gb-2312", |text| [&text[..9], b"~\n", &text[9..20], b"~{~}", &text[20..]].concat()),
];

#[test]
fn the_test_string_is_found_in_every_character_set() {
    let mut judge = Judge::new();
    for (charset, write) in CHARSETS {
        for payload in [Payload::Eicar, Payload::Harmless] {
            let body = base64(&write(&payload.octets()));
            let octets = format!(
                "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}"
            );
            judge.judge(payload, &finish(Sample { how: vec![charset], octets: octets.into_bytes() }));
        }
    }
    judge.end();
}

#[test]
fn no_technique_alone_gets_anything_past() {
    let (mut chance, mut judge) = (Chance::new(seed(1)), Judge::new());
    let mut wanted = Vec::new();
    wanted.extend((0..files::COUNT).map(|at| Wanted { container: Some(at), ..Wanted::default() }));
    wanted.extend((0..parts::CODINGS.len()).map(|at| Wanted { coding: Some(at), ..Wanted::default() }));
    wanted.extend((0..parts::KINDS.len()).map(|at| Wanted { kind: Some(at), ..Wanted::default() }));
    wanted.extend((0..names::NAMES.len()).map(|at| Wanted { name: Some(at), ..Wanted::default() }));
    wanted.extend(
        (0..structures::STRUCTURES.len()).map(|at| Wanted { structure: Some(at), ..Wanted::default() }),
    );
    for wanted in wanted {
        for payload in Payload::ALL {
            let sample = alone(&mut chance, payload, wanted);
            judge.judge(payload, &sample);
        }
    }
    judge.end();
}

#[test]
fn no_mixture_of_techniques_gets_anything_past() {
    const MESSAGES: usize = 3_000;
    let (mut chance, mut judge) = (Chance::new(seed(20_261_122)), Judge::new());
    let messages = std::env::var("POSTERN_MESSAGES").ok().and_then(|text| text.parse().ok());
    for at in 0..messages.unwrap_or(MESSAGES) {
        let payload = Payload::ALL[at % Payload::ALL.len()];
        let sample = at_random(&mut chance, payload);
        judge.judge(payload, &sample);
    }
    judge.end();
}
