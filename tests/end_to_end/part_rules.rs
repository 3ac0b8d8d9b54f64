//! Rules on parts (E13, E14, E18, E19): each action by name and by content, on the wire, in the records and in quarantine.

use std::path::Path;

use harness::deadline::{SOON, wait_for, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::packed;
use harness::records;
use harness::requires_root;
use serde_json::Value;

/// An action, and the start of a file of the kind that its rule is about.
const ACTIONS: [(&str, &str, &[u8]); 7] = [
    ("allow", "pdf", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"),
    ("scan", "image", b"GIF89a\x01\0\x01\0\0\0\0;"),
    ("lock", "elf", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0"),
    ("strip", "script", b"#!/bin/sh\necho x\n"),
    ("quarantine", "url", b"[InternetShortcut]\r\nURL=http://x.test/\r\n"),
    ("drop", "reg", b"Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\x]\r\n"),
    ("block", "post_script", b"%!PS-Adobe-3.0\nshowpage\n"),
];

/// Two rules for each action: one about names, one about content.
fn rules() -> String {
    let rule = |(action, kind, _): &(&str, &str, &[u8])| {
        format!(
            "[[inspection.rule]]\nname = \"{action} by name\"\nfile_name = [\"{action}-*\"]\naction = \"{action}\"\n\
             [[inspection.rule]]\nname = \"{action} by content\"\nkind = [\"{kind}\"]\naction = \"{action}\"\n"
        )
    };
    ACTIONS.iter().map(rule).collect()
}

fn config() -> MailConfig {
    MailConfig::plain().with_tables(&rules())
}

/// The message's name in the records, from a record about it.
fn name_of(record: &Value) -> String {
    format!("{}.{}", record["session"].as_str().expect("a session"), record["message"])
}

/// What was judged so far.
fn judged(scene: &Scene<'_>) -> Vec<Value> {
    let all = records::read(&scene.config.folder().join("records"));
    records::of_event(&all, "judged").into_iter().cloned().collect()
}

/// What the next hop has got of one message, behind the trace fields, and those.
fn arrived(scene: &Scene<'_>) -> (String, String) {
    let deliveries = scene.next_hop.wait_for_deliveries(1);
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    scene.next_hop.forget_deliveries();
    let text = String::from_utf8(deliveries[0].octets.clone()).expect("what was sent is ASCII");
    let at = text.find("From: <a@client.test>").expect("the message's own first field");
    (text[..at].to_owned(), text[at..].to_owned())
}

/// Everything but the part with the file.
fn expect_the_rest(message: &[u8], got: &str) {
    let text = String::from_utf8_lossy(message);
    let (before, file) = text.split_once("Content-Type: application/octet-stream").expect("a file");
    let (_, encoded) = file.split_once("\r\n\r\n").expect("a header section");
    assert!(got.starts_with(before), "what stood before the part is changed:\n{got}");
    assert!(got.ends_with("\r\n--=_cut--\r\n"), "what stood behind the part is changed:\n{got}");
    let (first_line, _) = encoded.split_once("\r\n").expect("a line of base64");
    assert!(!got.contains(first_line), "the part is still there:\n{got}");
}

#[test]
fn every_action_by_name_and_by_content() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        for (action, _, content) in ACTIONS {
            for (by, name, octets) in [
                ("name", format!("{action}-a.dat"), b"just text\r\n".as_slice()),
                ("content", "harmless.dat".to_owned(), content),
            ] {
                println!("{action} by {by}");
                one(scene, action, by, &mail::with_attachment("ruled", &name, octets));
            }
        }
    });
}

fn one(scene: &Scene<'_>, action: &str, by: &str, message: &[u8]) {
    let mut originator = scene.greeted();
    let source = originator.local().ip().to_string();
    let before = judged(scene).len();
    let reply = originator.mail(message);
    let judged = wait_for("the judgement is recorded", SOON, || judged(scene).get(before).cloned());
    let id = name_of(&judged);
    // The document is damaged, and passes because it is allowed; the text passes because nothing is wrong with it.
    let decides = !matches!((action, by), ("allow", "name") | ("scan", _));
    assert_eq!(
        judged["part_rule"].as_str(),
        decides.then_some(format!("{action} by {by}").as_str()),
        "{judged}"
    );
    let story = scene.gateway.command_on_files(&[
        "explain",
        &id,
        "--records",
        &scene.config.folder().join("records").display().to_string(),
    ]);
    let row = format!("policy ran(rule {action} by {by}: {action})");
    assert!(story.contains(&row), "no {row:?} in\n{story}");
    assert!(story.contains("policy ran(no rule)"), "{story}");
    match action {
        "allow" | "scan" => {
            reply.expect(250);
            scene.expect_arrived(&[message]);
            scene.next_hop.forget_deliveries();
            assert_eq!(judged["action"], "pass", "{judged}");
        }
        "lock" | "strip" => {
            reply.expect(250);
            let (trace, got) = arrived(scene);
            assert!(trace.ends_with("X-Postern-Rewritten: part 2 replaced\r\n"), "{trace}");
            expect_the_rest(message, &got);
            assert!(got.contains("The mail gateway ") && !got.contains("(none)"), "{got}");
            assert_eq!(got.contains(".clk\""), action == "lock", "{got}");
            assert_eq!(judged["action"], "rewrite", "{judged}");
        }
        "quarantine" => {
            assert_eq!(reply.expect(250).text(), format!("2.0.0 Accepted, quarantined as {id}"));
            assert_eq!(scene.next_hop.deliveries(), []);
        }
        _ => {
            let text = reply.expect(554).text();
            assert!(text.starts_with("5.7.1 Message refused: ") && text.contains("may not pass"), "{text}");
            assert_eq!(scene.next_hop.deliveries(), []);
            if action == "drop" {
                assert!(originator.expect_close().is_empty());
            }
        }
    }
    if action == "block" {
        let list = || scene.gateway.command(&["ban", "list"]);
        wait_until("the source is banned", SOON, || list().contains(&source));
        wait_until("its ban is recorded", SOON, || {
            let all = records::read(&scene.config.folder().join("records"));
            records::of_event(&all, "banned").iter().any(|record| record["source"] == source.as_str())
        });
        scene.gateway.command(&["ban", "del", &source]);
    } else if action != "drop" {
        originator.say("QUIT").expect(221);
    }
}

