//! `postern scan --dry-run` says what the running gateway then does (B9): the reply, the record, and what the next hop gets.

use std::path::Path;

use harness::command;
use harness::deadline::{SOON, wait_for};
use harness::gateway::binary;
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;
use serde_json::Value;

const RULES: &str = "[[inspection.rule]]\nname = \"programs\"\nfile_name = [\"strip-*\"]\naction = \"strip\"\n\
                     [[inspection.rule]]\nname = \"sealed\"\nfile_name = [\"lock-*\"]\naction = \"lock\"\n\
                     [[inspection.rule]]\nname = \"pages\"\nfile_name = [\"clean-*\"]\naction = \"clean\"\n\
                     [[inspection.rule]]\nname = \"kept\"\nfile_name = [\"keep-*\"]\naction = \"quarantine\"\n\
                     [[inspection.rule]]\nname = \"worst\"\nfile_name = [\"block-*\"]\naction = \"block\"\nban_for = \"10s\"\n";

/// What is foretold of a message in a file, and what would go on.
fn foretold(scene: &Scene<'_>, message: &[u8], exit_code: i32) -> (Value, Option<Vec<u8>>) {
    let folder = scene.config.folder();
    let (file, output) = (folder.join("message.eml"), folder.join("goes-on.eml"));
    std::fs::write(&file, message).expect("the message can be written");
    let _ = std::fs::remove_file(&output);
    let text = |path: &Path| path.display().to_string();
    let arguments = [
        "scan",
        "--dry-run",
        "--policy",
        &text(scene.gateway.config_path()),
        "--json",
        "--output",
        &text(&output),
        &text(&file),
    ];
    let run = command::try_run(&text(&binary()), &arguments, "");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(exit_code), "{said}");
    (serde_json::from_slice(&run.stdout).expect("JSON"), std::fs::read(output).ok())
}

/// Without what is of each message alone: its name, and what was remembered of its parts.
fn plain(text: &str, id: &str) -> String {
    let session = id.split('.').next().expect("a session");
    text.replace(id, "ID").replace(session, "SESSION")
}

fn rows(part: &Value) -> Vec<&Value> {
    let stages = part["stages"].as_array().expect("stages");
    stages.iter().filter(|row| row[0] != "cache").collect()
}

const NAME: &str = "00000000-0000-7000-8000-000000000000.1";

/// Sends a message, and compares what happens with what was foretold.
fn one(scene: &Scene<'_>, message: &[u8], exit_code: i32) -> Value {
    let (wanted, output) = foretold(scene, message, exit_code);
    println!("{wanted:#}");
    let run = &wanted["dry_run"];
    let folder = scene.config.folder().join("records");
    let count = records::of_event(&records::read(&folder), "judged").len();
    let mut originator = scene.greeted();
    let reply = originator.mail(message);
    let judged = wait_for("the judgement is recorded", SOON, || {
        records::of_event(&records::read(&folder), "judged").get(count).map(|record| (*record).clone())
    });
    let id = format!("{}.{}", judged["session"].as_str().expect("a session"), judged["message"]);
    for key in ["verdict", "action", "why", "part_rule", "octets"] {
        assert_eq!(wanted[key], judged[key], "{key}: {judged:#}");
    }
    // What goes on as it came need not have one in the record.
    let is_changed = !run["changes"].as_array().is_none_or(Vec::is_empty);
    if is_changed || wanted["action"] != "pass" || !judged["sha256"].is_null() {
        assert_eq!(wanted["sha256"], judged["sha256"], "{judged:#}");
    }
    let all = records::read(&folder);
    let own = |event| {
        let of_message = |record: &&Value| record["session"] == judged["session"];
        records::of_event(&all, event).into_iter().filter(of_message).collect::<Vec<_>>()
    };
    let parts = own("part");
    let wanted_parts = wanted["parts"].as_array().expect("parts");
    assert_eq!(parts.len(), wanted_parts.len());
    for (part, wanted) in parts.iter().zip(wanted_parts) {
        assert_eq!((&part["part"], &part["sha256"]), (&wanted["part"], &wanted["sha256"]));
        assert_eq!(rows(part), rows(wanted));
    }
    match run["reply"].as_str() {
        Some(text) => {
            let said = format!("{} {}", reply.code, reply.text());
            assert_eq!(plain(text, NAME), plain(&said, &id));
        }
        None => assert_eq!(reply.code, 250, "{reply:?}"),
    }
    let quarantined = own("quarantined");
    let kept =
        quarantined.first().map(|record| if record["original"] == true { "original" } else { "message" });
    assert_eq!(run["quarantined"].as_str(), kept);
    let changes: Vec<Value> = own("rewritten").iter().map(|record| record["changes"].clone()).collect();
    assert_eq!(run["changes"], changes.first().cloned().unwrap_or(Value::Null));
    if run["next_hop_gets"] == "nothing" {
        assert_eq!((output, scene.next_hop.deliveries()), (None, Vec::new()));
        return wanted;
    }
    let output = output.expect("what would go on");
    let deliveries = scene.next_hop.wait_for_deliveries(1);
    scene.next_hop.forget_deliveries();
    let got = &deliveries[0].octets;
    let start = mail::find(got, b"From: <a@client.test>").expect("the message's own first field");
    let trace = String::from_utf8_lossy(&got[..start]).into_owned();
    assert_eq!(
        run["trace"].as_str().map(|value| format!("X-Postern-Rewritten: {value}\r\n")),
        trace.split_once("X-Postern-Rewritten").map(|(_, value)| format!("X-Postern-Rewritten{value}"))
    );
    let (got, output) = (String::from_utf8_lossy(&got[start..]), String::from_utf8_lossy(&output));
    let (got, output) = (plain(&got, &id), plain(&output, NAME));
    // A locked file is another one each time, of the same length.
    if judged["part_rule"] == "sealed" {
        assert_eq!(got.len(), output.len());
        let notice = |text: &str| {
            text.split_once("plain").expect("the notice").1.split_once("--=_").map(|(n, _)| n.len())
        };
        assert_eq!(notice(&got), notice(&output));
    } else {
        assert_eq!(got, output);
    }
    wanted
}

