//! `postern replay` (N4): what is in quarantine and in the spool, judged again under another configuration.

use harness::command;
use harness::deadline::{SOON, wait_until};
use harness::gateway::binary;
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::requires_root;
use serde_json::Value;

const RULES: &str = "[[inspection.rule]]\nname = \"kept\"\nfile_name = [\"keep-*\"]\naction = \"quarantine\"\n\
                     [[inspection.rule]]\nname = \"programs\"\nfile_name = [\"strip-*\"]\naction = \"strip\"\n";

/// What is said, and with part of the configuration in another form if that is asked for.
fn replayed(scene: &Scene<'_>, policy: Option<(&str, &str)>) -> Value {
    let config = scene.gateway.config_path().display().to_string();
    let mut arguments = vec!["replay", "--since", "1h", "--all", "--json", "--config", &config];
    let other = scene.config.folder().join("other.toml");
    let other = other.display().to_string();
    if let Some((old, new)) = policy {
        let text = std::fs::read_to_string(scene.gateway.config_path()).expect("the configuration");
        std::fs::write(&other, text.replace(old, new)).expect("another one can be written");
        arguments.extend(["--policy", &other]);
    }
    let run = command::try_run(&binary().display().to_string(), &arguments, "");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    serde_json::from_slice(&run.stdout).expect("JSON")
}

fn retained(scene: &mut Scene<'_>, in_spool: usize) {
    let attached = |name: &str| mail::with_attachment("retained", name, b"text\r\n");
    let mut originator = scene.greeted();
    for message in [attached("keep-me.txt"), attached("strip-me.txt"), mail::note("plain")] {
        originator.mail(&message).expect(250);
    }
    let folder = scene.config.folder();
    let bodies = |name: &str| std::fs::read_dir(folder.join(name)).map_or(0, Iterator::count);
    wait_until("two are kept", SOON, || bodies("quarantine/body") == 2);
    let same = replayed(scene, None);
    println!("{same:#}");
    let count = |report: &Value, key: &str| report[key].as_u64().expect("a number") as usize;
    assert_eq!((count(&same, "same"), count(&same, "changed")), (2 + in_spool, 0), "{same:#}");
    assert_eq!(same, replayed(scene, None));
    let other = "[[inspection.rule]]\nname = \"kept\"\nfile_name = [\"keep-*\", \"strip-*\"]\naction = \"quarantine\"\n";
    let changed = replayed(scene, Some((RULES, other)));
    assert_eq!((count(&changed, "same"), count(&changed, "changed")), (1 + in_spool, 1), "{changed:#}");
    let messages = changed["messages"].as_array().expect("messages");
    let of = |place: &str| messages.iter().filter(|row| row["place"] == place).count();
    assert_eq!((of("quarantine"), of("spool")), (2, in_spool), "{changed:#}");
    let row = messages.iter().find(|row| row["old"]["part_rule"] == "programs").expect("the stripped one");
    assert_eq!((&row["old"]["action"], &row["new"]["action"]), (&"rewrite".into(), &"quarantine".into()));
    assert_eq!(row["stages"][0]["new"], "ran(rule kept: quarantine)", "{row:#}");
    assert_eq!(bodies("quarantine/body"), 2);
}

#[test]
fn what_is_in_quarantine_is_judged_again() {
    requires_root!();
    play(&MailConfig::plain().with_tables(RULES), Script::ordinary(), |scene| retained(scene, 0));
}

#[test]
fn what_waits_in_the_spool_is_judged_again() {
    requires_root!();
    // Nobody listens there, and so nothing leaves.
    let config = MailConfig::spooling("").with("delivery_servers = [\"127.0.0.1:1\"]");
    play(&config.with_tables(RULES), Script::ordinary(), |scene| retained(scene, 1));
}

const ENVELOPE: &str =
    "[[resource.envelope]]\npath = [\"sender\", \"recipient\"]\nleft = \"*@*\"\nright = \"&@in.&\"\n";

#[test]
fn rules_on_the_envelope_are_gone_by_again() {
    requires_root!();
    let nowhere = "delivery_servers = [\"127.0.0.1:1\"]\n";
    let spooling = MailConfig::spooling("").with(nowhere).with(ENVELOPE);
    for (config, kept) in [(MailConfig::plain().with(ENVELOPE), 1), (spooling, 2)] {
        play(&config.with_tables(RULES), Script::ordinary(), |scene| {
            let mut originator = scene.greeted();
            for message in
                [mail::with_attachment("retained", "keep-me.txt", b"text\r\n"), mail::note("plain")]
            {
                originator.mail(&message).expect(250);
            }
            // What these rules made of it, they would not give another form once more.
            let same = replayed(scene, None);
            assert_eq!((&same["same"], &same["changed"]), (&kept.into(), &0.into()), "{same:#}");
            let changed = replayed(scene, Some((ENVELOPE, "")));
            assert_eq!(changed["changed"], kept, "{changed:#}");
            for row in changed["messages"].as_array().expect("messages") {
                let paths = row["envelope"].as_array().expect("paths");
                assert_eq!(paths.len(), 2, "{row:#}");
                for (path, which, given) in
                    [(0, "sender", "a@client.test"), (1, "recipient", "b@server.test")]
                {
                    let old = given.replace('@', "@in.");
                    let wanted = serde_json::json!({"path": which, "given": given, "old": old, "new": given});
                    assert_eq!(paths[path], wanted, "{row:#}");
                }
            }
        });
    }
}
