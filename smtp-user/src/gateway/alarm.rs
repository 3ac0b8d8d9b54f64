//! Which wait ends when. One timer per session, set anew only when an earlier end comes in sight.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::gateway::timeouts::Timeouts;
use crate::limits::Timeout;
use crate::model::leg::Leg;
use crate::session::relay::Waiting;

/// The waits that run, and the timer.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: Pin<Box<Sleep>>,
    client: Option<(Timeout, Instant)>,
    server: Option<(Timeout, Instant)>,
    session: Instant,
}

/// What came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// A wait.
    Wait(Leg, Timeout),
    /// The session as a whole.
    Session,
}

impl Alarm {
    /// For a session that begins now.
    pub(crate) fn new(timeouts: &Timeouts, now: Instant) -> Self {
        let session = now + timeouts.session;
        Self { timer: Box::pin(sleep_until(session)), client: None, server: None, session }
    }

    /// Something came on a leg: whatever is waited for there begins anew.
    pub(crate) fn restart(&mut self, leg: Leg) {
        match leg {
            Leg::Client => self.client = None,
            Leg::Server => self.server = None,
        }
    }

    /// Says which waits run now; those that ran before go on.
    pub(crate) fn set(&mut self, waiting: Waiting, timeouts: &Timeouts) {
        let now = Instant::now();
        for (running, wanted) in [(&mut self.client, waiting.client), (&mut self.server, waiting.server)] {
            *running = match (wanted, *running) {
                (Some(wanted), Some((timeout, end))) if timeout == wanted => Some((timeout, end)),
                (Some(wanted), _) => Some((wanted, now + timeouts.of(wanted))),
                (None, _) => None,
            };
        }
        // A timer that goes off too early costs less than setting it at every step.
        let next = self.next();
        if next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
        }
    }

    /// Moves the end of the session.
    pub(crate) fn end_session_at(&mut self, end: Instant) {
        self.session = end;
    }

    /// Waits for the first end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            for (leg, running) in [(Leg::Client, &mut self.client), (Leg::Server, &mut self.server)] {
                if let Some((timeout, end)) = *running
                    && end <= now
                {
                    *running = None;
                    return Poll::Ready(Expired::Wait(leg, timeout));
                }
            }
            if self.session <= now {
                return Poll::Ready(Expired::Session);
            }
            let next = self.next();
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }

    fn next(&self) -> Instant {
        [self.client, self.server].into_iter().flatten().map(|(_, end)| end).fold(self.session, Instant::min)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Alarm, Expired};
    use crate::gateway::timeouts::Timeouts;
    use crate::limits::Timeout;
    use crate::model::leg::Leg;
    use crate::session::relay::Waiting;

    const STEP: Duration = Duration::from_millis(200);

    fn timeouts() -> Timeouts {
        let mut timeouts = Timeouts { session: STEP * 5, ..Timeouts::default() };
        timeouts.set(Timeout::DataStart, STEP);
        timeouts.set(Timeout::Command, STEP * 2);
        timeouts
    }

    #[tokio::test]
    async fn waits_end_when_they_are_due() {
        let timeouts = timeouts();
        let begin = Instant::now();
        let mut alarm = Alarm::new(&timeouts, begin);
        let both = Waiting { client: Some(Timeout::Command), server: Some(Timeout::DataStart) };
        alarm.set(both, &timeouts);
        let first = poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(first, Expired::Wait(Leg::Server, Timeout::DataStart));
        // A wait that goes on keeps its end; one that begins anew gets a new one.
        let client = Waiting { client: Some(Timeout::Command), server: None };
        alarm.set(client, &timeouts);
        assert_eq!(poll_fn(|cx| alarm.poll(cx)).await, Expired::Wait(Leg::Client, Timeout::Command));
        let passed = begin.elapsed();
        assert!((STEP * 2..STEP * 3).contains(&passed), "{passed:?}");
        alarm.set(client, &timeouts);
        // So that the next one ends well behind the session, not in the same tick of the clock.
        tokio::time::sleep(STEP + STEP / 2).await;
        alarm.restart(Leg::Client);
        alarm.set(client, &timeouts);
        assert_eq!(poll_fn(|cx| alarm.poll(cx)).await, Expired::Session);
        assert!(begin.elapsed() >= STEP * 5);
    }
}
