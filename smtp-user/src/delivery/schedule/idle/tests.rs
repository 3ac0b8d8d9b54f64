//! Connections that are kept are used first, count, and are in nobody's way.

use std::time::Duration;

use proptest::prelude::*;

use super::Ticket;
use crate::delivery::destination::Destination;
use crate::delivery::retry::Retry;
use crate::delivery::schedule::{Bounds, Health, Job, Schedule};
use crate::model::session_id::{MessageId, SessionId};

fn domain(name: &str) -> Destination {
    Destination::Domain("r".to_owned(), name.to_owned())
}

fn job(number: u32, name: &str) -> Job {
    let message = MessageId { session: SessionId::new(0, [0; 10]), number };
    Job { message, destination: domain(name) }
}

fn schedule(in_all: u32, per_site: u32) -> Schedule {
    let retry = Retry { resend_period: Duration::from_mins(10), abandon_time: Duration::from_hours(120) };
    Schedule::new(Bounds { in_all, per_site, retry })
}

/// Does a message of a destination, and keeps the connection.
fn kept(schedule: &mut Schedule, number: u32, name: &str) -> Ticket {
    let job = job(number, name);
    schedule.add(job.clone(), 0);
    assert_eq!(schedule.next(0).as_ref(), Some(&job));
    assert_eq!(schedule.take_idle(&job.destination), None);
    let ticket = schedule.keep(&job, Health::Answers, 0).unwrap();
    schedule.recorded(&job);
    ticket
}

#[test]
fn the_next_message_goes_over_the_connection_that_is_kept() {
    let mut schedule = schedule(10, 1);
    let ticket = kept(&mut schedule, 1, "a.example");
    assert_eq!((schedule.in_work(), schedule.next(0)), (0, None));
    for number in 2..=3 {
        schedule.add(job(number, "a.example"), 0);
    }
    let next = schedule.next(0).unwrap();
    assert_eq!(schedule.take_idle(&next.destination), Some(ticket));
    assert!(!schedule.withdraw(ticket), "it is in use");
    assert_eq!(schedule.next(0), None, "one connection is allowed");
}

#[test]
fn one_that_is_being_closed_still_counts() {
    let mut schedule = schedule(10, 1);
    let ticket = kept(&mut schedule, 1, "a.example");
    assert!(schedule.withdraw(ticket));
    assert!(!schedule.withdraw(ticket), "it is withdrawn once");
    let next = job(2, "a.example");
    schedule.add(next.clone(), 0);
    assert_eq!(schedule.next(0), None);
    schedule.hung_up(&next.destination);
    assert_eq!(schedule.next(0), Some(next.clone()));
    assert_eq!(schedule.take_idle(&next.destination), None);
}

#[test]
fn none_is_kept_that_does_not_answer() {
    let mut schedule = schedule(10, 10);
    let silent = job(1, "a.example");
    schedule.add(silent.clone(), 0);
    schedule.next(0).unwrap();
    assert_eq!(schedule.keep(&silent, Health::Silent, 0), None);
    assert_eq!(schedule.in_work(), 1, "the place is kept until the connection is gone");
}

#[test]
fn the_one_that_is_kept_longest_makes_way() {
    let mut schedule = schedule(2, 2);
    let first = kept(&mut schedule, 1, "a.example");
    kept(&mut schedule, 2, "b.example");
    assert_eq!(schedule.make_way(0), None, "nobody waits");
    let other = job(3, "c.example");
    schedule.add(other.clone(), 0);
    assert_eq!(schedule.next(0), None);
    assert_eq!(schedule.make_way(0), Some(first));
    assert_eq!(schedule.make_way(0), None, "one is enough");
    assert_eq!(schedule.next(0), None);
    schedule.hung_up(&domain("a.example"));
    assert_eq!(schedule.next(0), Some(other));
}

#[test]
fn a_message_is_not_sent_again_before_it_is_written_down() {
    let mut schedule = schedule(10, 10);
    let done = job(1, "a.example");
    schedule.add(done.clone(), 0);
    schedule.next(0).unwrap();
    schedule.keep(&done, Health::Answers, 0).unwrap();
    schedule.add(done.clone(), 0);
    assert_eq!(schedule.next(0), None);
    schedule.recorded(&done);
    schedule.add(done.clone(), 0);
    assert_eq!(schedule.next(0), Some(done));
}

proptest! {
    /// However connections are kept, taken and closed: bounds hold, and everything comes to its turn.
    #[test]
    fn bounds_hold_with_connections_that_are_kept(
        events in proptest::collection::vec((0_u8..6, 0_u32..40, 0_u8..4), 1..300),
    ) {
        let (in_all, per_site) = (4_usize, 2_usize);
        let mut schedule = schedule(4, 2);
        let (mut running, mut kept, mut closing): (Vec<Job>, Vec<(Ticket, Destination)>, Vec<Destination>) =
            Default::default();
        let begin = |schedule: &mut Schedule, running: &mut Vec<Job>, kept: &mut Vec<(Ticket, Destination)>| {
            let Some(job) = schedule.next(0) else { return false };
            if let Some(ticket) = schedule.take_idle(&job.destination) {
                let place = kept.iter().position(|(known, _)| *known == ticket).expect("it is kept");
                assert_eq!(kept.swap_remove(place).1, job.destination);
            }
            running.push(job);
            true
        };
        for (what, number, site) in events {
            match what {
                0 => schedule.add(job(number, &format!("{site}.example")), 0),
                1 => {
                    begin(&mut schedule, &mut running, &mut kept);
                }
                2 if !running.is_empty() => {
                    let job = running.swap_remove(number as usize % running.len());
                    schedule.done(&job, Health::Answers, 0);
                }
                3 if !running.is_empty() => {
                    let job = running.swap_remove(number as usize % running.len());
                    if let Some(ticket) = schedule.keep(&job, Health::Answers, 0) {
                        kept.push((ticket, job.destination.clone()));
                    } else {
                        schedule.done(&job, Health::Answers, 0);
                    }
                    schedule.recorded(&job);
                }
                4 => {
                    if let Some(ticket) = schedule.make_way(0) {
                        let place = kept.iter().position(|(known, _)| *known == ticket).expect("it is kept");
                        closing.push(kept.swap_remove(place).1);
                    }
                }
                5 if !closing.is_empty() => schedule.hung_up(&closing.swap_remove(0)),
                _ => {}
            }
            let mut open: Vec<&Destination> = running.iter().map(|job| &job.destination).collect();
            open.extend(kept.iter().map(|(_, destination)| destination).chain(&closing));
            prop_assert!(open.len() <= in_all);
            for destination in &open {
                prop_assert!(open.iter().filter(|other| other == &destination).count() <= per_site);
            }
        }
        let mut rounds = 0;
        while schedule.waiting() > 0 {
            rounds += 1;
            prop_assert!(rounds < 1000);
            while begin(&mut schedule, &mut running, &mut kept) {}
            for job in running.drain(..) {
                schedule.done(&job, Health::Answers, 0);
            }
            while let Some(ticket) = schedule.make_way(0) {
                let place = kept.iter().position(|(known, _)| *known == ticket).expect("it is kept");
                closing.push(kept.swap_remove(place).1);
            }
            for destination in closing.drain(..) {
                schedule.hung_up(&destination);
            }
        }
    }
}
