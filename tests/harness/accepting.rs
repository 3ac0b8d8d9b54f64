//! A listener whose connections are served on threads of their own until it is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The listener; it ends on drop.
#[derive(Debug)]
pub(crate) struct Accepting {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Accepting {
    /// Takes connections by `accept`, which must not block, and has each served. Those that are being served at the end are
    /// told by the flag.
    pub(crate) fn start<S: Send + 'static>(
        accept: impl Fn() -> io::Result<S> + Send + 'static,
        serve: impl Fn(S, &AtomicBool) + Clone + Send + 'static,
    ) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let ending = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                let Ok(stream) = accept() else {
                    std::thread::park_timeout(Duration::from_millis(1));
                    continue;
                };
                let (serve, ending) = (serve.clone(), Arc::clone(&ending));
                std::thread::spawn(move || serve(stream, &ending));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
