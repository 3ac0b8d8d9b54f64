//! What was sent, what was said to it, and whether deliveries and records agree.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::mail;
use harness::mail_scene::{Scene, trace_fields};
use harness::originator::{Originator, Reply};
use harness::records;
use serde_json::Value;

use super::{Engines, FAULTY, HEALTHY, ORIGINATORS, Outcome, SESSIONS};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Clean,
    /// Clean, and too large to be kept in memory.
    Large,
    /// Found without any engine.
    Eicar,
    /// Only the engine that fails minds it.
    ForFaulty,
    /// Only the other one does.
    ForHealthy,
}

impl Kind {
    /// Every fourth is infected, whatever the engine does that fails.
    pub(super) fn of(number: usize) -> Self {
        match number % 8 {
            3 => Self::Eicar,
            7 => Self::ForHealthy,
            1 => Self::Large,
            5 => Self::ForFaulty,
            _ => Self::Clean,
        }
    }

    fn message(self, engines: &Engines<'_>, name: &str) -> Vec<u8> {
        match self {
            Self::Clean => mail::note(name),
            Self::Large => mail::with_attachment(name, "large.bin", &vec![b'x'; LARGE]),
            Self::Eicar => mail::infected(name),
            Self::ForFaulty => mail::marked(name, engines.faulty.0),
            Self::ForHealthy => mail::marked(name, engines.healthy.0),
        }
    }

    /// The reply to it.
    fn code(self, outcome: Outcome) -> u16 {
        match (self, outcome) {
            (Self::Eicar | Self::ForHealthy, _) | (Self::ForFaulty, Outcome::Verdict) => 554,
            (_, Outcome::None(_)) => 451,
            (_, Outcome::Unseen(_) | Outcome::Verdict) => 250,
        }
    }
}

/// More than of a message stays in memory.
const LARGE: usize = 100_000;

/// What was sent, and what was said to it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    accepted: Vec<Vec<u8>>,
    refused: usize,
    put_off: usize,
    /// How long a final reply took at most.
    pub(super) slowest: Duration,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} 250, {} 451, {} 554, slowest {:?}",
            self.accepted.len(),
            self.put_off,
            self.refused,
            self.slowest
        )
    }
}

impl Sent {
    pub(super) fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused += other.refused;
        self.put_off += other.put_off;
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Sends a message, whose reply must be that of its kind.
    pub(super) fn send(
        &mut self,
        originator: &mut Originator,
        engines: &Engines<'_>,
        kind: Kind,
        outcome: Outcome,
        name: &str,
    ) {
        let reply = self.exchange(originator, &kind.message(engines, name));
        assert_eq!(reply.code, kind.code(outcome), "{name}, {kind:?}: {reply:?}");
        let found = match kind {
            Kind::ForHealthy => engines.healthy.1,
            Kind::ForFaulty if reply.code == 554 => engines.faulty.1,
            _ => return,
        };
        assert!(reply.text().contains(found), "{name}: {reply:?}");
    }

    /// The same where an engine may be back or not.
    pub(super) fn send_any(
        &mut self,
        originator: &mut Originator,
        engines: &Engines<'_>,
        kind: Kind,
        name: &str,
    ) -> u16 {
        self.exchange(originator, &kind.message(engines, name)).code
    }

    fn exchange(&mut self, originator: &mut Originator, message: &[u8]) -> Reply {
        let since = Instant::now();
        let reply = originator.mail(message);
        self.slowest = self.slowest.max(since.elapsed());
        match reply.code {
            250 => self.accepted.push(message.to_vec()),
            451 => self.put_off += 1,
            554 => self.refused += 1,
            _ => panic!("nobody was to say this: {reply:?}"),
        }
        reply
    }

    /// Fails unless what was accepted is at the next hop, once, octet for octet, and nothing else is.
    pub(super) fn expect_arrived(&self, scene: &Scene<'_>) {
        let mut deliveries = scene.next_hop.wait_for_deliveries(self.accepted.len());
        assert_eq!(
            deliveries.len(),
            self.accepted.len(),
            "what was accepted is there, once, and nothing else"
        );
        for message in &self.accepted {
            let at = deliveries.iter().position(|delivery| delivery.octets.ends_with(message));
            trace_fields(&deliveries.swap_remove(at.expect("it has arrived")), message);
        }
    }

