//! An ICAP service that fails: while it is called, at OPTIONS, at the head, among the octets, in every part of its answer,
//! between two messages, and when it starts or reads its signatures again.

use std::time::Duration;

use harness::fake_icap::{FakeIcap, Mood};
use harness::requires_root;

use super::{Fault, Faults, Outcome, icap_fails};

const LATE: Outcome = Outcome::None(&["no answer in time"]);
const CUT: Outcome = Outcome::None(&["the answer was cut"]);
const NONSENSE: Outcome = Outcome::None(&["not understood"]);
const REFUSES: Outcome = Outcome::None(&["it says: "]);

/// How it is, and what comes of it.
const fn being(name: &'static str, begin: fn(&FakeIcap), outcome: Outcome) -> Fault<FakeIcap> {
    Fault { name, begin, end: |_| {}, outcome, from_the_first: false }
}

/// Connections of before end, and those that follow are treated like this.
fn renew(icap: &FakeIcap, mood: Mood) {
    icap.leave();
    icap.be(mood);
    icap.come_back();
}

#[test]
fn an_icap_service_that_cannot_be_called_puts_mail_off() {
    requires_root!();
    let always = [
        Fault {
            end: FakeIcap::come_back,
            ..being("ICAP refuses calls", FakeIcap::leave, Outcome::None(&["cannot be reached"]))
        },
        being("ICAP accepts and does nothing", |icap| renew(icap, Mood::Deaf), LATE),
    ];
    let at_length = [being("ICAP accepts and closes", |icap| renew(icap, Mood::CloseAtOnce), CUT)];
    icap_fails(&Faults { always: &always, at_length: &at_length });
}

#[test]
fn an_icap_service_without_options_judges_mail() {
    requires_root!();
    let hangs = being("OPTIONS hangs", |icap| icap.be(Mood::NoOptions), Outcome::Verdict);
    icap_fails(&Faults { always: &[Fault { from_the_first: true, ..hangs }], at_length: &[] });
    let nonsense = being(
        "OPTIONS is answered with nonsense",
        |icap| icap.be(Mood::Options(b"HTTP/1.1 200 OK\r\n\r\n")),
        Outcome::Verdict,
    );
    icap_fails(&Faults { always: &[], at_length: &[Fault { from_the_first: true, ..nonsense }] });
}

#[test]
fn an_icap_service_that_ends_among_the_octets_puts_mail_off() {
    requires_root!();
    let always = [
        being("ICAP closes among the octets", |icap| icap.be(Mood::CloseInside), CUT),
        being("ICAP is silent", |icap| icap.be(Mood::Say(b"")), LATE),
        being(
            "ICAP says 100 and hangs",
            |icap| icap.be(Mood::Say(b"ICAP/1.0 100 Continue\r\n\r\n")),
            REFUSES,
        ),
    ];
    let at_length = [
        being("ICAP closes at the head", |icap| icap.be(Mood::CloseAtHead), CUT),
        being("ICAP hangs among the octets", |icap| icap.be(Mood::HangInside), LATE),
        being(
            "ICAP is slower than its deadline",
            |icap| icap.be(Mood::After(Duration::from_millis(1500))),
            LATE,
        ),
        being("ICAP is slow", |icap| icap.be(Mood::After(Duration::from_millis(200))), Outcome::Verdict),
    ];
    icap_fails(&Faults { always: &always, at_length: &at_length });
}

#[test]
fn an_icap_service_whose_answer_is_none_puts_mail_off() {
    requires_root!();
    let always = [
        being("ICAP's head is cut", |icap| icap.be(Mood::SayAndClose(b"ICAP/1.0 204 Unmod")), CUT),
        being("ICAP's chunk is cut", |icap| icap.be(Mood::Body(b"40\r\nFrom: <a@cl")), CUT),
        being("ICAP's status is nonsense", |icap| icap.be(Mood::Say(b"ICAP/1.0 OK fine\r\n\r\n")), NONSENSE),
        being("ICAP resets", |icap| icap.be(Mood::Reset), CUT),
        being(
            "ICAP says 503",
            |icap| icap.be(Mood::SayAndClose(b"ICAP/1.0 503 Overloaded\r\n\r\n")),
            REFUSES,
        ),
    ];
    let at_length = [
        being("ICAP's body is cut", |icap| icap.be(Mood::Body(b"4\r\nFrom\r\n")), CUT),
        being("ICAP's chunk is nonsense", |icap| icap.be(Mood::Body(b"size\r\nFrom\r\n0\r\n\r\n")), NONSENSE),
        being("ICAP's body is another", |icap| icap.be(Mood::Body(b"4\r\nPage\r\n0\r\n\r\n")), NONSENSE),
        being("ICAP's head does not end", |icap| icap.be(Mood::Endless), NONSENSE),
        being("ICAP says 404", |icap| icap.be(Mood::Say(b"ICAP/1.0 404 No such service\r\n\r\n")), REFUSES),
        being("ICAP says 405", |icap| icap.be(Mood::Say(b"ICAP/1.0 405 Not that\r\n\r\n")), REFUSES),
        being("ICAP says 500", |icap| icap.be(Mood::Say(b"ICAP/1.0 500 Error\r\n\r\n")), REFUSES),
    ];
    icap_fails(&Faults { always: &always, at_length: &at_length });
}

#[test]
fn an_icap_service_that_starts_or_reads_its_signatures_again_is_back_within_five_seconds() {
    requires_root!();
    let always = [
        being("ICAP closes behind each answer", |icap| icap.be(Mood::AndClose), Outcome::Verdict),
        Fault {
            end: |icap: &FakeIcap| {
                icap.leave();
                icap.update();
                icap.come_back();
            },
            ..being(
                "ICAP starts again",
                |icap| renew(icap, Mood::Say(b"")),
                Outcome::None(&["no answer in time", "the answer was cut", "cannot be reached"]),
            )
        },
        Fault {
            end: FakeIcap::update,
            ..being("ICAP reads its signatures", |icap| icap.be(Mood::Reloading), LATE)
        },
    ];
    icap_fails(&Faults { always: &always, at_length: &[] });
}
