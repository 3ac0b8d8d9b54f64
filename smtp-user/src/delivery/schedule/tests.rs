//! Destinations do not hold each other up, and bounds are kept, whatever the order of events.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{Bounds, Health, Job, Schedule};
use crate::delivery::destination::Destination;
use crate::delivery::retry::Retry;
use crate::model::session_id::{MessageId, SessionId};

fn message(number: u32) -> MessageId {
    MessageId { session: SessionId::new(0, [0; 10]), number }
}

fn domain(name: &str) -> Destination {
    Destination::Domain("r".to_owned(), name.to_owned())
}

fn job(number: u32, name: &str) -> Job {
    Job { message: message(number), destination: domain(name) }
}

fn bounds(in_all: u32, per_site: u32) -> Bounds {
    let retry = Retry { resend_period: Duration::from_mins(10), abandon_time: Duration::from_hours(120) };
    Bounds { in_all, per_site, retry }
}

#[test]
fn one_black_hole_costs_a_hundred_good_destinations_nothing() {
    let mut schedule = Schedule::new(bounds(5, 2));
    for number in 0..50 {
        schedule.add(job(number, "hole.example"), 0);
    }
    for number in 100..200 {
        schedule.add(job(number, &format!("good{number}.example")), 0);
    }
    // A call of the black hole takes 30 s, of a good one 10 ms.
    let mut running: Vec<(u64, Job)> = Vec::new();
    let (mut now, mut delivered, mut last) = (0, 0, 0);
    while delivered < 100 {
        while let Some(job) = schedule.next(now) {
            let takes = if job.destination == domain("hole.example") { 30_000 } else { 10 };
            running.push((now + takes, job));
        }
        let first = running.iter().enumerate().min_by_key(|(_, (end, _))| *end).unwrap().0;
        let (end, job) = running.swap_remove(first);
        now = end;
        let is_hole = job.destination == domain("hole.example");
        schedule.done(&job, if is_hole { Health::Silent } else { Health::Answers }, now);
        if !is_hole {
            delivered += 1;
            last = now;
        }
    }
    assert!(last < 10_000, "the last good message was delivered after {last} ms");
}

#[test]
fn many_black_holes_leave_half_of_the_connections() {
    let mut schedule = Schedule::new(bounds(10, 10));
    let mut now = 0;
    for number in 0..100 {
        schedule.add(job(number, &format!("hole{number}.example")), 0);
    }
    while let Some(job) = schedule.next(now) {
        now += 1;
        schedule.done(&job, Health::Silent, now);
    }
    for number in 0..100 {
        schedule.add(job(number, &format!("hole{number}.example")), 0);
    }
    schedule.flush(None, now);
    let silent = std::iter::from_fn(|| schedule.next(now)).count();
    assert_eq!(silent, 5);
    schedule.add(job(1000, "good.example"), now);
    assert_eq!(schedule.next(now).unwrap(), job(1000, "good.example"));
}

#[test]
fn a_silent_destination_is_called_once_at_a_time_and_later_each_time() {
    let mut schedule = Schedule::new(bounds(10, 5));
    for number in 0..20 {
        schedule.add(job(number, "hole.example"), 0);
    }
    let first: Vec<Job> = std::iter::from_fn(|| schedule.next(0)).collect();
    assert_eq!(first.len(), 5);
    for job in &first {
        schedule.done(job, Health::Silent, 30_000);
    }
    let mut now = 30_000;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let due = schedule.quiet_until(&domain("hole.example")).unwrap();
        assert!(schedule.next(due - 1).is_none());
        let probe = schedule.next(due).unwrap();
        assert!(schedule.next(due).is_none(), "one call at a time");
        waits.push((due - now + 500) / 1000);
        now = due;
        schedule.done(&probe, Health::Silent, now);
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 2400]);
    // Once it answers, everything goes at once.
    now = schedule.quiet_until(&domain("hole.example")).unwrap();
    let probe = schedule.next(now).unwrap();
    schedule.done(&probe, Health::Answers, now);
    assert_eq!(std::iter::from_fn(|| schedule.next(now)).count(), 5);
}

