//! What is infected is refused in the dialogue, and the dialogue goes on.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play, play_at};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::records;
use harness::requires_root;
use harness::topology::Family;

/// Refused, then a clean one on the same connection; the next hop has only that.
fn refused_then_clean(scene: &Scene<'_>, originator: &mut Originator) {
    let before = records::of_event(&records::read(&scene.config.folder()), "account").len();
    scene.next_hop.forget_deliveries();
    let reply = originator.mail(&mail::infected("bad"));
    let text = reply.expect(554).text();
    assert!(text.starts_with("5.7.1 "), "{reply:?}");
    let clean = mail::note("good");
    originator.mail(&clean).expect(250);
    originator.say("QUIT").expect(221);
    scene.expect_arrived(&[&clean]);
    scene.expect_clean_wire();

    let all = scene.accounts(before + 1);
    let account = *records::of_event(&all, "account").last().expect("an account");
    assert_eq!((&account["delivered"], &account["refused"]), (&1.into(), &1.into()), "{account}");
    assert_eq!(account["disposition"], "inspected", "{account}");
    let session = account["session"].as_str().expect("a session id");
    assert!(text.contains(session), "the reply {text:?} names the session {session}");
    let mine = |event| {
        let records = records::of_event(&all, event);
        records.into_iter().filter(|record| record["session"] == session).collect::<Vec<_>>()
    };
    let judged = mine("judged");
    assert_eq!(judged.len(), 2, "{judged:?}");
    assert_eq!((&judged[0]["verdict"], &judged[0]["action"]), (&"infected".into(), &"refuse".into()));
    let replied = mine("replied");
    assert_eq!((&replied[0]["code"], &replied[0]["from_next_hop"]), (&554.into(), &false.into()));
    assert_eq!((&replied[1]["code"], &replied[1]["from_next_hop"]), (&250.into(), &true.into()));
}

#[test]
fn eicar_in_plaintext_and_over_starttls_is_refused() {
    requires_root!();
    play(&MailConfig::imported(&Certificate::new("server.test")), Script::ordinary(), |scene| {
        refused_then_clean(scene, &mut scene.greeted());
        refused_then_clean(scene, &mut scene.secured());
    });
}

#[test]
fn eicar_over_implicit_tls_is_refused() {
    requires_root!();
    let address = SocketAddr::new(Family::V4.server(), 465);
    let certificate = Certificate::new("server.test");
    play_at(&MailConfig::imported(&certificate), address, Script::implicit(), certificate, |scene| {
        refused_then_clean(scene, &mut Originator::implicit(&scene.topology.client, address));
    });
}

#[test]
fn eicar_in_chunks_and_octet_by_octet_is_refused() {
    requires_root!();
    play(&MailConfig::plain(), Script::ordinary().chunking(), |scene| {
        let mut originator = scene.greeted();
        originator.mail_in_chunks(&mail::infected("chunks"), 100).expect(554);
        originator.envelope("a@client.test", "b@server.test");
        originator.say("DATA").expect(354);
        let data = mail::stuffed(&mail::infected("octets"));
        originator.try_send_in_pieces(&data, 1).expect("the octets can be sent");
        originator.reply().expect(554);
        originator.say("QUIT").expect(221);
        scene.expect_clean_wire();
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}
