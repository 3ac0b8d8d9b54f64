//! Many messages at a time: how they come in, when all of them rest, and what the records say of them.

use std::collections::HashMap;

use tokio::task::JoinSet;

use super::*;

/// How many are tried every time, or with `POSTERN_FAULTS=full`.
pub(super) fn depth(short: u32, full: u32) -> u32 {
    if std::env::var("POSTERN_FAULTS").as_deref() == Ok("full") { full } else { short }
}

/// Takes messages in, many at the same time: they share syncs.
pub(super) async fn put_all(spool: &Spool, mut messages: Vec<QueuedMessage>) {
    spool.intake().set_limit(None);
    while !messages.is_empty() {
        let mut tasks = JoinSet::new();
        for message in messages.drain(messages.len().saturating_sub(500)..) {
            let spool = spool.clone();
            tasks.spawn(async move { put(&spool, message).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }
}

/// What the records say was done about messages of the fixture.
pub(super) struct Told {
    pub(super) number: u32,
    pub(super) time: String,
    pub(super) outcome: String,
    pub(super) recipients: Vec<String>,
    pub(super) why: String,
}

impl Rig {
    /// Waits until nothing is in work and nothing is due.
    pub(super) async fn at_rest(&self) {
        let shared = &self.dequeuer.shared;
        let rests = || shared.schedule().is_at_rest(shared.now());
        // What is in nobody's hand at this moment is not forgotten, but about to be.
        let all = || rests() && shared.forgotten(&HashMap::new()).is_empty() && rests();
        until_within(Duration::from_mins(10), "all is done that is due", all).await;
    }

    /// Sets the clock to so much later.
    pub(super) fn later(&self, wait: Duration) {
        self.clock.0.fetch_add(u64::try_from(wait.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// How often messages were tried that are still to be, after each having been compared with the schedule: waits of
    /// 10, 20, 40 and then always 80 minutes, a tenth more or less.
    pub(super) fn check_waits(&self) -> u32 {
        let mut checked = 0;
        for (id, _) in self.spool.all() {
            let message = self.spool.load(id).unwrap().1;
            for recipient in message.pending().filter(|recipient| recipient.state.attempts() > 0) {
                let minutes = 10 << (recipient.state.attempts() - 1).min(3);
                let tried = message.last_attempt.as_ref().unwrap().at;
                let wait = Duration::from_micros(recipient.state.next_attempt().unwrap() - tried);
                assert_near(wait, Duration::from_mins(minutes));
                checked += 1;
            }
        }
        checked
    }

    /// What the records say, in their order.
    pub(super) async fn told(&self) -> Vec<Told> {
        let recorder = &self.dequeuer.shared.recorder;
        recorder.settle().await;
        assert_eq!(recorder.lost(), 0);
        let session = message(1, &[]).id.session;
        let mut reader = Reader::open(&self.folder.path().join(audit::config::FOLDER), 0).unwrap();
        let mut all = Vec::new();
        while let Some(raw) = reader.next_record().unwrap() {
            let record = raw.parse().unwrap();
            if let SessionEvent::Dequeued { outcome, recipients, why, .. } = record.event
                && record.session == session
            {
                let (number, time) = (record.message.unwrap(), record.time);
                all.push(Told { number, time, outcome, recipients, why });
            }
        }
        all
    }
}

/// A tenth more or less.
pub(super) fn assert_near(wait: Duration, configured: Duration) {
    let allowed = configured.mul_f64(0.9)..=configured.mul_f64(1.1);
    assert!(allowed.contains(&wait), "{wait:?} is not {configured:?}");
}