#[test]
fn what_is_due_while_its_destination_is_left_alone_is_put_off_without_a_call() {
    let (mut schedule, hole) = (Schedule::new(bounds(10, 1)), domain("hole.example"));
    for number in 0..4 {
        schedule.add(job(number, "hole.example"), 0);
    }
    let first = schedule.next(0).unwrap();
    assert_eq!(schedule.next_put_off(0), None, "it may answer");
    schedule.done(&first, Health::Silent, 1000);
    schedule.recorded(&first);
    schedule.add(first, 700_000);
    assert!(schedule.next_due().is_some_and(|due| due <= 1000));
    let put_off: Vec<Job> = std::iter::from_fn(|| schedule.next_put_off(1000)).collect();
    assert_eq!(put_off, [1, 2, 3].map(|number| job(number, "hole.example")));
    for job in put_off {
        schedule.add(job.clone(), 1);
        assert!(!schedule.knows(&job), "nothing else is done about it until that is written down");
        schedule.recorded(&job);
        schedule.add(job, 800_000);
    }
    assert!(schedule.quiet_until(&hole).is_some_and(|quiet| quiet < 700_000));
    assert_eq!((schedule.next_put_off(699_999), schedule.next_due()), (None, Some(700_000)));
    let again = schedule.next(700_000).unwrap();
    assert_eq!((&again, schedule.next_put_off(700_000)), (&job(0, "hole.example"), None));
    schedule.add(job(4, "hole.example"), 900_000);
    schedule.done(&again, Health::Answers, 700_001);
    // It answers: what was put off goes at once.
    let mut dues: Vec<(u64, u32)> =
        schedule.dues().into_iter().map(|(job, due)| (due, job.message.number)).collect();
    dues.sort_unstable();
    assert_eq!(dues, [(700_001, 1), (700_001, 2), (700_001, 3), (900_000, 4)]);
}

#[test]
fn a_message_to_a_host_that_is_gone_is_tried_or_put_off_at_its_own_time_however_many_there_are() {
    const MINUTE: u64 = 60_000;
    let mut schedule = Schedule::new(bounds(10, 10));
    let retry = bounds(10, 10).retry;
    let mut attempts = std::collections::HashMap::new();
    for number in 0..500 {
        schedule.add(job(number, "hole.example"), u64::from(number));
    }
    let (mut now, mut calls) = (0, 0);
    while now < 5 * 24 * 60 * MINUTE {
        let ended: Vec<Job> = std::iter::from_fn(|| {
            let next = schedule.next(now).inspect(|job| {
                calls += 1;
                schedule.done(job, Health::Silent, now);
            });
            next.or_else(|| schedule.next_put_off(now))
        })
        .collect();
        for job in ended {
            let count: &mut u32 = attempts.entry(job.message).or_default();
            *count += 1;
            let wait = super::millis(retry.wait(*count, u32::MAX / 2));
            schedule.recorded(&job);
            schedule.add(job, now + wait);
        }
        now = schedule.next_due().unwrap().max(now + 1);
    }
    let least = attempts.values().min().unwrap();
    // As one alone is tried.
    assert!(attempts.len() == 500 && *least >= 92, "{} messages, {least}", attempts.len());
    assert!(calls < 250, "{calls} calls");
}

#[test]
fn a_connection_takes_what_waits_for_its_destination() {
    let mut schedule = Schedule::new(bounds(10, 1));
    for number in 0..3 {
        schedule.add(job(number, "a.example"), 0);
    }
    let first = schedule.next(0).unwrap();
    assert_eq!(schedule.next_of(&domain("a.example"), 0), None, "one connection is allowed");
    let second = schedule.exchange(&first, Health::Answers, 0).unwrap();
    assert_eq!(second, job(1, "a.example"));
    assert_eq!(schedule.exchange(&second, Health::Silent, 0), None, "nobody would hear it");
    assert_eq!(schedule.in_work(), 1, "the place is kept until the connection is gone");
    assert_eq!(schedule.next_of(&domain("b.example"), 0), None);
}

#[test]
fn what_is_forgotten_is_not_done() {
    let mut schedule = Schedule::new(bounds(10, 10));
    schedule.add(job(1, "a.example"), 0);
    schedule.add(job(1, "b.example"), 0);
    schedule.add(job(2, "b.example"), 0);
    schedule.forget(message(1));
    assert_eq!(schedule.next(0), Some(job(2, "b.example")));
    assert_eq!(schedule.next(0), None);
}

#[test]
fn a_job_that_is_in_work_is_not_begun_twice() {
    let mut schedule = Schedule::new(bounds(10, 10));
    schedule.add(job(1, "a.example"), 0);
    let running = schedule.next(0).unwrap();
    schedule.add(job(1, "a.example"), 0);
    assert_eq!(schedule.next(0), None);
    schedule.done(&running, Health::Answers, 0);
    schedule.add(job(1, "a.example"), 5);
    assert_eq!(schedule.next(4), None);
    assert_eq!(schedule.next(5), Some(job(1, "a.example")));
}