#[test]
fn what_is_foretold_happens() {
    requires_root!();
    play(&MailConfig::plain().with_tables(RULES), Script::ordinary(), |scene| {
        let attached = |name: &str, octets: &[u8]| mail::with_attachment("foretold", name, octets);
        let page = b"<html><body onload='x()'><p>text</p></body></html>\r\n";
        for (message, code, gets) in [
            (mail::note("clean"), 0, "as it is"),
            (attached("strip-me.txt", b"text\r\n"), 1, "rewritten"),
            (attached("lock-me.txt", b"text\r\n"), 1, "rewritten"),
            (attached("clean-me.html", page), 1, "rewritten"),
            (attached("clean-me.txt", b"nothing in it\r\n"), 0, "as it is"),
            (attached("keep-me.txt", b"text\r\n"), 1, "nothing"),
            (mail::infected("bad"), 1, "nothing"),
        ] {
            let wanted = one(scene, &message, code);
            assert_eq!(wanted["dry_run"]["next_hop_gets"], gets, "{wanted:#}");
        }
        let wanted = one(scene, &attached("block-me.txt", b"text\r\n"), 1);
        assert_eq!(wanted["dry_run"]["banned_for_s"], 10);
    });
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    requires_root!();
    play(&MailConfig::spooling("").with_tables(RULES), Script::ordinary(), |scene| {
        let message = mail::with_attachment("foretold", "keep-me.txt", b"text\r\n");
        let (wanted, _) = foretold(scene, &message, 1);
        assert_eq!(wanted["dry_run"]["reply"], format!("250 2.0.0 Accepted, quarantined as {NAME}"));
        let (wanted, output) = foretold(scene, &mail::note("clean"), 0);
        assert_eq!(wanted["dry_run"]["reply"], format!("250 2.0.0 queued as {NAME}"));
        assert_eq!(output, Some(mail::note("clean")));
        let (wanted, _) = foretold(scene, b"Subject: x\r\n\r\na\rb\r\n", 1);
        assert_eq!(wanted["dry_run"]["defect"], "bare_cr_in_data", "{wanted:#}");
        let folder = scene.config.folder();
        let files = |name: &str| std::fs::read_dir(folder.join(name)).map_or(0, Iterator::count);
        assert_eq!((files("quarantine/body"), files("spool/active")), (0, 0));
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn rules_on_the_envelope_are_foretold_of_addresses_that_are_named() {
    requires_root!();
    let rule =
        "[[resource.envelope]]\npath = \"recipient\"\nleft = \"*@server.test\"\nright = \"&@in.test\"\n";
    play(&MailConfig::plain().with(rule), Script::ordinary(), |scene| {
        let file = scene.config.folder().join("message.eml").display().to_string();
        std::fs::write(&file, mail::note("clean")).expect("the message can be written");
        let policy = scene.gateway.config_path().display().to_string();
        let scan = ["scan", "--dry-run", file.as_str()];
        let explain = ["explain", "--dry-run", file.as_str()];
        for command in [scan, explain] {
            let envelope =
                ["--json", "--policy", &policy, "--mail-from", "a@server.test", "--rcpt-to", "b@server.test"];
            let run =
                command::try_run(&binary().display().to_string(), &[&command[..], &envelope].concat(), "");
            let said = String::from_utf8_lossy(&run.stdout);
            assert_eq!(run.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&run.stderr));
            let foretold: Value = serde_json::from_slice(&run.stdout).expect("JSON");
            let wanted = serde_json::json!(["envelope: recipient b@server.test becomes b@in.test"]);
            assert_eq!(foretold["dry_run"]["notes"], wanted, "{foretold:#}");
        }
    });
}
