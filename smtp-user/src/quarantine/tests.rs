//! The quarantine on a file system in memory that can fail, be cut off, and lose what was not synced; and on the real one.

mod kill_points;
mod on_disk;
mod rig;
