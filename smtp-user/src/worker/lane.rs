//! Places for parts that are being worked on: few for what is done soon, more for what takes long, so that nobody who
//! sends the latter holds up the former.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a part has its place among those that are done soon.
pub const SOON: Duration = Duration::from_millis(500);

/// Places for parts that are being worked on.
#[derive(Clone, Debug)]
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
}

/// One place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Lane {
    // Nothing, if the semaphore were closed, which it never is.
    place: Option<OwnedSemaphorePermit>,
    slow: Arc<Semaphore>,
}

impl Lanes {
    /// So many places for each kind.
    pub fn new(quick: usize, slow: usize) -> Self {
        Self { quick: Arc::new(Semaphore::new(quick)), slow: Arc::new(Semaphore::new(slow)) }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Lane {
        let place = Arc::clone(&self.quick).acquire_owned().await.ok();
        Lane { place, slow: Arc::clone(&self.slow) }
    }
}

impl Lane {
    /// Changes over to those that take long; says whether there is room among them.
    pub fn slow_down(&mut self) -> bool {
        let place = Arc::clone(&self.slow).try_acquire_owned().ok();
        let is_there = place.is_some();
        if is_there {
            self.place = place;
        }
        is_there
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
}
