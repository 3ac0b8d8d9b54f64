//! Places for parts that are being worked on: few for what is done soon, more for what takes long, so that nobody who
//! sends the latter holds up the former.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a part has its place among those that are done soon, at most.
pub const SOON: Duration = Duration::from_millis(500);

/// Places for parts that are being worked on.
#[derive(Clone, Debug)]
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// Places among those that take long, all of them.
    slow_places: usize,
    /// Parts that had a place so far.
    entered: Arc<AtomicU64>,
}

/// One place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Lane {
    // Nothing, if the semaphore were closed, which it never is.
    place: Option<OwnedSemaphorePermit>,
    is_slow: bool,
    slow: Arc<Semaphore>,
    slow_places: usize,
    entered: Arc<AtomicU64>,
    /// How many of these were known when they were looked at last.
    known: u64,
}

impl Lanes {
    /// So many places for each kind.
    pub fn new(quick: usize, slow: usize) -> Self {
        Self {
            quick: Arc::new(Semaphore::new(quick)),
            slow: Arc::new(Semaphore::new(slow)),
            slow_places: slow,
            entered: Arc::default(),
        }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Lane {
        let place = Arc::clone(&self.quick).acquire_owned().await.ok();
        Lane {
            place,
            is_slow: false,
            slow: Arc::clone(&self.slow),
            slow_places: self.slow_places,
            known: self.entered.fetch_add(1, Ordering::Relaxed) + 1,
            entered: Arc::clone(&self.entered),
        }
    }
}

impl Lane {
    /// Makes room for others early, as long as most of the places for what takes long are free: nobody is to be refused
    /// one of those because of what would have been done soon.
    pub fn step_aside(&mut self) {
        if self.slow.available_permits() > self.slow_places / 2 {
            self.slow_down();
        }
    }

    /// Whether other parts had a place since this was asked last.
    pub fn others_came(&mut self) -> bool {
        let entered = self.entered.load(Ordering::Relaxed);
        entered != std::mem::replace(&mut self.known, entered)
    }

    /// Changes over to those that take long; says whether there is room among them.
    pub fn slow_down(&mut self) -> bool {
        if !self.is_slow
            && let Ok(place) = Arc::clone(&self.slow).try_acquire_owned()
        {
            self.place = Some(place);
            self.is_slow = true;
        }
        self.is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::Lanes;

    #[tokio::test]
    async fn what_takes_long_makes_room_as_long_as_there_is_some_for_it() {
        let lanes = Lanes::new(1, 1);
        let mut first = lanes.enter().await;
        let second = lanes.enter();
        tokio::pin!(second);
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(first.slow_down());
        let mut second = second.await;
        assert!(!second.slow_down(), "no more than one takes long");
        drop(first);
        assert!(second.slow_down());
        lanes.enter().await;
    }

    #[tokio::test]
    async fn others_are_seen_once() {
        let lanes = Lanes::new(3, 1);
        let mut first = lanes.enter().await;
        assert!(!first.others_came());
        let mut second = lanes.enter().await;
        assert!(first.others_came() && !first.others_came() && !second.others_came());
    }

    #[tokio::test]
    async fn room_is_made_early_only_while_most_of_the_places_behind_are_free() {
        let lanes = Lanes::new(1, 4);
        let mut behind = Vec::new();
        for _ in 0..2 {
            let mut lane = lanes.enter().await;
            lane.step_aside();
            lane.step_aside();
            assert!(lane.is_slow);
            behind.push(lane);
        }
        let mut third = lanes.enter().await;
        third.step_aside();
        assert!(!third.is_slow);
        assert!(third.slow_down(), "what does take long has the rest of them");
    }
}
