//! Messages that may not pass as they are: rewritten, kept, or refused, and their source banned.

mod cleaning;
mod header;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::dialogue::{Dialogue, eicar};
use super::next_hop::{Manner, NextHop};
use super::rig::{Plan, Rig};
use crate::action::clk::{self, LockKey};
use crate::action::header::HeaderRule;
use crate::content::fixture::other::base64;
use crate::event::session_event::SessionEvent;
use crate::gateway::remedy::Remedy;
use crate::inspect::config::Rewriting;
use crate::model::decision::MessageAction;
use crate::model::disposition::Disposition;
use crate::model::message_octets::MessageOctets;
use crate::model::source_bans::SourceBans;
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::policy::part_rule::PartRule;
use crate::quarantine::store::Store;
use crate::wire::hexadecimal::hexadecimal;
use crate::wire::mime::part_header::PartHeader;
use crate::wire::mime::walk::{PartSink, WalkLimits, Walker};

/// Bans nobody, and remembers whom it was asked to.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<(IpAddr, Duration)>>);

impl SourceBans for Asked {
    fn ban(&self, source: IpAddr, time: Duration) -> Result<(), String> {
        self.0.lock().unwrap().push((source, time));
        Ok(())
    }
}

/// A gateway with one rule, about files named `*.exe`.
struct Scene {
    folder: TempDir,
    store: Store,
    bans: Arc<Asked>,
    hop: NextHop,
    rig: Rig,
    client: Dialogue<tokio::net::TcpStream>,
}

const KEY: [u8; 32] = [7; 32];

impl Scene {
    async fn new(action: PartAction, rewriting: Rewriting) -> Self {
        Self::planned(action, rewriting, |_| {}).await
    }

    async fn with_header(action: PartAction, rewriting: Rewriting, header: Vec<HeaderRule>) -> Self {
        Self::planned(action, rewriting, |plan| plan.header = header).await
    }

    async fn planned(action: PartAction, rewriting: Rewriting, change: impl FnOnce(&mut Plan)) -> Self {
        let hop = NextHop::start(Manner::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("quarantine")).unwrap();
        let bans = Arc::new(Asked::default());
        let mut plan = Plan::to(hop.address);
        let mut rule = PartRule::new("programs", action);
        rule.file_names = vec![PartPattern::new("*.exe")];
        plan.inspection.rules = vec![rule];
        plan.inspection.rewriting = rewriting;
        // So that something else keeps uncertain messages from being rewritten.
        plan.inspection.actions.ambiguous = MessageAction::Pass;
        plan.remedy = Some(Arc::new(Remedy {
            quarantine: store.clone(),
            keep_for: Duration::from_hours(2),
            keep_originals_for: Duration::from_hours(1),
            keeps_for_header: true,
            lock_key: Some(LockKey::new(KEY)),
            bans: Arc::clone(&bans) as Arc<dyn SourceBans>,
        }));
        change(&mut plan);
        let rig = plan.build();
        let mut client = Dialogue::call(rig.address).await;
        client.begin().await;
        Self { folder, store, bans, hop, rig, client }
    }

    async fn of(action: PartAction) -> Self {
        Self::new(action, Rewriting::default()).await
    }

    /// What the next hop has got, behind the trace fields.
    fn got(&self) -> (String, String) {
        let mail = self.hop.mail();
        let [mail] = mail.as_slice() else { panic!("{} messages", mail.len()) };
        let text = String::from_utf8(mail.octets.clone()).unwrap();
        let at = text.find("Subject: ").unwrap();
        (text[..at].to_owned(), text[at..].to_owned())
    }

    /// What the quarantine has: whether it is an original, and the octets.
    fn kept(&self) -> Vec<(bool, Vec<u8>)> {
        let entries = self.store.list().unwrap().entries;
        entries.iter().map(|entry| (entry.original, read(self.store.body(entry).unwrap().as_ref()))).collect()
    }

    fn events(&self) -> Vec<SessionEvent> {
        self.rig.records().into_iter().map(|record| record.event).collect()
    }
}