#[test]
fn a_locked_file_unlocks_to_what_it_was() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        let content: Vec<u8> =
            (0..300_000_u32).map(|octet| (octet.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let message = mail::with_attachment("locked", "lock-me.bin", &content);
        scene.greeted().mail(&message).expect(250);
        let (_, got) = arrived(scene);
        let (_, file) = got.split_once("filename=\"lock-me.bin.clk\"\r\n\r\n").expect("the locked file");
        let (file, _) = file.split_once("\r\n--=_postern_").expect("its end");
        let folder = scene.config.folder();
        let (locked, out, key) = (folder.join("got.clk"), folder.join("got"), folder.join("lock.key"));
        std::fs::write(&locked, from_base64(file)).expect("the file can be written");
        let text = |path: &Path| path.display().to_string();
        let (locked, key) = (text(&locked), text(&key));
        scene.gateway.command_on_files(&["unlock", &locked, "--key", &key, "--output", &text(&out)]);
        assert!(std::fs::read(&out).expect("the unlocked file") == content, "it is another file");
    });
}

/// RFC 2045 §6.8.
fn from_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |letter: u8| LETTERS.iter().position(|known| *known == letter);
    let letters: Vec<usize> = text.bytes().filter_map(value).collect();
    let mut octets = Vec::new();
    for group in letters.chunks(4) {
        let bits = (0..4).fold(0, |bits, place| bits << 6 | group.get(place).copied().unwrap_or(0));
        octets.extend_from_slice(&bits.to_be_bytes()[5..5 + group.len() - 1]);
    }
    octets
}

#[test]
fn a_safe_copy_goes_on_and_the_original_is_kept() {
    requires_root!();
    let rule = "[[inspection.rule]]\nname = \"pages\"\nkind = [\"html\"]\naction = \"clean\"\n";
    play(&MailConfig::plain().with_tables(rule), Script::ordinary(), |scene| {
        let page =
            |more: &str, body: &str| format!("<html>\r\n<body{more}><p>text</p>{body}</body></html>\r\n");
        let (copy, active) = (page("", ""), page(" onload='x()'", "<script>alert(1)</script>"));
        let message = mail::with_attachment("cleaned", "page.html", active.as_bytes());
        scene.greeted().mail(&message).expect(250);
        let (trace, got) = arrived(scene);
        assert!(trace.ends_with("X-Postern-Rewritten: part 2 replaced\r\n"), "{trace}");
        expect_the_rest(&message, &got);
        let (_, file) = got.split_once("filename=\"page.html\"").expect("the file");
        let (_, file) = file.split_once("\r\n\r\n").expect("its content");
        let (file, _) = file.split_once("\r\n--=_cut").expect("its end");
        assert_eq!(String::from_utf8(from_base64(file)).expect("text"), copy);
        let all = records::read(&scene.config.folder().join("records"));
        let rewritten = records::of_event(&all, "rewritten")[0].to_string();
        assert!(rewritten.contains("without attribute onload, script"), "{rewritten}");
        let config = scene.gateway.config_path().display().to_string();
        let list = scene.gateway.command_on_files(&["quarantine", "list", "--json", "--config", &config]);
        let entry: Value = serde_json::from_str(list.lines().next().expect("an entry")).expect("JSON");
        assert_eq!(entry["original"], true, "{list}");
        // What has nothing to take out passes as it is.
        let harmless = mail::with_attachment("harmless", "page.html", copy.as_bytes());
        scene.greeted().mail(&harmless).expect(250);
        scene.expect_arrived(&[&harmless]);
    });
}

