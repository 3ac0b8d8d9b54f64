//! The spool on a file system in memory that can fail, be cut off, and lose what was not synced; and on the real one.

mod bad_folders;
mod bundles;
pub(crate) mod chance;
mod damage;
mod faults;
mod former;
mod limits;
pub(crate) mod memory_disk;
mod power_loss;
mod rig;
mod sides;