fn read(body: &dyn MessageOctets) -> Vec<u8> {
    let mut octets = vec![0; usize::try_from(body.len()).unwrap()];
    assert_eq!(body.read_at(0, &mut octets).unwrap(), octets.len());
    octets
}

fn mail(header: &str, content: &[u8]) -> String {
    format!(
        "{header}Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n.dot \u{e4}\r\n\
         --b\r\nContent-Type: application/octet-stream; name=\"a.exe\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>last\r\n--b--\r\n",
        base64(content)
    )
}

#[tokio::test]
async fn a_stripped_part_is_gone_and_the_rest_is_there_octet_for_octet() {
    let mut scene = Scene::of(PartAction::Strip).await;
    let message = mail("", eicar().as_bytes());
    let reply = scene.client.mail(message.trim_end()).await;
    assert_eq!(reply, "250 2.0.0 taken as 4711\r\n");
    let (trace, got) = scene.got();
    assert!(trace.ends_with("X-Postern-Rewritten: part 2 replaced\r\n"), "{trace}");
    let (before, rest) = message.split_once("Content-Type: application").unwrap();
    let (_, after) = rest.split_once("\r\n--b\r\n").unwrap();
    assert!(got.starts_with(before) && got.ends_with(after), "{got}");
    assert!(
        got.contains("File name:    a.exe\r\n") && got.contains("Found:        Eicar-Test-Signature\r\n"),
        "{got}"
    );
    assert!(!got.contains(&base64(eicar().as_bytes())) && !got.contains("EICAR"), "{got}");
    assert_eq!(scene.kept(), [(true, message.into_bytes())]);
    let events = scene.events();
    let rewritten = events.iter().find_map(|event| match event {
        SessionEvent::Rewritten { changes, broken, .. } => Some((changes.clone(), broken.clone())),
        _ => None,
    });
    let changes = vec!["part 2 (a.exe) removed by rule \"programs\"".to_owned()];
    assert_eq!(rewritten, Some((changes, Vec::new())));
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Quarantined { original: true, .. })));
}

#[tokio::test]
async fn a_locked_part_unlocks_to_what_it_was() {
    let mut scene = Scene::of(PartAction::Lock).await;
    let content: Vec<u8> = (0..100_000_u32).map(|octet| (octet % 251) as u8).collect();
    assert_eq!(scene.client.mail(mail("", &content).trim_end()).await, "250 2.0.0 taken as 4711\r\n");
    let (_, got) = scene.got();
    assert!(got.contains("filename=\"a.exe.clk\"") && got.contains("can unlock it"), "{got}");
    let (_, file) = got.split_once("filename=\"a.exe.clk\"\r\n\r\n").unwrap();
    let (file, _) = file.split_once("\r\n--=_postern_").unwrap();
    let unlocked = clk::unlock(&LockKey::new(KEY), &from_base64(file)).unwrap();
    assert_eq!((unlocked.name.as_str(), unlocked.content), ("a.exe", content));
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .iter()
            .position(|known| *known == letter)
    };
    let letters: Vec<usize> = text.bytes().filter_map(value).collect();
    let mut octets = Vec::new();
    for group in letters.chunks(4) {
        let bits = (0..4).fold(0, |bits, place| bits << 6 | group.get(place).copied().unwrap_or(0));
        octets.extend_from_slice(&bits.to_be_bytes()[5..5 + group.len() - 1]);
    }
    octets
}