#[test]
fn a_job_that_is_not_written_down_is_not_begun_again() {
    let mut schedule = Schedule::new(bounds(10, 1));
    schedule.add(job(1, "a.example"), 0);
    schedule.add(job(2, "a.example"), 0);
    let first = schedule.next(0).unwrap();
    let second = schedule.exchange(&first, Health::Answers, 0).unwrap();
    schedule.add(first.clone(), 0);
    schedule.done(&second, Health::Answers, 0);
    assert_eq!(schedule.next(0), None);
    schedule.recorded(&first);
    schedule.add(first.clone(), 0);
    assert_eq!(schedule.next(0), Some(first));
}

#[test]
fn fewer_connections_than_before_leave_no_job_behind() {
    let mut schedule = Schedule::new(bounds(2, 2));
    for number in 0..3 {
        schedule.add(job(number, "a.example"), 0);
    }
    let (first, second) = (schedule.next(0).unwrap(), schedule.next(0).unwrap());
    schedule.set_bounds(bounds(1, 1));
    assert_eq!(schedule.exchange(&first, Health::Answers, 0), None);
    for ended in [&first, &second] {
        schedule.done(ended, Health::Answers, 0);
        schedule.recorded(ended);
    }
    schedule.add(first.clone(), 0);
    let mut begun = Vec::new();
    while let Some(job) = schedule.next(0) {
        schedule.done(&job, Health::Answers, 0);
        begun.push(job.message);
    }
    begun.sort();
    assert_eq!(begun, [message(0), message(2)]);
}

proptest! {
    /// Bounds hold after every event, nothing is lost, and nothing is in work twice.
    #[test]
    fn bounds_hold_and_nothing_is_lost(
        events in proptest::collection::vec((0_u8..5, 0_u32..12, 0_u8..4, 0_u64..2000), 1..300),
    ) {
        let (in_all, per_site) = (4, 2);
        let mut schedule = Schedule::new(bounds(in_all, per_site));
        let mut known: HashSet<Job> = HashSet::new();
        let mut running: Vec<Job> = Vec::new();
        let mut now = 0;
        for (what, number, site, pause) in events {
            now += pause;
            match what {
                0 => {
                    let job = job(number, &format!("{site}.example"));
                    if !running.contains(&job) {
                        known.insert(job.clone());
                    }
                    schedule.add(job, now + u64::from(number));
                }
                1 => {
                    if let Some(job) = schedule.next(now) {
                        prop_assert!(known.remove(&job), "{job:?} was not added or is in work");
                        running.push(job);
                    }
                }
                2 => {
                    if let Some(job) = schedule.next_put_off(now) {
                        prop_assert!(known.remove(&job), "{job:?} was not added or is in work");
                        schedule.recorded(&job);
                    }
                }
                _ => {
                    if !running.is_empty() {
                        let job = running.swap_remove(number as usize % running.len());
                        schedule.done(&job, if what == 3 { Health::Answers } else { Health::Silent }, now);
                    }
                }
            }
            let mut of_site: HashMap<&Destination, u32> = HashMap::new();
            for job in &running {
                *of_site.entry(&job.destination).or_default() += 1;
            }
            prop_assert!(running.len() as u32 <= in_all);
            prop_assert!(of_site.values().all(|count| *count <= per_site));
            prop_assert_eq!(schedule.in_work() as usize, running.len());
            prop_assert_eq!(schedule.waiting(), known.len());
        }
        for job in running.drain(..) {
            schedule.done(&job, Health::Answers, now);
        }
        // However long it takes, everything comes to its turn.
        let mut rounds = 0;
        while !known.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 1000);
            now = now.max(schedule.next_due().expect("something waits"));
            while let Some(job) = schedule.next(now) {
                prop_assert!(known.remove(&job));
                schedule.done(&job, Health::Answers, now);
            }
            while let Some(job) = schedule.next_put_off(now) {
                prop_assert!(known.remove(&job));
                schedule.recorded(&job);
            }
        }
    }
}

#[test]
fn one_message_for_a_silent_destination_is_tried_at_once_and_the_others_wait() {
    let mut schedule = Schedule::new(bounds(10, 5));
    schedule.add(job(1, "hole.example"), 0);
    let first = schedule.next(0).unwrap();
    schedule.done(&first, Health::Silent, 1000);
    let due = 600_000;
    for number in 1..=20 {
        schedule.add(job(number, "hole.example"), due);
    }
    schedule.forget(message(7));
    schedule.call(&domain("hole.example"), 2000);
    schedule.add(job(7, "hole.example"), 2000);
    assert!(schedule.next_put_off(2000).is_none());
    assert_eq!(schedule.next(2000).unwrap(), job(7, "hole.example"));
    assert!(schedule.next(2000).is_none());
    schedule.done(&job(7, "hole.example"), Health::Answers, 2100);
    assert!(schedule.next(due - 1).is_none());
}
