//! Threats S5 to S7: octets in plaintext around STARTTLS, on either leg.

use smtp_user::model::server_tls::ServerTls;
use smtp_user::wire::smtp::data::LineEnds;

use crate::dialogue::{Dialogue, config};

fn before_starttls() -> Dialogue {
    let mut dialogue = Dialogue::new(config(ServerTls::Opportunistic, LineEnds::Refuse));
    dialogue.server(b"220 sink.example\r\n");
    dialogue.client(b"EHLO client.example\r\n");
    dialogue.server(b"250-sink.example\r\n250 STARTTLS\r\n");
    dialogue.to_client.clear();
    dialogue.to_server.clear();
    dialogue
}

#[test]
fn commands_behind_starttls_are_never_carried_out() {
    for behind in ["NOOP\r\n", "EHLO x\r\n", "MAIL FROM:<a@b>\r\n", "N", "\x16\x03"] {
        let mut dialogue = before_starttls();
        dialogue.client(format!("STARTTLS\r\n{behind}").as_bytes());
        assert!(dialogue.relay.is_closed(), "{behind:?}");
        assert!(dialogue.to_client.starts_with(b"554 "), "{behind:?}");
        assert_eq!(dialogue.to_server, b"QUIT\r\n", "{behind:?}");
    }
}

#[test]
fn commands_in_the_next_segment_are_never_carried_out() {
    for behind in ["NOOP\r\n", "EHLO x\r\n", "N", "\x16\x03"] {
        let mut dialogue = before_starttls();
        dialogue.client(b"STARTTLS\r\n");
        dialogue.client(behind.as_bytes());
        dialogue.server(b"220 go\r\n");
        assert!(dialogue.relay.is_closed(), "{behind:?}");
        assert_eq!(dialogue.to_server, b"STARTTLS\r\nQUIT\r\n", "{behind:?}");
    }
}

#[test]
fn replies_behind_the_next_hops_220_are_never_believed() {
    for behind in ["250-x\r\n250 AUTH PLAIN\r\n", "250 ok\r\n", "2", "\x16\x03"] {
        let mut dialogue = before_starttls();
        dialogue.client(b"STARTTLS\r\n");
        dialogue.server(format!("220 go\r\n{behind}").as_bytes());
        assert!(dialogue.relay.is_closed(), "{behind:?}");
        assert!(dialogue.to_client.starts_with(b"421 "), "{behind:?}");
        assert_eq!(dialogue.to_server, b"STARTTLS\r\n", "{behind:?}");
    }
}

#[test]
fn nothing_is_remembered_across_the_upgrade() {
    let mut dialogue = before_starttls();
    dialogue.client(b"MAIL FROM:<a@b>\r\n");
    dialogue.server(b"250 ok\r\n");
    dialogue.client(b"RCPT TO:<c@d>\r\n");
    dialogue.server(b"250 ok\r\n");
    dialogue.client(b"STARTTLS\r\n");
    dialogue.server(b"220 go\r\n");
    dialogue.to_client.clear();
    for (command, code) in
        [("DATA", "503"), ("RCPT TO:<c@d>", "503"), ("MAIL FROM:<a@b>", "503"), ("STARTTLS", "503")]
    {
        dialogue.client(format!("{command}\r\n").as_bytes());
        let said = String::from_utf8(std::mem::take(&mut dialogue.to_client)).unwrap();
        assert!(said.starts_with(code), "{command}: {said}");
    }
    assert!(!dialogue.relay.is_closed());
}