    /// Fails unless the records say of the sessions what was said to them, and name the engine that failed and how.
    fn expect_recorded(&self, all: &[Value], outcome: Outcome) {
        let sum = |field: &str| {
            let counts = records::of_event(all, "account").into_iter().map(|account| account[field].as_u64());
            usize::try_from(counts.flatten().sum::<u64>()).expect("a small number")
        };
        let said = (self.accepted.len(), self.refused, self.put_off);
        assert_eq!((sum("delivered"), sum("refused"), sum("deferred")), said, "accounts");
        let replied = |code: u64| {
            let replies = records::of_event(all, "replied");
            replies.into_iter().filter(|reply| reply["code"] == code).count()
        };
        assert_eq!((replied(250), replied(554), replied(451)), said, "replies");
        self.expect_judged(all, outcome);
    }

    fn expect_judged(&self, all: &[Value], outcome: Outcome) {
        let key = |record: &Value| (record["session"].to_string(), record["message"].to_string());
        let mut opinions = HashMap::new();
        for opinion in records::of_event(all, "engine") {
            opinions.insert((key(opinion), opinion["engine"].as_str().unwrap_or_default()), opinion);
        }
        let (mut put_off, mut unseen) = (0, 0);
        for judged in records::of_event(all, "judged") {
            if judged["verdict"] != "engine_error" {
                continue;
            }
            let of = |engine| opinions.get(&(key(judged), engine)).expect("an engine's opinion");
            let (opinion, detail) = (of(FAULTY), of(FAULTY)["detail"].as_str().unwrap_or_default());
            let (Outcome::None(details) | Outcome::Unseen(details)) = outcome else {
                panic!("nothing was to fail: {judged} {opinion}");
            };
            assert_eq!(opinion["result"], "error", "{judged} {opinion}");
            assert!(details.iter().any(|known| detail.contains(known)), "{opinion}");
            assert_eq!(of(HEALTHY)["result"], "clean", "{judged}");
            match judged["action"].as_str() {
                Some("defer") => put_off += 1,
                Some("pass") => unseen += 1,
                _ => panic!("{judged}"),
            }
        }
        assert_eq!(put_off, self.put_off, "put off for the engine");
        assert_eq!(unseen > 0, matches!(outcome, Outcome::Unseen(_)), "{unseen} went on unseen");
    }
}

/// Fails unless the records say what was sent in each trial, one behind the other.
pub(super) fn expect_recorded(scene: &Scene<'_>, trials: &[(Sent, Outcome)]) {
    let all = scene.accounts(trials.len() * SESSIONS);
    let of = |account: &&Value| account["session"].as_str().unwrap_or_default().to_owned();
    let mut sessions: Vec<_> = records::of_event(&all, "account").iter().map(of).collect();
    // Their names begin with the time (RFC 9562 §5.7).
    sessions.sort();
    assert_eq!(sessions.len(), trials.len() * SESSIONS, "an account for each session");
    let mut records: HashMap<String, Vec<Value>> = HashMap::new();
    for record in all {
        records.entry(of(&&record)).or_default().push(record);
    }
    for ((sent, outcome), sessions) in trials.iter().zip(sessions.chunks(SESSIONS)) {
        let own: Vec<_> = sessions.iter().filter_map(|session| records.remove(session)).flatten().collect();
        sent.expect_recorded(&own, *outcome);
    }
}

/// Sends so many messages in several sessions at a time.
pub(super) fn in_parallel(
    scene: &Scene<'_>,
    count: usize,
    send: impl Fn(&mut Sent, &mut Originator, usize) + Sync,
) -> Sent {
    let (client, server) = (&scene.topology.client, scene.next_hop.address());
    let (next, mut all) = (AtomicUsize::new(0), Sent::default());
    std::thread::scope(|scope| {
        let work = || {
            let mut sent = Sent::default();
            let mut originator = Originator::greeted(client, server);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                send(&mut sent, &mut originator, number);
            }
            originator.say("QUIT").expect(221);
            sent
        };
        let sessions: Vec<_> = (0..ORIGINATORS).map(|_| scope.spawn(work)).collect();
        for session in sessions {
            match session.join() {
                Ok(sent) => all.add(sent),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all
}
