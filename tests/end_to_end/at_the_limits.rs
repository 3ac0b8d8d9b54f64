//! F6: the system lets the daemon, or the dequeuer, have no more descriptors, memory or threads. Whoever comes too late is told
//! to come again, sessions that there are go on, nothing that was accepted is lost, and all is as before when there is more.

mod descriptors;
mod load;
mod memory;
mod threads;
