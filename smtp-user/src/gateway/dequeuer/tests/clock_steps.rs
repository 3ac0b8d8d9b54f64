//! The time of day is set while mail waits: nothing is given up for it, nothing waits longer, and nothing is tried sooner.

use std::collections::HashMap;

use super::crowd::{assert_near, depth, put_all};
use super::*;
use crate::delivery::destination::Destination;
use crate::delivery::schedule::Job;
use crate::model::queued_message::{QueuedRecipient, RecipientState};

/// DNS fails for all of them: whatever is tried waits again.
const DOMAINS: u32 = 50;
/// Ten minutes, doubled three times, and a tenth: no wait is longer.
const LONGEST: Duration = Duration::from_mins(88);
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

fn domain(side: char, number: u32) -> Destination {
    Destination::Domain("r".to_owned(), format!("{side}{}.example", number % DOMAINS))
}

/// One recipient that failed so often and waits for some time.
fn waiting(side: char, number: u32, attempts: u32) -> QueuedRecipient {
    let mut recipient = QueuedRecipient::new(&format!("x@{side}{}.example", number % DOMAINS));
    if attempts > 0 {
        // Between a half and all of the wait is left: the test is over before anything is due.
        let share = u64::from(number % 50) + 51;
        let next_attempt = NOW + (10 << (attempts - 1).min(3)) * 60 * share * 10_000;
        recipient.state = RecipientState::Pending { attempts, last: None, next_attempt };
    }
    recipient
}

/// Messages with two destinations each, new ones among them, and some for a hundred.
fn messages(count: u32) -> Vec<QueuedMessage> {
    let of = |number: u32| {
        let mut message = message(number, &[]);
        let attempts = number % 8;
        message.attempts = 2 * attempts;
        message.recipients = vec![waiting('a', number, attempts), waiting('b', number / 7, attempts)];
        if number.is_multiple_of(250) {
            message.attempts = 2 * DOMAINS;
            let each = |number| [waiting('a', number, 1), waiting('b', number, 1)];
            message.recipients = (0..DOMAINS).flat_map(each).collect();
        }
        message
    };
    (1..=count).map(of).collect()
}

async fn queued(count: u32) -> Rig {
    let failing = |zone: Zone, number| {
        zone.failing(&format!("a{number}.example")).failing(&format!("b{number}.example"))
    };
    let zone = (0..DOMAINS).fold(Zone::default(), failing);
    let routing = Routing { use_mx: true, ..Routing::default() };
    // Some are late, whatever the clock says: nobody is told here.
    let settings = Settings { delay_warning: Duration::ZERO, ..Settings::default() };
    let rig = rig(settings, routing, zone, Vec::new()).await;
    put_all(&rig.spool, messages(count)).await;
    rig.at_rest().await;
    rig
}

impl Rig {
    fn dues(&self) -> HashMap<Job, u64> {
        self.dequeuer.shared.schedule().dues()
    }

    /// Sets the clock.
    fn step(&self, micros: i64) {
        self.clock.0.fetch_add(micros.cast_unsigned(), Ordering::Relaxed);
    }

    /// Tries all that waits for a destination, and nothing else. Nothing else waits longer or shorter for it; what was tried
    /// waits as it is configured. Gives how much was tried.
    async fn only_one_destination_is_tried(&self, destination: &Destination) -> usize {
        let before = self.dues();
        let shared = &self.dequeuer.shared;
        let began = shared.now();
        shared.flush(Some(destination));
        self.at_rest().await;
        let after = self.dues();
        assert_eq!(before.len(), after.len());
        let mut tried = 0;
        for (job, due) in &after {
            if job.destination != *destination {
                assert_eq!(before.get(job), Some(due), "{job:?} waits for another time");
                continue;
            }
            tried += 1;
            let message = self.spool.load(job.message).unwrap().1;
            let is_its = |path: &str| path.rsplit_once('@').unwrap().1 == destination.to_string();
            let recipient = message.pending().find(|recipient| is_its(&recipient.path)).unwrap();
            let minutes = 10 << (recipient.state.attempts() - 1).min(3);
            let wait = recipient.state.next_attempt().unwrap() - self.clock.unix_micros();
            assert_near(Duration::from_micros(wait), Duration::from_mins(minutes));
            assert!((began + wait / 1000..=shared.now() + wait / 1000).contains(due));
        }
        tried
    }

