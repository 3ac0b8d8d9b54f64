//! Why a part was not unpacked by a worker.

use std::io;

/// Why a part was not unpacked by a worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No process can be started; ours, and it may be over soon.
    #[error("a worker cannot be started: {source}")]
    Start {
        /// What the system says.
        source: io::Error,
    },
    /// It ended over this part. The part's fault, as far as anybody can tell.
    #[error("a worker ended over it: {how}")]
    Died {
        /// By which signal or with which code.
        how: String,
    },
    /// Somebody else ended it (SIGKILL): the kernel for want of memory, or a person. What a part may take of memory is bounded
    /// otherwise, so it is none of its fault.
    #[error("a worker was killed while it was at it, by somebody or for want of memory")]
    Killed,
    /// It did not end with it in time, and was ended.
    #[error("a worker was not done with it in time")]
    TimedOut,
    /// It takes long, and so many others do that there is no place for it. None of its fault.
    #[error("too many parts that take long are at work")]
    Crowded,
    /// It ended two workers before, and is not given to a third.
    #[error("it has ended workers before")]
    Poisonous,
}

impl WorkerError {
    /// Whether another worker would fare no better.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Poisonous)
    }
}
