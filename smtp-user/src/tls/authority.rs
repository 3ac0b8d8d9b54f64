//! The inspection CA.

/// The inspection CA: its certificate, its key, and the one key pair of the leaves that it mints.
#[derive(Debug)]
pub struct Authority {
    _private: (),
}
