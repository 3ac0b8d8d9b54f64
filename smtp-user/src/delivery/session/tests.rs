//! Every point of the dialogue with every fault, and every recipient's outcome.

use std::sync::Arc;
use std::time::Duration;

use super::script::{At, Mail, Script, Scripted, Turn};
use super::{Connection, Manners, Peer};
use crate::delivery::letter::{Letter, Outcome};
use crate::model::queued_message::{BodyKind, QueuedSender, ReturnPart};
use crate::model::queued_recipient::{Notify, QueuedRecipient, RemoteStage};
use crate::model::server_tls::ServerTls;
use crate::model::tls_demand::TlsDemand;
use crate::model::tlsa::{DaneDemand, TlsaRecord};
use crate::tls::config::{Config, MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;

fn manners() -> Manners {
    let config = Config {
        originator: OriginatorTls::Off,
        next_hop: NextHopTls::default(),
        min_version: MinVersion::default(),
    };
    Manners {
        hostname: "gw.example".to_owned(),
        timeout: Duration::from_millis(300),
        final_timeout: Duration::from_millis(300),
        server_tls: ServerTls::Opportunistic,
        tls: Arc::new(TlsContext::new(config).unwrap()),
    }
}

fn letter(recipients: &[&str]) -> Letter {
    Letter {
        sender: QueuedSender { path: "a@b.example".to_owned(), ..QueuedSender::default() },
        recipients: recipients.iter().map(|path| QueuedRecipient::new(path)).collect(),
        trace: "Received: x\r\n".to_owned(),
        octets: Arc::new(b"Subject: hi\r\n\r\n.dot\r\nlast\r\n".to_vec()),
        utf8_header: false,
    }
}

fn turns(turns: &[(At, Turn)], keywords: &[&str]) -> Script {
    Script { keywords: keywords.iter().map(ToString::to_string).collect(), turns: turns.to_vec() }
}

fn say(text: &str) -> Turn {
    Turn::Say(text.to_owned())
}

async fn open(server: &Scripted, manners: &Manners) -> Result<Connection, super::call::NoConnection> {
    Connection::open(Peer::new("mx.example".to_owned(), server.address), manners).await
}

/// Outcomes as `delivered`, `later STATUS`, `never STATUS` or `rest STATUS`, with the stage.
fn word(outcome: &Outcome) -> (String, RemoteStage) {
    match outcome {
        Outcome::Delivered { reply, .. } => ("delivered".to_owned(), reply.stage),
        Outcome::TooMany(failure) => (format!("rest {}", failure.reply.status), failure.reply.stage),
        Outcome::NotDelivered(failure) => {
            let word = if failure.permanent { "never" } else { "later" };
            (format!("{word} {}", failure.reply.status), failure.reply.stage)
        }
    }
}

const ALL: [&str; 4] = ["PIPELINING", "8BITMIME", "SIZE 1000", "DSN"];
const NO_KEYWORD: [&str; 0] = [];
const CHUNKING: [&str; 2] = ["CHUNKING", "PIPELINING"];

#[tokio::test]
async fn every_fault_before_the_transaction_is_about_the_host_and_may_pass() {
    for at in [At::Greeting, At::Ehlo] {
        for (turn, status) in [
            (say("421 4.3.2 closing"), "4.3.2"),
            (say("450 4.7.1 later"), "4.7.1"),
            (say("554 5.7.1 go away"), "4.7.1"),
            (Turn::HangUp, "4.4.2"),
            (Turn::Silence, "4.4.2"),
            (say("hello"), "4.5.0"),
        ] {
            // HELO is refused as EHLO was.
            let script = turns(&[(at, turn.clone()), (At::Helo, turn.clone())], &ALL);
            let server = Scripted::start(script).await;
            let failure = open(&server, &manners()).await.unwrap_err().failure;
            assert!(!failure.permanent, "{at:?} {turn:?}");
            assert_eq!(failure.reply.status, status, "{at:?} {turn:?}");
            let stage = if at == At::Greeting { RemoteStage::Greeting } else { RemoteStage::Hello };
            assert_eq!(failure.reply.stage, stage, "{at:?} {turn:?}");
            assert!(failure.reply.by.starts_with("mx.example [127.0.0.1]:"), "{}", failure.reply.by);
        }
    }
}

#[tokio::test]
async fn a_server_that_knows_no_ehlo_is_greeted_with_helo() {
    let server = Scripted::start(turns(&[(At::Ehlo, say("502 5.5.1 what"))], &ALL)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let outcomes = connection.send(&letter(&["x@y.example"])).await;
    assert_eq!(word(&outcomes[0]), ("delivered".to_owned(), RemoteStage::Final));
    assert!(server.commands().contains(&"MAIL FROM:<a@b.example>".to_owned()), "{:?}", server.commands());
}

#[tokio::test]
async fn nobody_there_may_pass() {
    let server = Scripted::start(Script::default()).await;
    let dead = Peer::new("mx.example".to_owned(), "127.0.0.1:1".parse().unwrap());
    let failure = Connection::open(dead, &manners()).await.unwrap_err().failure;
    assert_eq!((failure.reply.stage, failure.reply.status.as_str()), (RemoteStage::Connect, "4.4.1"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn every_command_with_every_fault_has_its_outcome() {
    let points = [
        (At::Mail, RemoteStage::Mail),
        (At::Rcpt(0), RemoteStage::Rcpt),
        (At::Data, RemoteStage::Data),
        (At::Final, RemoteStage::Final),
    ];
    let faults = [
        (say("421 4.3.2 closing"), "later 4.3.2", false),
        (say("450 4.7.1 later"), "later 4.7.1", true),
        (say("451 no code"), "later 4.0.0", true),
        (say("550 5.7.1 never"), "never 5.7.1", true),
        (say("554-5.6.0 two\r\n554 5.6.0 lines"), "never 5.6.0", true),
        (Turn::HangUp, "later 4.4.2", false),
        (Turn::Silence, "later 4.4.2", false),
        (say("what?"), "later 4.5.0", false),
    ];
    let mut tried = 0;
    for keywords in [&ALL[..], &NO_KEYWORD, &CHUNKING] {
        for (at, stage) in points {
            if at == At::Data && keywords == CHUNKING {
                continue;
            }
            for (turn, expected, is_usable) in &faults {
                let server = Scripted::start(turns(&[(at, turn.clone())], keywords)).await;
                let mut connection = open(&server, &manners()).await.unwrap();
                let outcomes = connection.send(&letter(&["x@y.example"])).await;
                let place = format!("{at:?} {turn:?} {keywords:?}");
                assert_eq!(outcomes.len(), 1);
                assert_eq!(word(&outcomes[0]), ((*expected).to_owned(), stage), "{place}");
                assert_eq!(connection.is_usable(), *is_usable, "{place}");
                let taken_unheard = at == At::Final && *turn == Turn::HangUp;
                assert_eq!(server.mail().len(), usize::from(taken_unheard), "{place}");
                if *is_usable {
                    // The next message goes over the same connection.
                    let outcomes = connection.send(&letter(&["x@y.example"])).await;
                    assert_eq!(word(&outcomes[0]).0, "delivered", "{place}");
                    assert_eq!(server.connections(), 1);
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 88);
}

#[tokio::test]
async fn each_recipient_has_its_own_outcome() {
    for keywords in [&ALL[..], &NO_KEYWORD, &CHUNKING] {
        let script = turns(
            &[
                (At::Rcpt(1), say("550 5.1.1 no such user")),
                (At::Rcpt(2), say("450 4.2.1 mailbox busy")),
                (At::Rcpt(4), say("452 4.5.3 too many")),
            ],
            keywords,
        );
        let server = Scripted::start(script).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        let paths = ["r0@y.example", "r1@y.example", "r2@y.example", "r3@y.example", "r4@y.example"];
        let outcomes = connection.send(&letter(&paths)).await;
        let words: Vec<String> = outcomes.iter().map(|outcome| word(outcome).0).collect();
        assert_eq!(words, ["delivered", "never 5.1.1", "later 4.2.1", "delivered", "rest 4.5.3"]);
        let [mail] = &server.mail()[..] else { panic!() };
        assert_eq!(mail.to, ["TO:<r0@y.example>", "TO:<r3@y.example>"]);
    }
}

#[tokio::test]
async fn a_lost_connection_leaves_answered_recipients_their_answers() {
    let script = turns(&[(At::Rcpt(0), say("550 5.1.1 no such user")), (At::Rcpt(1), Turn::HangUp)], &ALL);
    let server = Scripted::start(script).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let outcomes = connection.send(&letter(&["r0@y.example", "r1@y.example", "r2@y.example"])).await;
    let words: Vec<String> = outcomes.iter().map(|outcome| word(outcome).0).collect();
    assert_eq!(words, ["never 5.1.1", "later 4.4.2", "later 4.4.2"]);
}

#[tokio::test]
async fn the_octets_arrive_as_they_are() {
    for keywords in [&ALL[..], &CHUNKING] {
        let server = Scripted::start(turns(&[], keywords)).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        for octets in
            [&b"Subject: hi\r\n\r\n.dot\r\n..two\r\n.\r\nend\r\n"[..], &vec![b'.'; 100_000], b"\r\n"]
        {
            let mut octets = octets.to_vec();
            octets.extend_from_slice(b"\r\n");
            let letter = Letter { octets: Arc::new(octets.clone()), ..letter(&["x@y.example"]) };
            assert_eq!(
                word(&connection.send(&letter).await[0]).0,
                if octets.len() > 1000 && keywords == ALL { "never 5.3.4" } else { "delivered" }
            );
            if let Some(Mail { octets: got, .. }) = server.mail().last()
                && octets.len() < 1000
            {
                assert_eq!(*got, [b"Received: x\r\n".as_slice(), &octets].concat());
            }
        }
    }
}

#[tokio::test]
async fn a_hang_up_in_the_middle_of_the_message_may_pass() {
    let server = Scripted::start(turns(&[(At::Middle, Turn::HangUp)], &NO_KEYWORD)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let letter = Letter { octets: Arc::new(vec![b'x'; 4 << 20]), ..letter(&["x@y.example"]) };
    let outcomes = connection.send(&letter).await;
    assert!(word(&outcomes[0]).0.starts_with("later 4."), "{outcomes:?}");
    assert!(!connection.is_usable() && server.mail().is_empty());
}

#[tokio::test]
async fn parameters_are_passed_on_where_they_are_understood() {
    for (keywords, mail, rcpt) in [
        (
            &["DSN", "SIZE", "8BITMIME"][..],
            "MAIL FROM:<a@b.example> SIZE=40 BODY=8BITMIME RET=HDRS ENVID=id+2B1",
            "RCPT TO:<x@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@y.example",
        ),
        (&["8BITMIME"], "MAIL FROM:<a@b.example> BODY=8BITMIME", "RCPT TO:<x@y.example>"),
    ] {
        let server = Scripted::start(turns(&[], keywords)).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        let mut letter = letter(&["x@y.example"]);
        letter.sender.ret = Some(ReturnPart::Headers);
        letter.sender.envid = Some("id+2B1".to_owned());
        letter.sender.body = BodyKind::EightBitMime;
        letter.recipients[0].notify = Some(Notify { success: true, failure: false, delay: true });
        letter.recipients[0].orcpt = Some("rfc822;o@y.example".to_owned());
        let outcomes = connection.send(&letter).await;
        let Outcome::Delivered { relayed_dsn, .. } = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(*relayed_dsn, keywords.contains(&"DSN"));
        let commands = server.commands();
        assert!(commands.contains(&mail.to_owned()) && commands.contains(&rcpt.to_owned()), "{commands:?}");
    }
}

type Change<'a> = &'a dyn Fn(&mut Letter);

#[tokio::test]
async fn what_a_next_hop_cannot_take_is_not_sent() {
    let eight_bit = |letter: &mut Letter| {
        letter.sender.body = BodyKind::EightBitMime;
        letter.octets = Arc::new("Subject: hi\r\n\r\njörg\r\n".as_bytes().to_vec());
    };
    let utf8_path = |letter: &mut Letter| {
        letter.sender.smtputf8 = true;
        letter.recipients[0].path = "jörg@y.example".to_owned();
    };
    let utf8_header = |letter: &mut Letter| (letter.sender.smtputf8, letter.utf8_header) = (true, true);
    let requiretls = |letter: &mut Letter| letter.sender.requiretls = true;
    let large = |letter: &mut Letter| letter.octets = Arc::new(vec![b'x'; 2000]);
    let cases: [(Change<'_>, &str); 5] = [
        (&eight_bit, "never 5.6.3"),
        (&utf8_path, "never 5.6.7"),
        (&utf8_header, "never 5.6.7"),
        (&requiretls, "never 5.7.30"),
        (&large, "never 5.3.4"),
    ];
    for (change, expected) in cases {
        let server = Scripted::start(turns(&[], &["SIZE 1000", "REQUIRETLS"])).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        let mut changed = letter(&["x@y.example"]);
        change(&mut changed);
        assert_eq!(word(&connection.send(&changed).await[0]).0, expected);
        assert!(!server.commands().iter().any(|line| line.starts_with("MAIL")));
        // The next message finds the connection as it was.
        assert_eq!(word(&connection.send(&letter(&["x@y.example"])).await[0]).0, "delivered");
    }
}

#[tokio::test]
async fn a_message_of_ascii_goes_to_a_next_hop_of_seven_bits_whatever_its_sender_called_it() {
    let server = Scripted::start(turns(&[], &NO_KEYWORD)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let mut letter = letter(&["x@y.example"]);
    letter.sender.body = BodyKind::EightBitMime;
    assert_eq!(word(&connection.send(&letter).await[0]).0, "delivered");
    assert!(server.commands().contains(&"MAIL FROM:<a@b.example>".to_owned()), "{:?}", server.commands());
}

#[tokio::test]
async fn smtputf8_that_nothing_needs_is_left_away() {
    let server = Scripted::start(turns(&[], &NO_KEYWORD)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let mut letter = letter(&["x@y.example"]);
    letter.sender.smtputf8 = true;
    assert_eq!(word(&connection.send(&letter).await[0]).0, "delivered");
}

#[tokio::test]
async fn tls_that_is_demanded_and_not_offered_keeps_the_message_here() {
    for server_tls in [ServerTls::Required, ServerTls::Verified] {
        let server = Scripted::start(turns(&[], &ALL)).await;
        let failure = open(&server, &Manners { server_tls, ..manners() }).await.unwrap_err().failure;
        assert_eq!((failure.permanent, failure.reply.status.as_str()), (false, "4.7.4"));
        assert!(!server.commands().iter().any(|line| line.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn tls_that_fails_is_done_without_where_that_will_do() {
    // It offers STARTTLS and answers 502 to it.
    let keywords = ["STARTTLS"];
    let server = Scripted::start(turns(&[], &keywords)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    assert_eq!(word(&connection.send(&letter(&["x@y.example"])).await[0]).0, "delivered");
    assert!(connection.tls().is_none());
    let demanding = Manners { server_tls: ServerTls::Required, ..manners() };
    let failure = open(&server, &demanding).await.unwrap_err().failure;
    assert_eq!((failure.permanent, failure.reply.stage), (false, RemoteStage::Tls));
}

#[tokio::test]
async fn tls_that_a_host_demands_of_itself_is_not_done_without() {
    let demand = TlsDemand::Dane(Arc::new(DaneDemand {
        records: vec![TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![1; 32] }],
        base: "mx.example".to_owned(),
        names: Vec::new(),
    }));
    for (keywords, stage) in [(&[][..], RemoteStage::Hello), (&["STARTTLS"], RemoteStage::Tls)] {
        let server = Scripted::start(turns(&[], keywords)).await;
        let peer = Peer { demand: demand.clone(), ..Peer::new("mx.example".to_owned(), server.address) };
        let failure = Connection::open(peer, &manners()).await.unwrap_err().failure;
        assert_eq!((failure.permanent, failure.reply.stage), (false, stage));
        assert!(!server.commands().iter().any(|line| line.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn many_recipients_are_asked_for_in_turns() {
    let server = Scripted::start(turns(&[(At::Rcpt(120), say("550 5.1.1 no"))], &ALL)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let paths: Vec<String> = (0..130).map(|number| format!("r{number}@y.example")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let outcomes = connection.send(&letter(&paths)).await;
    let delivered = outcomes.iter().filter(|outcome| word(outcome).0 == "delivered").count();
    assert_eq!((delivered, word(&outcomes[120]).0.as_str()), (129, "never 5.1.1"));
    assert_eq!(server.mail()[0].to.len(), 129);
}

#[tokio::test]
async fn a_small_message_leaves_with_its_envelope_where_that_is_allowed() {
    let server = Scripted::start(turns(&[], &CHUNKING)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let _ = connection.take_transcript();
    let large = Letter { octets: Arc::new(vec![b'x'; 40_000]), ..letter(&["x@y.example"]) };
    for (letter, is_ahead) in [(letter(&["x@y.example"]), true), (large, false)] {
        assert_eq!(word(&connection.send(&letter).await[0]).0, "delivered");
        let sides: String =
            connection.take_transcript().iter().filter_map(|line| line.chars().next()).collect();
        assert_eq!(sides, if is_ahead { "CCCSSS" } else { "CCSSCS" });
    }
    assert_eq!(server.mail().len(), 2);
}

#[tokio::test]
async fn data_leaves_with_the_envelope_where_that_is_allowed() {
    let server = Scripted::start(turns(&[], &ALL)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let _ = connection.take_transcript();
    assert_eq!(word(&connection.send(&letter(&["x@y.example"])).await[0]).0, "delivered");
    let sides: String = connection.take_transcript().iter().filter_map(|line| line.chars().next()).collect();
    assert_eq!(sides, "CCCSSSCS");
}

#[tokio::test]
async fn a_next_hop_that_takes_nobodys_message_gets_none() {
    let script = turns(
        &[
            (At::Rcpt(0), say("550 5.1.1 no such user")),
            (At::Data, say("354 go on")),
            (At::Final, say("554 5.5.1 no valid recipients")),
        ],
        &ALL,
    );
    let server = Scripted::start(script).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let outcomes = connection.send(&letter(&["x@y.example"])).await;
    assert_eq!(word(&outcomes[0]), ("never 5.1.1".to_owned(), RemoteStage::Rcpt));
    assert!(server.mail().is_empty(), "{:?}", server.mail());
    // The next message finds a next hop that can be understood.
    assert_eq!(word(&connection.send(&letter(&["x@y.example"])).await[0]).0, "delivered");
    assert_eq!((server.mail().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn a_next_hop_that_takes_a_message_for_nobody_is_sent_nothing_more() {
    for keywords in [&ALL[..], &CHUNKING] {
        let taken = say(if keywords == CHUNKING { "250 2.0.0 taken" } else { "354 go on" });
        let script = turns(&[(At::Rcpt(0), say("450 4.2.0 later")), (At::Data, taken)], keywords);
        let server = Scripted::start(script).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        let outcomes = connection.send(&letter(&["x@y.example"])).await;
        assert_eq!(word(&outcomes[0]), ("later 4.2.0".to_owned(), RemoteStage::Rcpt));
        assert!(!connection.is_usable());
    }
}

#[tokio::test]
async fn a_refused_sender_stays_refused_when_the_next_hop_hangs_up() {
    for keywords in [&ALL[..], &CHUNKING] {
        let script = turns(&[(At::Mail, say("550 5.7.1 never")), (At::Rcpt(0), Turn::HangUp)], keywords);
        let server = Scripted::start(script).await;
        let mut connection = open(&server, &manners()).await.unwrap();
        let outcomes = connection.send(&letter(&["x@y.example"])).await;
        assert_eq!(word(&outcomes[0]), ("never 5.7.1".to_owned(), RemoteStage::Mail));
        assert!(!connection.is_usable());
    }
}

#[tokio::test]
async fn the_transcript_has_the_dialogue_and_not_the_message() {
    let server = Scripted::start(turns(&[], &NO_KEYWORD)).await;
    let mut connection = open(&server, &manners()).await.unwrap();
    let _ = connection.send(&letter(&["x@y.example"])).await;
    let transcript = connection.take_transcript();
    assert_eq!(
        transcript,
        [
            "S: 220 hop.example",
            "C: EHLO gw.example",
            "S: 250 hop.example",
            "C: MAIL FROM:<a@b.example>",
            "S: 250 2.1.0 ok",
            "C: RCPT TO:<x@y.example>",
            "S: 250 2.1.5 ok",
            "C: DATA",
            "S: 354 go on",
            "C: (message) .",
            "S: 250 2.0.0 queued",
        ]
    );
    connection.quit().await;
}
