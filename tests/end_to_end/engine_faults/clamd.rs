//! A clamd that fails: while it is called, at the command, among the octets, over its judgement, in its reply, between two
//! messages, and when it starts or reads its signatures again.

use std::time::Duration;

use harness::fake_clamd::{Answer, FakeClamd};
use harness::requires_root;

use super::{Fault, Faults, Outcome, clamd_fails, clamd_fails_by_tcp};

const GONE: Outcome = Outcome::None(&["cannot be reached"]);
const LATE: Outcome = Outcome::None(&["no answer in time"]);
const CUT: Outcome = Outcome::None(&["the answer was cut"]);
const NONSENSE: Outcome = Outcome::None(&["not understood"]);

/// What it answers, and what comes of it.
const fn answering(name: &'static str, begin: fn(&FakeClamd), outcome: Outcome) -> Fault<FakeClamd> {
    Fault { name, begin, end: |_| {}, outcome, from_the_first: false }
}

/// How it is where it listens, until it is there again.
const fn at_the_place(name: &'static str, begin: fn(&FakeClamd), outcome: Outcome) -> Fault<FakeClamd> {
    Fault { end: FakeClamd::come_back, ..answering(name, begin, outcome) }
}

#[test]
fn a_clamd_that_cannot_be_called_puts_mail_off() {
    requires_root!();
    let always = [
        at_the_place("clamd refuses calls", FakeClamd::leave, GONE),
        answering("clamd accepts and does nothing", |clamd| clamd.answer(Answer::Deaf), LATE),
    ];
    let at_length = [
        at_the_place(
            "clamd has no socket",
            |clamd| {
                clamd.leave();
                std::fs::remove_file(clamd.socket()).expect("the socket can be removed");
            },
            GONE,
        ),
        answering("clamd accepts and closes", |clamd| clamd.answer(Answer::CloseAtOnce), CUT),
    ];
    clamd_fails(&Faults { always: &always, at_length: &at_length }, "");
}

#[test]
fn a_clamd_that_ends_among_the_octets_puts_mail_off() {
    requires_root!();
    let always = [
        answering("clamd closes at the command", |clamd| clamd.answer(Answer::CloseAtCommand), CUT),
        answering("clamd hangs among the octets", |clamd| clamd.answer(Answer::HangInside), LATE),
    ];
    let at_length =
        [answering("clamd closes among the octets", |clamd| clamd.answer(Answer::CloseInside), CUT)];
    clamd_fails(&Faults { always: &always, at_length: &at_length }, "");
}

#[test]
fn a_clamd_that_judges_slowly_puts_mail_off_only_behind_its_deadline() {
    requires_root!();
    let versionless =
        answering("clamd says no version", |clamd| clamd.answer(Answer::Versionless), Outcome::Verdict);
    let always = [
        Fault { from_the_first: true, ..versionless },
        answering("clamd hangs", |clamd| clamd.answer(Answer::Hang), LATE),
        answering(
            "clamd is slow",
            |clamd| clamd.answer(Answer::After(Duration::from_millis(200))),
            Outcome::Verdict,
        ),
    ];
    let at_length = [answering(
        "clamd is slower than its deadline",
        |clamd| clamd.answer(Answer::After(Duration::from_millis(1500))),
        LATE,
    )];
    clamd_fails(&Faults { always: &always, at_length: &at_length }, "");
}

#[test]
fn a_clamd_whose_reply_is_none_puts_mail_off() {
    requires_root!();
    let always = [
        answering(
            "clamd answers another session",
            |clamd| clamd.answer(Answer::Line("2: stream: OK")),
            NONSENSE,
        ),
        answering("clamd's line does not end", |clamd| clamd.answer(Answer::Endless), NONSENSE),
        answering("clamd's reply is cut", |clamd| clamd.answer(Answer::Cut), CUT),
    ];
    let at_length = [
        answering("clamd says nonsense", |clamd| clamd.answer(Answer::Line("stream: OKAY")), NONSENSE),
        answering("clamd says an empty line", |clamd| clamd.answer(Answer::Line("")), NONSENSE),
        answering(
            "clamd answers twice",
            |clamd| clamd.answer(Answer::Line("stream: OK\0stream: OK")),
            NONSENSE,
        ),
        answering(
            "clamd says that it cannot",
            |clamd| clamd.answer(Answer::Line("stream: Can't allocate memory ERROR")),
            Outcome::None(&["it says: "]),
        ),
        answering("clamd closes instead of a reply", |clamd| clamd.answer(Answer::Close), CUT),
    ];
    clamd_fails(&Faults { always: &always, at_length: &at_length }, "");
}

#[test]
fn a_clamd_that_starts_or_reads_its_signatures_again_is_back_within_five_seconds() {
    requires_root!();
    let always = [
        Fault {
            end: |clamd: &FakeClamd| {
                clamd.leave();
                clamd.update();
                clamd.come_back();
            },
            ..at_the_place(
                "clamd starts again",
                |clamd| {
                    clamd.answer(Answer::Hang);
                    clamd.leave();
                    clamd.come_back();
                },
                Outcome::None(&["no answer in time", "the answer was cut", "cannot be reached"]),
            )
        },
        Fault {
            end: FakeClamd::update,
            ..answering("clamd reads its signatures", |clamd| clamd.answer(Answer::Reloading), LATE)
        },
    ];
    clamd_fails(&Faults { always: &always, at_length: &[] }, "");
}

#[test]
fn a_clamd_that_fails_by_tcp_puts_mail_off() {
    requires_root!();
    let always = [
        at_the_place("clamd refuses TCP", FakeClamd::leave, GONE),
        answering("clamd resets TCP among the octets", |clamd| clamd.answer(Answer::CloseInside), CUT),
    ];
    let at_length = [
        answering("clamd resets TCP instead of a reply", |clamd| clamd.answer(Answer::Reset), CUT),
        answering("clamd hangs by TCP", |clamd| clamd.answer(Answer::Hang), LATE),
    ];
    clamd_fails_by_tcp(&Faults { always: &always, at_length: &at_length });
}
