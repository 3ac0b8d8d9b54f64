//! F8: an engine fails in every phase of what is spoken with it, while mail comes. Nothing passes unseen, nothing is refused
//! for it, what another engine finds counts, and all is as before within five seconds of the engine's return.
//!
//! Of two scripted engines one fails and one does not. EICAR is found without either; each minds a line that nobody else
//! minds. Large messages are in files, so that a clamd gets their descriptors.

mod clamd;
mod icap;
mod open;
mod sent;
mod spool;

use std::time::{Duration, Instant};

use harness::deadline::wait_until;
use harness::depth::depth;
use harness::fake_clamd::{self, FakeClamd};
use harness::fake_icap::{self, FakeIcap};
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;

use self::sent::{Kind, Sent, expect_recorded, in_parallel};

/// Sessions at a time.
const ORIGINATORS: usize = 8;
/// From one message of a session to its next: an engine that failed is tried again while mail comes.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long an engine may take, by its configuration.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long a verdict may take then, on a machine that is busy: it was shown the test file first, and parts at last.
const BUDGET: Duration = Duration::from_secs(5);
/// How long all may take to be as before.
const BACK: Duration = Duration::from_secs(5);
/// Sessions of each fault.
const SESSIONS: usize = 2 * ORIGINATORS + 1;
/// Messages of each session when all is as before.
const AFTER: usize = 4;

/// What a fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// No verdict; the record says one of these of the engine.
    None(&'static [&'static str]),
    /// The message goes on without it, and the record says one of these of the engine.
    Unseen(&'static [&'static str]),
    /// A verdict all the same.
    Verdict,
}

/// A fault of an engine.
struct Fault<E> {
    name: &'static str,
    begin: fn(&E),
    /// What is done at its end, before the engine is at work again.
    end: fn(&E),
    outcome: Outcome,
    /// Whether it is so from the first message on: what was learnt before would hide it.
    from_the_first: bool,
}

/// The engine that fails, for the configuration.
const FAULTY: &str = "faulty";
/// The one that does not.
const HEALTHY: &str = "healthy";

/// The engine that fails, which has little time; the other has what it needs, however busy the machine is.
fn engine(name: &str, address: &str, more: &str) -> String {
    let deadline = if name == FAULTY { DEADLINE.as_secs() } else { 30 };
    format!("[[engine]]\nname = \"{name}\"\naddress = \"{address}\"\ndeadline = \"{deadline}s\"\n{more}\n")
}

/// What is known of the two engines.
struct Engines<'e> {
    /// What each minds, and calls it: the one that fails, and the one that does not.
    faulty: (&'e [u8], &'e str),
    healthy: (&'e [u8], &'e str),
}

const CLAMD: (&[u8], &str) = (fake_clamd::MARK, fake_clamd::FOUND);
const ICAP: (&[u8], &str) = (fake_icap::MARK, fake_icap::FOUND);

/// Faults of one engine: those of every change, and those of the long form.
struct Faults<'f, E> {
    always: &'f [Fault<E>],
    at_length: &'f [Fault<E>],
}

impl<E> Faults<'_, E> {
    fn chosen(&self) -> impl Iterator<Item = &Fault<E>> {
        self.always.iter().chain(self.at_length.iter().take(depth(0, u32::MAX) as usize))
    }
}

/// Lets faults happen to a clamd with a local socket, of which the configuration says something more.
fn clamd_fails(faults: &Faults<'_, FakeClamd>, more: &str) {
    let clamd = FakeClamd::start(fake_clamd::Answer::Honest);
    let address = clamd.socket().display().to_string();
    let tables = engine(FAULTY, &address, more) + &engine(HEALTHY, fake_icap::SERVICE, "");
    play(&MailConfig::plain().with_tables(&tables), Script::plain(), |scene| {
        let _icap = FakeIcap::start(&scene.topology.gateway, fake_icap::Mood::After(Duration::ZERO));
        let engines = Engines { faulty: CLAMD, healthy: ICAP };
        one_by_one(scene, faults, &clamd, &engines, || clamd.answer(fake_clamd::Answer::Honest));
    });
}