    /// Nothing is due later than a wait from now.
    fn check_that_nothing_is_stuck(&self) {
        let latest = self.dequeuer.shared.now() + u64::try_from(LONGEST.as_millis()).unwrap();
        let stuck: Vec<_> = self.dues().into_iter().filter(|(_, due)| *due > latest).collect();
        assert!(stuck.is_empty(), "{} of them, as {:?}", stuck.len(), stuck[0]);
    }

    /// Nothing happened to any recipient but that it was tried in vain. Gives how often.
    async fn attempts_in_vain(&self) -> usize {
        let told = self.told().await;
        let other = told.iter().find(|told| told.outcome != "deferred");
        assert!(other.is_none(), "{:?}", other.map(|told| (&told.outcome, &told.recipients)));
        told.len()
    }

    /// The same spool in another process.
    async fn restarted(self) -> Self {
        let shared = Arc::clone(&self.dequeuer.shared);
        self.dequeuer.stop().await;
        let found = self.spool.all().into_iter().map(|(id, _)| self.spool.load(id).unwrap()).collect();
        let (setup, recorder) = ((*shared.setup()).clone(), shared.recorder.clone());
        let clock = Arc::clone(&self.clock) as _;
        let dequeuer = Dequeuer::start(self.spool.clone(), found, setup, recorder, clock);
        let rig = Self { dequeuer, ..self };
        rig.at_rest().await;
        rig
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_waits_as_it_did_when_the_clock_is_set() {
    let count = depth(2000, 10_000);
    let rig = queued(count).await;
    let mut expected = rig.attempts_in_vain().await;
    assert_eq!(expected, 2 * (count / 8) as usize - 2 * (count / 1000) as usize);
    let steps = [SECOND, -SECOND, HOUR, -HOUR, -DAY, 10 * YEAR, -10 * YEAR, 10 * YEAR];
    for (number, step) in (0..).zip(steps) {
        rig.step(step);
        let side = if number % 2 == 0 { 'a' } else { 'b' };
        expected += rig.only_one_destination_is_tried(&domain(side, number)).await;
        rig.check_that_nothing_is_stuck();
    }
    // Smeared: two seconds less in each minute of a day, as far as the schedule is asked meanwhile.
    for number in 0..20 {
        for _ in 0..72 {
            rig.step(-2 * SECOND);
        }
        if number % 5 == 0 {
            expected += rig.only_one_destination_is_tried(&domain('b', number)).await;
        }
    }
    rig.check_that_nothing_is_stuck();
    assert_eq!(rig.spool.count(), u64::from(count));
    assert_eq!(rig.attempts_in_vain().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stuck_or_given_up_by_who_starts_with_another_clock() {
    let count = depth(240, 2000);
    let mut rig = queued(count).await;
    let mut before = rig.attempts_in_vain().await;
    let all = rig.dues().len();
    for (step, most) in [(-DAY, 0), (DAY - HOUR, 0), (HOUR - SECOND, 0), (10 * YEAR, all), (-10 * YEAR, 0)] {
        rig.step(step);
        rig = rig.restarted().await;
        rig.check_that_nothing_is_stuck();
        let attempts = rig.attempts_in_vain().await;
        // Nobody can tell a clock that was set ahead from a gateway that was away: everything is tried, and once.
        assert_eq!(attempts - before, most, "after a step of {step} us");
        rig = rig.restarted().await;
        before = rig.attempts_in_vain().await;
        assert_eq!(attempts, before, "tried again though the clock was not set");
    }
    assert_eq!(rig.spool.count(), u64::from(count));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_elsewhere_moves_no_wait_when_the_clock_was_set() {
    for step in [HOUR, -DAY, 10 * YEAR, -10 * YEAR] {
        let rig = queued(1).await;
        rig.step(step);
        assert_eq!(rig.only_one_destination_is_tried(&domain('a', 1)).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailing_list_is_not_given_up_when_the_clock_is_set_ahead() {
    let zone = (0..100).fold(Zone::default(), |zone, number| zone.failing(&format!("d{number}.example")));
    let routing = Routing { use_mx: true, ..Routing::default() };
    let rig = rig(Settings::default(), routing, zone, Vec::new()).await;
    let paths: Vec<String> = (0..100).map(|number| format!("x@d{number}.example")).collect();
    rig.step(10 * YEAR);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    put_all(&rig.spool, vec![message(1, &paths)]).await;
    rig.at_rest().await;
    assert_eq!((rig.attempts_in_vain().await, rig.only().attempts), (100, 100));
}
