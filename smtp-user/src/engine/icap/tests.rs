use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::engine::config::{Config, IcapService, Protocol};
use crate::engine::outcome::{EngineError, EngineOutcome};
use crate::engine::remote::Engine;
use crate::wire::icap::{ChunkReader, ChunkStep};

/// What a service of the tests does with a message.
#[derive(Clone, Copy)]
enum Way {
    /// Takes all of it and says this.
    Say(&'static str),
    /// The same, and closes.
    SayAndClose(&'static str),
    /// Says this when the head was read, and closes.
    SayEarly(&'static str),
    /// Gives the message back.
    Echo,
    Hang,
}

const CLEAN: &str = "ICAP/1.0 204 Unmodified\r\nISTag: \"CI-27000\"\r\nEncapsulated: null-body=0\r\n\r\n";

/// Listens; what it got of each message comes back, and on how many connections.
async fn listen(way: Way) -> (u16, mpsc::Receiver<(usize, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, got) = mpsc::channel(100);
    tokio::spawn(async move {
        let mut connections = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connections += 1;
            tokio::spawn(serve(stream, connections, way, told.clone()));
        }
    });
    (port, got)
}

async fn serve(mut stream: TcpStream, number: usize, way: Way, told: mpsc::Sender<(usize, Vec<u8>)>) {
    let mut octets = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(octets.drain(..end + 4).collect()).unwrap();
                break head;
            }
            if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                return;
            }
        };
        if head.starts_with("OPTIONS ") {
            stream.write_all(b"ICAP/1.0 200 OK\r\nISTag: \"CI-27000\"\r\n\r\n").await.unwrap();
            continue;
        }
        assert!(head.starts_with("RESPMOD icap://127.0.0.1:"), "{head}");
        assert!(head.contains("\r\nAllow: 204\r\n"), "{head}");
        if let Way::SayEarly(reply) = way {
            stream.write_all(reply.as_bytes()).await.unwrap();
            return;
        }
        let (_, at) = head.rsplit_once("res-body=").unwrap();
        let at: usize = at.trim().parse().unwrap();
        while octets.len() < at {
            assert!(stream.read_buf(&mut octets).await.unwrap() > 0);
        }
        octets.drain(..at);
        let (mut chunks, mut message) = (ChunkReader::default(), Vec::new());
        while chunks.feed(&octets, |data| message.extend_from_slice(data)).unwrap() == ChunkStep::More {
            octets.clear();
            assert!(stream.read_buf(&mut octets).await.unwrap() > 0);
        }
        octets.clear();
        told.send((number, message.clone())).await.unwrap();
        match way {
            Way::Say(reply) => stream.write_all(reply.as_bytes()).await.unwrap(),
            Way::SayAndClose(reply) => return stream.write_all(reply.as_bytes()).await.unwrap(),
            Way::Hang => std::future::pending().await,
            Way::Echo => {
                let head = "HTTP/1.1 200 OK\r\n\r\n";
                let reply = format!(
                    "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{head}{:x}\r\n",
                    head.len(),
                    message.len()
                );
                let reply = [reply.as_bytes(), &message, b"\r\n0\r\n\r\n"].concat();
                stream.write_all(&reply).await.unwrap();
            }
            Way::SayEarly(_) => {}
        }
    }
}

fn engine(port: u16, deadline: Duration) -> Engine {
    let service = IcapService { host: "127.0.0.1".to_owned(), port, path: "avscan".to_owned() };
    let config = Config::new("icap", Protocol::Icap(service));
    Engine::load(Config { deadline, self_test: false, ..config }).unwrap()
}

async fn ask(way: Way, message: &[u8]) -> EngineOutcome {
    let (port, _got) = listen(way).await;
    let deadline =
        if matches!(way, Way::Hang) { Duration::from_millis(100) } else { Duration::from_secs(20) };
    engine(port, deadline).scan(&message.to_vec()).await.outcome
}

#[tokio::test]
async fn the_service_gets_the_message_and_its_word_counts() {
    let message: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let (port, mut got) = listen(Way::Say(CLEAN)).await;
    let engine = engine(port, Duration::from_secs(20));
    for _ in 0..3 {
        let report = engine.scan(&message).await;
        assert_eq!(report.outcome, EngineOutcome::Clean);
        assert_eq!(report.version.as_deref(), Some("CI-27000"));
        let (_, arrived) = got.recv().await.unwrap();
        assert!(arrived == message);
    }
    let found = "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n\r\n";
    assert_eq!(ask(Way::Say(found), &message).await, EngineOutcome::Infected("Eicar".to_owned()));
    assert_eq!(ask(Way::SayEarly(found), &message).await, EngineOutcome::Infected("Eicar".to_owned()));
    assert_eq!(ask(Way::Say(CLEAN), b"").await, EngineOutcome::Clean);
}

#[tokio::test]
async fn a_connection_is_used_again_unless_the_service_has_closed_it() {
    for (way, connections) in [(Way::Say(CLEAN), 1), (Way::SayAndClose(CLEAN), 3)] {
        let (port, mut got) = listen(way).await;
        let engine = engine(port, Duration::from_secs(20));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 {
            assert_eq!(engine.scan(&b"x".to_vec()).await.outcome, EngineOutcome::Clean);
            seen.insert(got.recv().await.unwrap().0);
        }
        assert_eq!(seen.len(), connections, "{seen:?}");
    }
}

#[tokio::test]
async fn a_body_that_comes_back_is_clean_only_octet_for_octet() {
    let message: Vec<u8> = (0..100_000_u32).map(|i| (i % 241) as u8).collect();
    assert_eq!(ask(Way::Echo, &message).await, EngineOutcome::Clean);
    let page = "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=26\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n\
                4\r\npage\r\n0\r\n\r\n";
    let outcome = ask(Way::Say(page), b"x").await;
    assert!(matches!(outcome, EngineOutcome::Error(EngineError::Unknown { .. })), "{outcome:?}");
}

#[tokio::test]
async fn faults_are_errors_and_never_clean() {
    let message = vec![b'a'; 5 << 20];
    for (way, expected) in [
        (Way::SayEarly(""), "the answer was cut"),
        (Way::SayEarly(CLEAN), "before the end"),
        (Way::Hang, "no answer in time"),
        (Way::SayAndClose("ICAP/1.0 204 Unmodified\r\n"), "the answer was cut"),
        (Way::Say("HTTP/1.1 204 OK\r\n\r\n"), "not understood"),
        (Way::Say("ICAP/1.0 404 No such service\r\n\r\n"), "404 No such service"),
        (Way::Say("ICAP/1.0 500 Internal\r\n\r\n"), "500 Internal"),
        (Way::Say("ICAP/1.0 100 Continue\r\n\r\n"), "100 Continue"),
        (
            Way::SayAndClose("ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n5\r\naa"),
            "the answer was cut",
        ),
        (Way::Say("ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nxx\r\n"), "not understood"),
        (Way::Say("ICAP/1.0 200 OK\r\n\r\n"), "not understood"),
    ] {
        let EngineOutcome::Error(error) = ask(way, &message).await else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{error}; {expected}");
    }
    let outcome = engine(1, Duration::from_secs(20)).scan(&message).await.outcome;
    assert!(matches!(outcome, EngineOutcome::Error(EngineError::Unreachable { .. })));
}
