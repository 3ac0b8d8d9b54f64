//! A verdict is kept, and holds for later attempts, until an engine has learned something.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::engine::config::Address;

/// A clamd of version 2 that finds something in every message.
async fn serve(mut stream: UnixStream) {
    let mut command = Vec::new();
    while !command.ends_with(b"\0") {
        let Ok(octet) = stream.read_u8().await else { return };
        command.push(octet);
    }
    if command == b"zVERSION\0" {
        let _ = stream.write_all(b"ClamAV 2\0").await;
        return;
    }
    while let Ok(length) = stream.read_u32().await
        && length > 0
    {
        let mut octets = vec![0; length as usize];
        if stream.read_exact(&mut octets).await.is_err() {
            return;
        }
    }
    let _ = stream.write_all(b"stream: Learned-Today FOUND\0").await;
}

/// A message that was judged an hour ago, by this version of clamd, and tried once.
async fn tried_before(version: &str, server: &Scripted) -> (tempfile::TempDir, Rig) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let mut message = to(server.address, 1, &["x@y.example"]);
    message.attempts = 1;
    message.judgement.as_mut().unwrap().engines = vec![("clamd".to_owned(), version.to_owned())];
    let clamd = crate::engine::config::Config::clamd("clamd", Address::Unix(path));
    let clamd = crate::engine::config::Config { self_test: false, ..clamd };
    let inspection = inspect::Config { engines: vec![clamd], ..inspect::Config::default() };
    (folder, Plan { messages: vec![message], inspection, ..Plan::default() }.start().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_attempt_goes_by_the_verdict_that_was_kept() {
    let server = healthy().await;
    let (_folder, rig) = tried_before("ClamAV 2", &server).await;
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_signatures_have_a_message_judged_again_before_it_is_delivered() {
    let server = healthy().await;
    let (_folder, rig) = tried_before("ClamAV 1", &server).await;
    until("it is in quarantine", || rig.spool.all().iter().any(|(_, place)| *place == Place::Quarantine))
        .await;
    let judgement = rig.only().judgement.unwrap();
    assert!(judgement.decision.why.contains("Learned-Today"), "{}", judgement.decision.why);
    assert_eq!(judgement.engines, [("clamd".to_owned(), "ClamAV 2".to_owned())]);
    // Whoever releases it knows what was found.
    rig.dequeuer.orders().carry_out(Order::Release, rig.only().id, "test").await.unwrap();
    until("it is delivered", || rig.is_empty()).await;
    assert_eq!(server.mail().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_list_has_a_message_judged_again_and_the_same_list_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (hashes, links) = (folder.path().join("hashes"), folder.path().join("links"));
    std::fs::write(&hashes, format!("{} Test\n", "0".repeat(64))).unwrap();
    std::fs::write(&links, "evil.example\n").unwrap();
    let inspection =
        inspect::Config { hash_lists: vec![hashes], link_lists: vec![links], ..inspect::Config::default() };
    let now = Inspector::new(inspection.clone()).unwrap().engines().await;
    let same: Vec<_> = now.into_iter().map(|(name, version)| (name, version.unwrap())).collect();
    for (of, expected) in [("", None), ("hash_lists", Some("hash_lists")), ("link_lists", Some("link_lists"))]
    {
        let server = healthy().await;
        let mut message = to(server.address, 1, &["x@y.example"]);
        message.attempts = 1;
        let other = |(name, version): &(String, String)| {
            (name.clone(), if name == of { "0123456789abcdef".to_owned() } else { version.clone() })
        };
        message.judgement.as_mut().unwrap().engines = same.iter().map(other).collect();
        let plan = Plan { messages: vec![message], inspection: inspection.clone(), ..Plan::default() };
        let rig = plan.start().await;
        until("it is delivered", || rig.is_empty()).await;
        assert_eq!(server.mail().len(), 1);
        let all = dequeued(&rig);
        let again = all.iter().find(|(outcome, ..)| outcome == "unjudged").map(|(_, why, _)| why.as_str());
        assert_eq!(again.and_then(|why| why.split(' ').next()), expected, "{all:?}");
    }
}

#[test]
fn a_verdict_holds_until_an_engine_has_changed() {
    let mut kept = message(1, &["x@y.example"]).judgement.unwrap();
    kept.engines = vec![("clamd".to_owned(), "1.4/27000".to_owned()), ("icap".to_owned(), String::new())];
    let now = |name: &str, version: Option<&str>| (name.to_owned(), version.map(str::to_owned));
    for (engines, by) in [
        (vec![], None),
        (vec![now("clamd", Some("1.4/27000"))], None),
        // It is away; who it is shows when it is back.
        (vec![now("clamd", None), now("icap", None)], None),
        (vec![now("clamd", Some("1.4/27001"))], Some("clamd")),
        (vec![now("clamd", Some("1.4/27000")), now("icap", Some("7"))], Some("icap")),
        (vec![now("another", None)], Some("another")),
    ] {
        assert_eq!(kept.outdated_by(&engines), by, "{engines:?}");
    }
    kept.by_hand = true;
    assert_eq!(kept.outdated_by(&[now("clamd", Some("2"))]), None);
}
