//! How many messages an engine looks at, and how many may wait for it.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::engine::outcome::EngineError;

/// Places at an engine and in the queue before it.
#[derive(Debug)]
pub struct Slots {
    at_work: Semaphore,
    /// Those at work and those that wait.
    inside: Semaphore,
}

/// A place at an engine; it is free again when this is dropped.
#[derive(Debug)]
pub struct Slot<'s> {
    _at_work: SemaphorePermit<'s>,
    _inside: SemaphorePermit<'s>,
}

impl Slots {
    /// So many at work, and so many that wait.
    pub fn new(at_work: usize, waiting: usize) -> Self {
        let at_work = at_work.clamp(1, Semaphore::MAX_PERMITS / 2);
        let inside = at_work + waiting.min(Semaphore::MAX_PERMITS / 2);
        Self { at_work: Semaphore::new(at_work), inside: Semaphore::new(inside) }
    }

    /// Waits for a place, unless too many wait already.
    pub async fn take(&self) -> Result<Slot<'_>, EngineError> {
        let inside = self.inside.try_acquire().map_err(|_| EngineError::Busy)?;
        let at_work = self.at_work.acquire().await.map_err(|_| EngineError::Busy)?;
        Ok(Slot { _at_work: at_work, _inside: inside })
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;
    use crate::engine::outcome::EngineError;

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let slots = Slots::new(1, 1);
        let at_work = slots.take().await.unwrap();
        let waits = slots.take();
        tokio::pin!(waits);
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        assert_eq!(slots.take().await.unwrap_err(), EngineError::Busy);
        drop(at_work);
        assert!(waits.await.is_ok());
    }
}
