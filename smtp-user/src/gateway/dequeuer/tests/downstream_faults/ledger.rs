//! What next hops are to do with each message, drawn before anything is sent, and what they did say about each recipient.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::delivery::session::script::{At, Turn};
use crate::spool::tests::chance::Chance;

/// What was said about a recipient, if only by saying nothing.
#[derive(Clone, Debug)]
pub(super) struct Said {
    outcome: &'static str,
    text: String,
    /// Said before anything was known of the message, perhaps on a connection that was kept: another call may follow at
    /// once, and only what is said then is recorded.
    pub(super) may_be_repeated: bool,
}

impl Said {
    /// Whether a record tells of it.
    pub(super) fn is_told_by(&self, outcome: &str, why: &str) -> bool {
        // The time may have been over besides.
        let is_it = outcome == self.outcome || (self.outcome == "deferred" && outcome == "expired");
        is_it && why.contains(&self.text)
    }
}

#[derive(Clone, Copy, Debug)]
enum Mailbox {
    Takes,
    Refuses,
    /// For so many transactions.
    PutsOff(u32),
}

#[derive(Debug)]
struct Recipient {
    mailbox: Mailbox,
    asked: u32,
    said: Vec<Said>,
    /// Times that the message was taken and nobody heard of it.
    unheard: usize,
    is_open: bool,
}

/// A message.
#[derive(Debug)]
struct Row {
    number: u32,
    /// What goes wrong in its first transactions.
    faults: Vec<Option<(At, Turn)>>,
    transactions: usize,
    is_in_transaction: bool,
    recipients: Vec<Recipient>,
    /// Those that nothing was said of in this transaction.
    rest: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    rows: Mutex<Vec<Row>>,
    /// For faults that are about a connection.
    chance: Mutex<Chance>,
    faults: Mutex<BTreeMap<String, u32>>,
}

/// Number of the recipient and of the message in `TO:<2.17@y.example>`; the former is a letter for a sender.
pub(super) fn address(argument: &str) -> (String, u32) {
    let path = argument.split(['<', '>']).nth(1).unwrap();
    let (_, rest) = path.split_once('.').unwrap();
    (path.to_owned(), rest.split('@').next().unwrap().parse().unwrap())
}

fn say(text: &str) -> Turn {
    Turn::Say(text.to_owned())
}

fn fault(chance: &mut Chance) -> (At, Turn) {
    let at = match chance.below(7) {
        0 => At::Mail,
        recipient @ 1..=2 => At::Rcpt(recipient - 1),
        3 => At::Data,
        4 => At::Middle,
        _ => At::Final,
    };
    let turn = match (at, chance.below(4)) {
        (At::Middle, _) | (_, 0) => Turn::HangUp,
        // Each costs as long as an answer is waited for.
        _ if chance.below(150) == 0 => Turn::Silence,
        // Its other answers are about a recipient.
        (_, 1) | (At::Rcpt(_), _) => say("421 4.3.2 closing"),
        (_, 2) => say("451 4.3.0 later"),
        _ => say("554 5.6.0 never"),
    };
    (at, turn)
}

impl Row {
    fn draw(number: u32, chance: &mut Chance) -> Self {
        let faults = (0..3).map(|_| (chance.below(3) == 0).then(|| fault(chance))).collect();
        let recipients = (0..=chance.below(3)).map(|_| {
            let mailbox = match chance.below(100) {
                0..55 => Mailbox::Takes,
                55..70 => Mailbox::Refuses,
                70..97 => Mailbox::PutsOff(1 + u32::try_from(chance.below(2)).unwrap()),
                _ => Mailbox::PutsOff(u32::MAX),
            };
            Recipient { mailbox, asked: 0, said: Vec::new(), unheard: 0, is_open: true }
        });
        let (recipients, rest) = (recipients.collect(), Vec::new());
        Self { number, faults, transactions: 0, is_in_transaction: false, recipients, rest }
    }

    /// What is to be done here; what it says of whom is kept.
    fn turn(&mut self, at: At, argument: &str) -> Option<Turn> {
        if at == At::Mail {
            self.transactions += 1;
            self.is_in_transaction = true;
            self.rest = (0..self.recipients.len()).filter(|index| self.recipients[*index].is_open).collect();
        }
        if !self.is_in_transaction || self.rest.is_empty() {
            return None;
        }
        let mark = format!("{}.{}", self.number, self.transactions);
        let fault = self.faults.get(self.transactions - 1).and_then(Option::as_ref);
        if let Some((_, turn)) = fault.filter(|(here, _)| *here == at).cloned() {
            return Some(self.go_wrong(at, turn, &mark));
        }
        match at {
            At::Rcpt(_) => {
                let index: usize = address(argument).0.split('.').next().unwrap().parse().unwrap();
                let recipient = &mut self.recipients[index];
                recipient.asked += 1;
                let (reply, outcome) = match recipient.mailbox {
                    Mailbox::Refuses => (format!("550 5.1.1 no {index}.{mark}"), "failed"),
                    Mailbox::PutsOff(times) if recipient.asked <= times => {
                        (format!("450 4.2.1 busy {index}.{mark}"), "deferred")
                    }
                    _ => return None,
                };
                self.rest.retain(|other| *other != index);
                self.keep(&[index], outcome, &format!("{reply} ("), false);
                Some(Turn::Say(reply))
            }
            At::Final => {
                let reply = format!("250 2.0.0 queued {mark}");
                let taken = std::mem::take(&mut self.rest);
                self.keep(&taken, "delivered", &format!("{reply} ("), false);
                Some(Turn::Say(reply))
            }
            _ => None,
        }
    }