#[tokio::test]
async fn a_quarantined_message_is_accepted_under_its_name_and_nobody_gets_it() {
    let mut scene = Scene::of(PartAction::Quarantine).await;
    let message = mail("", b"x");
    let reply = scene.client.mail(message.trim_end()).await;
    let entries = scene.store.list().unwrap().entries;
    assert_eq!(reply, format!("250 2.0.0 Accepted, quarantined as {}\r\n", entries[0].id));
    assert_eq!(entries[0].sender.path, "a@client.example");
    assert_eq!(entries[0].recipients[0].path, "b@hop.example");
    assert_eq!((entries[0].part_rule.as_deref(), entries[0].next_hop), (Some("programs"), scene.hop.address));
    assert_eq!(scene.kept(), [(false, message.into_bytes())]);
    assert!(scene.hop.mail().is_empty());
    // The connection goes on.
    assert_eq!(scene.client.mail("Subject: y\r\n\r\nz").await, "250 2.0.0 taken as 4711\r\n");
    scene.client.ask("QUIT", "221").await;
    assert_eq!(scene.rig.accounts(1).await, [Disposition::Inspected]);
    assert!(scene.events().iter().any(|event| {
        matches!(event, SessionEvent::Account { delivered: 1, quarantined: 1, refused: 0, .. })
    }));
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_is_put_off() {
    for action in [PartAction::Quarantine, PartAction::Strip] {
        let mut scene = Scene::of(action).await;
        std::fs::remove_dir_all(scene.store.folder()).unwrap();
        let reply = scene.client.mail(mail("", b"x").trim_end()).await;
        assert!(reply.starts_with("451 4.7.1 Message deferred: it could not be kept"), "{reply}");
        assert!(scene.hop.mail().is_empty());
    }
}

#[tokio::test]
async fn dropping_ends_the_session_and_blocking_bans_its_source() {
    for (action, banned) in [(PartAction::Drop, 0), (PartAction::Block, 1)] {
        let mut scene = Scene::of(action).await;
        let reply = scene.client.mail(mail("", b"x").trim_end()).await;
        assert!(reply.starts_with("554 5.7.1 Message refused: a.exe (part 2) may not pass"), "{reply}");
        scene.client.expect_end().await;
        assert_eq!(scene.rig.accounts(1).await, [Disposition::Refused("part_rule".to_owned())]);
        assert!(scene.hop.mail().is_empty() && scene.kept().is_empty());
        let asked = scene.bans.0.lock().unwrap().clone();
        assert_eq!(asked, vec![("127.0.0.1".parse().unwrap(), Duration::from_mins(10)); banned]);
        let events = scene.events();
        let told = events.iter().filter(|event| matches!(event, SessionEvent::Banned { seconds: 600, .. }));
        assert_eq!(told.count(), banned);
    }
}

#[tokio::test]
async fn an_uncertain_message_is_never_rewritten() {
    for (action, code) in
        [(MessageAction::Refuse, "554"), (MessageAction::Defer, "451"), (MessageAction::Quarantine, "250")]
    {
        let rewriting = Rewriting { not_possible: action, ..Rewriting::default() };
        let mut scene = Scene::new(PartAction::Strip, rewriting).await;
        let message = mail("", b"x").replace("Encoding: base64", "Encoding: bse64");
        let reply = scene.client.mail(message.trim_end()).await;
        assert!(reply.starts_with(code), "{reply}");
        assert!(scene.hop.mail().is_empty());
        assert_eq!(scene.kept().len(), usize::from(code == "250"));
    }
}

#[tokio::test]
async fn a_part_without_a_place_follows_what_is_configured() {
    for (action, code) in
        [(MessageAction::Refuse, "554"), (MessageAction::Defer, "451"), (MessageAction::Quarantine, "250")]
    {
        let rewriting = Rewriting { not_possible: action, ..Rewriting::default() };
        let mut scene = Scene::new(PartAction::Strip, rewriting).await;
        // A message within is a container: what is in it has places, it has none.
        let message = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822; name=a.exe\r\n\r\n\
                       Subject: y\r\n\r\ntext";
        let reply = scene.client.mail(message).await;
        assert!(reply.starts_with(code), "{reply}");
        assert!(scene.hop.mail().is_empty());
        assert!(scene.rig.notes().contains(&"not_rewritten".to_owned()), "{:?}", scene.rig.notes());
    }
}

#[tokio::test]
async fn what_a_signature_covers_is_rewritten_only_if_that_is_wanted() {
    const DKIM: &str = "DKIM-Signature: v=1; a=rsa-sha256; d=a.example;\r\n b=x\r\n";
    let signed = |text: String| text.replace("multipart/mixed", "multipart/signed");
    for (message, word) in [(mail(DKIM, b"x"), "dkim"), (signed(mail("", b"x")), "signed")] {
        let mut scene = Scene::of(PartAction::Strip).await;
        assert_eq!(scene.client.mail(message.trim_end()).await, "250 2.0.0 taken as 4711\r\n");
        let octets = scene.hop.mail().remove(0).octets;
        let text = String::from_utf8(octets).unwrap();
        let field = format!("X-Postern-Rewritten: part 2 replaced; no longer valid: {word}\r\n");
        assert!(text.contains(&field), "{text}");
        assert!(
            scene.events().iter().any(|event| {
                matches!(event, SessionEvent::Rewritten { broken, .. } if *broken == [word])
            })
        );

        let rewriting = Rewriting {
            signed: MessageAction::Quarantine,
            dkim: MessageAction::Quarantine,
            ..Rewriting::default()
        };
        let mut scene = Scene::new(PartAction::Strip, rewriting).await;
        let reply = scene.client.mail(message.trim_end()).await;
        assert!(reply.starts_with("250 2.0.0 Accepted, quarantined as "), "{reply}");
        assert!(scene.hop.mail().is_empty());
        assert_eq!(scene.kept(), [(false, message.into_bytes())]);
    }
}

/// The forms in which a part stands in a message that may not pass (M20).
fn forms() -> Vec<(&'static str, String)> {
    let base64 = base64(eicar().as_bytes());
    let encoded = |more: &str| {
        format!(
            "Content-Type: application/octet-stream; name=\"a.exe\"\r\nContent-Transfer-Encoding: base64\r\n{more}\r\n{base64}"
        )
    };
    let of = |kind: &str, parts: &[&str]| {
        let parts = parts.join("\r\n--b\r\n");
        format!(
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\n{parts}\r\n--b--\r\n"
        )
    };
    let text = "Content-Type: text/plain; format=flowed\r\n\r\nflowed \r\ntext \r\n-- \r\n";
    let html = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<img src=\"cid:i\">\u{e4}";
    let inner = of("mixed", &[text, &encoded("")]).replace("boundary=b", "boundary=i").replace("--b", "--i");
    let inner = inner.trim_end();
    let plain = format!("Content-Type: text/plain; name=a.exe\r\n\r\n{}", eicar());
    let quoted = format!(
        "Content-Disposition: attachment; filename=a.exe\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        eicar().replace('=', "=3D").replace('$', "=24")
    );
    let nested = format!("Content-Type: message/rfc822\r\n\r\n{inner}");
    vec![
        ("last", of("mixed", &[text, html, &encoded("")])),
        ("first", of("mixed", &[&encoded(""), text, html])),
        ("only", of("mixed", &[&encoded("")])),
        ("related", of("related", &[html, &encoded("Content-ID: <i>\r\n")])),
        ("alternative", of("alternative", &[text, html, &encoded("")])),
        ("signed", of("signed; micalg=x; protocol=\"application/x\"", &[&encoded(""), text])),
        ("as it is", of("mixed", &[text, &plain])),
        ("quoted", of("mixed", &[text, &quoted])),
        ("nested", of("mixed", &[text, &nested, html])),
        ("twice", of("mixed", &[&encoded(""), html, &encoded("")])),
    ]
}

/// Every part of a message, decoded.
#[derive(Default)]
struct Decoded(Vec<(String, Vec<u8>)>);

impl PartSink for Decoded {
    fn begin(&mut self, part: PartHeader) {
        self.0.push((part.number, Vec::new()));
    }

    fn data(&mut self, _: usize, octets: &[u8]) {
        self.0.last_mut().unwrap().1.extend_from_slice(octets);
    }

    fn end(&mut self) {}
}

fn decoded(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut walker, mut parts) = (Walker::new(WalkLimits::default()), Decoded::default());
    walker.push(message, &mut parts);
    walker.finish(&mut parts);
    parts.0
}

