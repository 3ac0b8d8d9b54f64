//! Shared nouns: plain data without I/O, known to every layer above the grammar.

pub mod clock;
pub mod decision;
pub mod disposition;
pub mod fault;
pub mod flow_stages;
pub mod leg;
pub mod message_octets;
pub mod peers;
pub mod pulse;
pub mod queued_message;
pub mod queued_recipient;
pub mod server_tls;
pub mod session_id;
pub mod shortage;
pub mod source_bans;
pub mod tls_demand;
pub mod tls_facts;
pub mod tlsa;
pub mod tracking;
