//! S16, S17, S12: only what the gateway understands is offered, and what is not offered is refused.

use harness::certificate::Certificate;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::requires_root;

#[test]
fn keywords_that_open_uninspected_channels_are_removed_and_their_commands_refused() {
    requires_root!();
    let script = [
        "BURL",
        "XEXCH50",
        "X-EXPS GSSAPI",
        "ETRN",
        "ATRN",
        "X-FOO",
        "XCLIENT NAME ADDR",
        "XFORWARD NAME",
        "BINARYMIME",
    ]
    .iter()
    .fold(Script::plain().chunking(), |script, keyword| script.with(keyword));
    play(&MailConfig::plain(), script, |scene| {
        let mut originator = scene.called();
        originator.reply().expect(220);
        let hello = originator.say("EHLO client.test");
        let mut kept: Vec<&str> = hello.lines[1..].iter().map(String::as_str).collect();
        kept.sort_unstable();
        let honest = [
            "8BITMIME",
            "CHUNKING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            "SIZE 104857600",
            "SMTPUTF8",
        ];
        assert_eq!(kept, honest, "exactly what can be honoured");
        for command in [
            "BURL imap://x LAST",
            "XEXCH50 1 2",
            "ETRN example.org",
            "ATRN",
            "X-FOO",
            "XCLIENT NAME=evil",
            "XFORWARD NAME=evil",
        ] {
            let reply = originator.say(command);
            assert!((500..503).contains(&reply.code), "{command}: {reply:?}");
        }
        originator.say("QUIT").expect(221);
        let heard = &scene.next_hop.wait_until_idle()[0];
        let verbs: Vec<&str> = heard.commands.iter().map(|(_, line)| line.as_str()).collect();
        assert!(verbs.iter().all(|line| line.starts_with("EHLO") || *line == "QUIT"), "{verbs:?}");
    });
}

#[test]
fn binary_bodies_are_refused() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().with("BINARYMIME"), |scene| {
        let mut originator = scene.greeted();
        let reply = originator.say("MAIL FROM:<a@client.test> BODY=BINARYMIME");
        assert!((500..556).contains(&reply.code), "{reply:?}");
    });
}

#[test]
fn channel_binding_and_client_certificates_are_not_offered() {
    requires_root!();
    let config = MailConfig::imported(&Certificate::new("server.test"));
    let script = Script::ordinary().with("AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL");
    play(&config, script, |scene| {
        // The words a client sends to prove itself must be in no record.
        let secret = "AGpvaG4AaHVudGVyMg==";
        let mut originator = scene.secured();
        let hello = originator.say("EHLO client.test");
        let auth = hello.lines.iter().find(|line| line.starts_with("AUTH"));
        assert_eq!(auth.map(String::as_str), Some("AUTH PLAIN LOGIN SCRAM-SHA-256"), "{hello:?}");
        originator.say(&format!("AUTH PLAIN {secret}")).expect(235);
        originator.say("QUIT").expect(221);
        scene.accounts(1);
        let records = format!("{:?}", harness::records::read(&scene.config.folder()));
        assert!(
            !records.contains(secret) && !scene.gateway.log().contains(secret),
            "a secret was written down"
        );

        let mut originator = scene.called();
        originator.reply().expect(220);
        let hello = originator.say("EHLO client.test");
        assert!(!hello.lines.iter().any(|line| line.starts_with("AUTH")), "AUTH in plaintext: {hello:?}");
    });
}