#[tokio::test]
async fn what_was_taken_out_is_nowhere_and_the_others_are_what_they_were() {
    for action in [PartAction::Strip, PartAction::Lock] {
        let mut scene = Scene::of(action).await;
        for (form, message) in forms() {
            let reply = scene.client.mail(message.strip_suffix("\r\n").unwrap()).await;
            assert!(
                reply.starts_with("250 2.0.0 taken"),
                "{action}, {form}: {reply} {:?}",
                scene.rig.notes()
            );
            let octets = scene.hop.mail().pop().unwrap().octets;
            let text = String::from_utf8(octets).unwrap();
            let got = &text[text.find("Subject: x").unwrap()..];
            assert!(
                !got.contains("EICAR-STANDARD") && !got.contains(&base64(eicar().as_bytes())[..40]),
                "{action}, {form}: {got}"
            );
            let (old, new) = (decoded(message.as_bytes()), decoded(got.as_bytes()));
            let is_found =
                |part: &&(String, Vec<u8>)| String::from_utf8_lossy(&part.1).contains("EICAR-STANDARD");
            assert_eq!(new.iter().find(is_found), None, "{action}, {form}");
            let kept: Vec<_> = old.iter().filter(|part| !is_found(part)).collect();
            for part in &kept {
                assert!(new.contains(part), "{action}, {form}: {part:?} is not in {new:?}");
            }
            assert!(kept.len() < old.len(), "{form}");
            assert!(got.contains("The mail gateway "), "{action}, {form}: {got}");
        }
        assert_eq!(scene.kept().len(), forms().len());
    }
}

