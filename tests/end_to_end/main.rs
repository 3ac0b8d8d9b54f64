//! Scenarios of the whole gateway: an originator, Postern and a next hop in three namespaces.
//!
//! All of them need root, and some a mail server or engine from Debian; where that is missing, the scenario is
//! skipped and counted.