/// The same of a clamd that is reached by TCP.
fn clamd_fails_by_tcp(faults: &Faults<'_, FakeClamd>) {
    let tables = engine(FAULTY, fake_clamd::TCP, "") + &engine(HEALTHY, fake_icap::SERVICE, "");
    play(&MailConfig::plain().with_tables(&tables), Script::plain(), |scene| {
        let gateway = &scene.topology.gateway;
        let clamd = FakeClamd::start_inside(gateway, fake_clamd::Answer::Honest);
        let _icap = FakeIcap::start(gateway, fake_icap::Mood::After(Duration::ZERO));
        let engines = Engines { faulty: CLAMD, healthy: ICAP };
        one_by_one(scene, faults, &clamd, &engines, || clamd.answer(fake_clamd::Answer::Honest));
    });
}

/// The same of an ICAP service.
fn icap_fails(faults: &Faults<'_, FakeIcap>) {
    if faults.chosen().next().is_none() {
        return;
    }
    let clamd = FakeClamd::start(fake_clamd::Answer::Honest);
    let address = clamd.socket().display().to_string();
    let tables = engine(FAULTY, fake_icap::SERVICE, "") + &engine(HEALTHY, &address, "");
    play(&MailConfig::plain().with_tables(&tables), Script::plain(), |scene| {
        let honest = fake_icap::Mood::After(Duration::ZERO);
        let icap = FakeIcap::start(&scene.topology.gateway, honest);
        let engines = Engines { faulty: ICAP, healthy: CLAMD };
        one_by_one(scene, faults, &icap, &engines, || icap.be(honest));
    });
}

fn one_by_one<E>(
    scene: &Scene<'_>,
    faults: &Faults<'_, E>,
    engine: &E,
    engines: &Engines<'_>,
    honest: impl Fn(),
) {
    let trials: Vec<_> =
        faults.chosen().map(|fault| (trial(scene, fault, engine, engines, &honest), fault.outcome)).collect();
    scene.expect_clean_wire();
    expect_recorded(scene, &trials);
}

/// Sends mail before, during and after a fault, and compares replies and deliveries with what there should be; gives what
/// was sent, which the records are compared with at the end: they are complete a moment after a session's end.
fn trial<E>(
    scene: &Scene<'_>,
    fault: &Fault<E>,
    engine: &E,
    engines: &Engines<'_>,
    honest: impl Fn(),
) -> Sent {
    let what = fault.name;
    let mut around = Sent::default();
    let mut originator = scene.greeted();
    if fault.from_the_first {
        (fault.begin)(engine);
    }
    for kind in [Kind::Clean, Kind::Large, Kind::Eicar, Kind::ForFaulty, Kind::ForHealthy] {
        around.send(&mut originator, engines, kind, Outcome::Verdict, &format!("before-{kind:?}"));
    }
    if !fault.from_the_first {
        (fault.begin)(engine);
    }
    let count = depth(20, 500) as usize;
    let during = in_parallel(scene, count, |sent, originator, number| {
        sent.send(originator, engines, Kind::of(number), fault.outcome, &format!("during-{number}"));
        std::thread::park_timeout(BETWEEN);
    });
    (fault.end)(engine);
    honest();
    let over = Instant::now();
    let mut again = 0;
    wait_until(&format!("{what}: mail goes through again"), BACK, || {
        again += 1;
        let name = format!("again-{again}");
        let passes = around.send_any(&mut originator, engines, Kind::Clean, &name) == 250;
        // Where mail goes on unseen, what the engine alone finds tells that it is back.
        let name = format!("seen-{again}");
        let sees = passes && around.send_any(&mut originator, engines, Kind::ForFaulty, &name) == 554;
        if !sees {
            std::thread::park_timeout(BETWEEN);
        }
        sees
    });
    let back = over.elapsed();
    println!("{what}: {count} messages, {during}; as before after {back:?}");
    assert!(during.slowest < BUDGET, "{what}: a verdict took {:?}", during.slowest);
    assert!(back <= BACK, "{what}: as before after {back:?}");
    around.add(in_parallel(scene, ORIGINATORS * AFTER, |sent, originator, number| {
        sent.send(originator, engines, Kind::of(number), Outcome::Verdict, &format!("after-{number}"));
        // Questions of before the return end meanwhile, in the long form.
        std::thread::park_timeout(DEADLINE / AFTER as u32 * depth(0, 1));
    }));
    originator.say("QUIT").expect(221);
    around.add(during);
    around.expect_arrived(scene);
    scene.next_hop.forget_deliveries();
    around
}
