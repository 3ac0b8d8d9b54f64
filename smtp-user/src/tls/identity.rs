//! An imported certificate with its key.

/// A certificate chain and the key that belongs to it.
#[derive(Debug)]
pub struct Identity {
    _private: (),
}