#[tokio::test]
async fn an_encoded_message_within_is_replaced_as_a_whole() {
    let mut scene = Scene::of(PartAction::Strip).await;
    let message = format!(
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\ntext\r\n--o\r\n\
         Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--o--",
        base64(mail("", b"x").as_bytes())
    );
    let reply = scene.client.mail(&message).await;
    assert!(reply.starts_with("250 2.0.0 taken"), "{reply} {:?}", scene.rig.notes());
    let (trace, got) = scene.got();
    assert!(trace.contains("X-Postern-Rewritten: part 2 replaced\r\n"), "{trace}");
    assert!(got.contains("The mail gateway removed") && !got.contains("message/rfc822"), "{got}");
}

#[tokio::test]
async fn a_message_that_is_one_file_and_large_is_rewritten_too() {
    let mut scene = Scene::of(PartAction::Strip).await;
    let content: Vec<u8> = (0..2_000_000_u32).map(|octet| (octet % 253) as u8).collect();
    let message = format!(
        "Subject: only a file\r\nContent-Type: application/x-msdownload; name=a.exe\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}",
        base64(&content)
    );
    let reply = scene.client.mail(&message).await;
    assert!(reply.starts_with("250 2.0.0 taken"), "{reply} {:?}", scene.rig.notes());
    let (_, got) = scene.got();
    assert!(
        got.starts_with("Subject: only a file\r\nMIME-Version: 1.0\r\nContent-Type: text/plain"),
        "{got}"
    );
    assert!(got.len() < 2000);
}

#[tokio::test]
async fn what_no_rule_is_about_arrives_octet_for_octet() {
    let mut scene = Scene::of(PartAction::Block).await;
    let plain = [
        "no header at all",
        "Subject: x\r\n\r\nno MIME-Version",
        "Subject: \u{e4}\r\n\r\n8-bit \u{f6}\u{fc}",
        "Content-Type: text/plain\r\n\r\n.dots\r\n..\r\n\r\n",
    ];
    for message in plain {
        assert_eq!(scene.client.mail(message).await, "250 2.0.0 taken as 4711\r\n", "{message:?}");
    }
    for (message, mail) in plain.iter().zip(scene.hop.mail()) {
        assert!(mail.octets.ends_with(format!("\r\n{message}\r\n").as_bytes()), "{message:?}");
    }
    assert!(scene.kept().is_empty());
    // Nobody hashes what goes on as it came, but its parts.
    let digests = scene.events().into_iter().filter_map(|event| match event {
        SessionEvent::Judged { sha256, .. } => Some((sha256.len(), 0)),
        SessionEvent::Part(part) => Some((0, part.sha256.len())),
        _ => None,
    });
    let longest = digests.fold((0, 0), |(a, b), (c, d)| (a.max(c), b.max(d)));
    assert_eq!(longest, (0, hexadecimal(&[0; 32]).len()));
}