    fn go_wrong(&mut self, at: At, turn: Turn, mark: &str) -> Turn {
        self.is_in_transaction = false;
        let about = std::mem::take(&mut self.rest);
        if at == At::Final && turn == Turn::HangUp {
            for index in &about {
                self.recipients[*index].unheard += 1;
            }
        }
        let (turn, outcome, text) = match turn {
            Turn::Say(reply) => {
                let reply = format!("{reply} {mark}");
                let outcome = if reply.starts_with('5') { "failed" } else { "deferred" };
                (Turn::Say(reply.clone()), outcome, format!("{reply} ("))
            }
            Turn::HangUp => (turn, "deferred", "the connection was lost ".to_owned()),
            Turn::Silence => (turn, "deferred", "took too long ".to_owned()),
        };
        let ends_it = !matches!(&turn, Turn::Say(reply) if !reply.starts_with("421"));
        self.keep(&about, outcome, &text, at == At::Mail && ends_it);
        turn
    }

    /// `text` is a reply, or a part of what is recorded.
    fn keep(&mut self, about: &[usize], outcome: &'static str, text: &str, may_be_repeated: bool) {
        for index in about {
            let recipient = &mut self.recipients[*index];
            recipient.said.push(Said { outcome, text: text.to_owned(), may_be_repeated });
            recipient.is_open &= outcome == "deferred";
        }
    }
}

impl Ledger {
    pub(super) fn draw(mut chance: Chance, count: u32) -> Self {
        // Messages are counted from 1.
        let rows = (0..=count).map(|number| Row::draw(number, &mut chance)).collect();
        Self { rows: Mutex::new(rows), chance: Mutex::new(chance), faults: Mutex::default() }
    }

    /// The recipients of a message.
    pub(super) fn paths(&self, number: u32) -> Vec<String> {
        let recipients = 0..self.rows.lock().unwrap()[number as usize].recipients.len();
        recipients.map(|index| format!("{index}.{number}@y.example")).collect()
    }

    /// What a next hop does here.
    pub(super) fn turn(&self, at: At, said: &str) -> Option<Turn> {
        let turn = match at {
            At::Greeting | At::Ehlo | At::Next => self.about_the_connection(at),
            At::Helo | At::Rset => None,
            _ => self.rows.lock().unwrap()[address(said).1 as usize].turn(at, said),
        }?;
        if !matches!(&turn, Turn::Say(reply) if reply.starts_with('2')) {
            let what = if let Turn::Say(reply) = &turn { reply[..3].to_owned() } else { format!("{turn:?}") };
            *self.faults.lock().unwrap().entry(format!("{at:?} {what}")).or_default() += 1;
        }
        Some(turn)
    }

    fn about_the_connection(&self, at: At) -> Option<Turn> {
        let mut chance = self.chance.lock().unwrap();
        if chance.below(30) > 0 {
            return None;
        }
        Some(match (at, chance.below(3)) {
            (At::Next, _) | (_, 0) => Turn::HangUp,
            (At::Greeting, 1) => say("421 4.3.2 busy"),
            (At::Greeting, _) => say("554 5.3.2 no service"),
            // HELO will do.
            (_, 1) => say("502 5.5.1 what"),
            _ => say("451 4.3.0 busy"),
        })
    }

    /// Everything that was said: by recipient, with how often it was taken unheard.
    pub(super) fn said(&self) -> Vec<(String, Vec<Said>, usize)> {
        let rows = self.rows.lock().unwrap();
        let of_row = |row: &Row| {
            let of_it = |(index, recipient): (usize, &Recipient)| {
                let path = format!("{index}.{}@y.example", row.number);
                (path, recipient.said.clone(), recipient.unheard)
            };
            row.recipients.iter().enumerate().map(of_it).collect::<Vec<_>>()
        };
        rows.iter().skip(1).flat_map(of_row).collect()
    }

    /// How often each fault happened.
    pub(super) fn faults(&self) -> BTreeMap<String, u32> {
        self.faults.lock().unwrap().clone()
    }
}
