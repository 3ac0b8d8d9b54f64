//! An engine that may fail: mail goes on without it, and the record says so.

use harness::fake_clamd::{Answer, FakeClamd};
use harness::requires_root;

use super::{Fault, Faults, Outcome, clamd_fails};

#[test]
fn mail_goes_on_without_an_engine_that_may_be_down_and_the_record_says_so() {
    requires_root!();
    let gone = Outcome::Unseen(&["cannot be reached"]);
    let gone = Fault {
        name: "clamd may be away",
        begin: FakeClamd::leave,
        end: FakeClamd::come_back,
        outcome: gone,
        from_the_first: false,
    };
    let hangs = Fault {
        name: "clamd may hang",
        begin: |clamd: &FakeClamd| clamd.answer(Answer::Hang),
        end: |_| {},
        outcome: Outcome::Unseen(&["no answer in time"]),
        from_the_first: false,
    };
    let nonsense = Fault {
        name: "clamd may talk nonsense",
        begin: |clamd: &FakeClamd| clamd.answer(Answer::Line("stream: OKAY")),
        end: |_| {},
        outcome: Outcome::Unseen(&["not understood"]),
        from_the_first: false,
    };
    clamd_fails(&Faults { always: &[gone], at_length: &[hangs, nonsense] }, "when_down = \"pass\"\n");
}
