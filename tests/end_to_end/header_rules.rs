//! Rules on header fields (D31, D32): addresses become others and fields go, octet for octet, with and without a spool.

use harness::command;
use harness::deadline::{SOON, wait_for};
use harness::gateway::binary;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;
use serde_json::Value;

const RULES: &str = "[[resource.header]]\nfield = [\"From\", \"Cc\"]\nleft = \"*@smtp.weirdal.com\"\nright = \"&@weirdal.com\"\n\
                     [[resource.header]]\nfield = \"Received\"\nleft = \"*\"\nright = \"\"\n\
                     [[resource.header]]\nfield = \"X-Mailer\"\nleft = \"* for *\"\nright = \"&\"\n";

const BEFORE: &str = "From: \"Al\" <al@smtp.weirdal.com>\r\nReceived: from a\r\n\tby b; today\r\nTo: bob@smtp.weirdal.com\r\n\
                      received: from c\r\nCc: x@x.test,\r\n y@SMTP.weirdal.com\r\nReceived-SPF: pass\r\n\
                      X-Mailer: M 1.0\r\n for Unix\r\nSubject: s\r\n\r\n.Received: d\r\n";
const AFTER: &str = "From: \"Al\" <al@weirdal.com>\r\nX-Postern-Hops: 2\r\nTo: bob@smtp.weirdal.com\r\n\
                     Cc: x@x.test,\r\n y@weirdal.com\r\nReceived-SPF: pass\r\nX-Mailer: M 1.0\r\nSubject: s\r\n\r\n.Received: d\r\n";

const ENVELOPE: &str = "[[resource.envelope]]\npath = [\"sender\", \"recipient\"]\nleft = \"*@*.test\"\nright = \"&@&.example\"\n";

/// Sends the message; gives what stands before the message's own first field at the next hop, and the rest.
fn sent(scene: &Scene<'_>, message: &str) -> (String, String) {
    scene.greeted().mail(message.as_bytes()).expect(250);
    let deliveries = scene.next_hop.wait_for_deliveries(1);
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    scene.next_hop.forget_deliveries();
    let text = String::from_utf8(deliveries[0].octets.clone()).expect("ASCII");
    let start = text.find("From: ").expect("the message's own first field");
    (text[..start].to_owned(), text[start..].to_owned())
}

fn fields_change(scene: &mut Scene<'_>) {
    let (trace, got) = sent(scene, BEFORE);
    assert_eq!(got, AFTER);
    assert!(
        trace.ends_with(
            "X-Postern-Rewritten: From rewritten; Received removed; Cc rewritten; X-Mailer rewritten\r\n"
        ),
        "{trace}"
    );
    assert!(trace.starts_with("Received: from "), "{trace}");
    let folder = scene.config.folder();
    let rewritten = wait_for("it is recorded", SOON, || {
        records::of_event(&records::read(&folder.join("records")), "rewritten")
            .first()
            .map(|record| (*record).clone())
    });
    let changes = rewritten["changes"].to_string();
    for change in ["field From: al@smtp.weirdal.com -> al@weirdal.com", "field received removed"] {
        assert!(changes.contains(change), "{changes}");
    }
    original_is_kept(scene, &rewritten);
    let plain = "From: al@weirdal.com\r\nSubject: nothing to do\r\n\r\nx\r\n";
    let (trace, got) = sent(scene, plain);
    assert_eq!(got, plain);
    assert!(!trace.contains("X-Postern-Rewritten"), "{trace}");
}

/// How it came is in quarantine, and the record has both digests.
fn original_is_kept(scene: &Scene<'_>, rewritten: &Value) {
    let folder = scene.config.folder();
    let all = records::read(&folder.join("records"));
    let own = |event: &str| {
        let of_session = |record: &&&Value| record["session"] == rewritten["session"];
        records::of_event(&all, event).iter().find(of_session).map(|record| (*record).clone())
    };
    let (judged, quarantined) = (own("judged").expect("judged"), own("quarantined").expect("quarantined"));
    assert_eq!(quarantined["original"], true, "{quarantined:#}");
    assert_ne!(judged["sha256"], rewritten["sha256"]);
    let id = format!("{}.{}", judged["session"].as_str().expect("a session"), judged["message"]);
    let config = scene.gateway.config_path().display().to_string();
    let show = ["quarantine", "show", &id, "--config", &config, "--json"];
    let run = command::try_run(&binary().display().to_string(), &show, "");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let shown: Value = serde_json::from_slice(&run.stdout).expect(&said);
    assert_eq!((&shown["original"], &shown["sha256"]), (&Value::Bool(true), &judged["sha256"]), "{said}");
    let kept = std::fs::read(folder.join("quarantine/body").join(&id)).expect("its octets");
    assert_eq!(String::from_utf8_lossy(&kept), BEFORE);
}

#[test]
fn fields_change_on_the_way_to_a_next_hop() {
    requires_root!();
    play(&MailConfig::plain().with(RULES), Script::ordinary(), |scene| {
        fields_change(scene);
        // A number says how many were taken out before: mail that goes round in circles ends.
        let looping = format!("X-Postern-Hops: 50\r\n{BEFORE}");
        let reply = scene.greeted().mail(looping.as_bytes());
        assert!(reply.expect(554).text().contains("round in circles"), "{reply:?}");
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn fields_change_on_the_way_through_the_spool() {
    requires_root!();
    play(&MailConfig::spooling("").with(RULES), Script::ordinary(), fields_change);
}

#[test]
fn the_envelope_changes_by_rules_of_its_own() {
    requires_root!();
    for config in [MailConfig::plain().with(ENVELOPE), MailConfig::spooling("").with(ENVELOPE)] {
        play(&config, Script::ordinary(), |scene| {
            scene.greeted().mail(BEFORE.as_bytes()).expect(250);
            let deliveries = scene.next_hop.wait_for_deliveries(1);
            let delivery = &deliveries[0];
            assert!(delivery.from.starts_with("<a@client.example>"), "{delivery:?}");
            assert!(delivery.to[0].starts_with("<b@server.example>"), "{delivery:?}");
            let text = String::from_utf8_lossy(&delivery.octets);
            assert!(text.ends_with(BEFORE) && text.contains("for <b@server.example>;"), "{text}");
        });
    }
}