#[test]
fn an_archive_goes_on_with_its_documents_cleaned_and_the_rest_as_it_was() {
    requires_root!();
    let rule = "[[inspection.rule]]\nname = \"pages\"\nkind = [\"html\"]\naction = \"clean\"\n";
    play(&MailConfig::plain().with_tables(rule), Script::ordinary(), |scene| {
        let page = b"<html>\r\n<body><p>text</p><script>alert(1)</script></body></html>\r\n";
        let (archive, members) =
            packed::zip(&[("page.html", page), ("a.txt", b"as it was"), ("b.txt", b"too")]);
        let message = mail::with_attachment("packed", "all.zip", &archive);
        scene.greeted().mail(&message).expect(250);
        let (_, got) = arrived(scene);
        expect_the_rest(&message, &got);
        let (_, file) = got.split_once("filename=\"all.zip\"").expect("the file");
        let (_, file) = file.split_once("\r\n\r\n").expect("its content");
        let (file, _) = file.split_once("\r\n--=_cut").expect("its end");
        let cleaned = from_base64(file);
        for (at, is_there) in [(0, false), (1, true), (2, true)] {
            assert_eq!(mail::find(&cleaned, &members[at]).is_some(), is_there, "member {at}");
        }
        let all = records::read(&scene.config.folder().join("records"));
        let rewritten = records::of_event(&all, "rewritten")[0].to_string();
        assert!(rewritten.contains("page.html") && rewritten.contains("without script"), "{rewritten}");
        // The copy is an archive that can be read, with nothing in it to take out.
        let path = scene.config.folder().join("cleaned.zip");
        std::fs::write(&path, &cleaned).expect("it can be written");
        let again = std::process::Command::new(harness::gateway::binary()).arg("clean").arg(&path).output();
        let again = again.expect("postern can be started");
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert!(again.status.success() && said.contains("nothing"), "{said} {again:?}");
    });
}

#[test]
fn a_quarantined_mail_is_delivered_once_when_it_is_released() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        let message = mail::with_attachment("kept", "quarantine-me.txt", b"text\r\n");
        let mut originator = scene.greeted();
        let text = originator.mail(&message).expect(250).text();
        let id = text.strip_prefix("2.0.0 Accepted, quarantined as ").expect("its name").to_owned();
        originator.say("QUIT").expect(221);
        assert_eq!(scene.next_hop.deliveries(), []);
        let all = scene.accounts(1);
        let account = records::of_event(&all, "account")[0];
        assert_eq!((&account["quarantined"], &account["delivered"]), (&1.into(), &0.into()), "{account}");
        let config = scene.gateway.config_path().display().to_string();
        let list = scene.gateway.command_on_files(&["quarantine", "list", "--json", "--config", &config]);
        let entry: Value = serde_json::from_str(list.lines().next().expect("an entry")).expect("JSON");
        assert_eq!(entry["id"], id.as_str(), "{list}");
        scene.gateway.command_on_files(&["quarantine", "release", &id, "--config", &config]);
        scene.expect_arrived(&[&message]);
    });
}

#[test]
fn mail_that_says_nothing_of_itself_arrives_octet_for_octet() {
    requires_root!();
    let destructive = "[[inspection.rule]]\nname = \"doubtful\"\n\
                       verdict = [\"ambiguous\", \"unsupported\", \"limit_exceeded\"]\naction = \"strip\"\n\
                       [[inspection.rule]]\nname = \"named\"\nfile_name = [\"*\"]\naction = \"strip\"\n";
    let config = MailConfig::plain().with_tables(&(rules() + destructive));
    play(&config, Script::ordinary().chunking(), |scene| {
        let eight_bit: Vec<u8> = (0x80..=0xff).chain(*b"\r\n").chain(0xa0..=0xff).chain(*b"\r\n").collect();
        let plain: Vec<Vec<u8>> = vec![
            b"Hello, no header at all.\r\n".to_vec(),
            b"\r\nAn empty header section.\r\n".to_vec(),
            b"From: <a@client.test>\r\n\r\nNo MIME-Version.\r\n".to_vec(),
            [b"Subject: 8-bit \xe4\r\n\r\n".as_slice(), &eight_bit].concat(),
            eight_bit.clone(),
            b"Subject: only a header section\r\n".to_vec(),
            b"Content-Type: text/plain\r\n\r\n.dots\r\n..\r\n\r\n\r\n".to_vec(),
        ];
        let mut originator = scene.greeted();
        for message in &plain {
            originator.mail(message).expect(250);
        }
        let arrived: Vec<&[u8]> = plain.iter().map(Vec::as_slice).collect();
        scene.expect_arrived(&arrived);
        scene.next_hop.forget_deliveries();
        let unfinished: [&[u8]; 3] = [b"Hello", b"Subject: x\r\n\r\nno final line end", b"Subject: \xe4"];
        for message in unfinished {
            originator.mail_in_chunks(message, 7).expect(250);
        }
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&unfinished);
        let all = scene.accounts(1);
        assert!(records::of_event(&all, "judged").iter().all(|record| record["action"] == "pass"));
    });
}
