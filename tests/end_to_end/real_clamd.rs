//! clamd as it comes from Debian finds what the built-in stages would not.

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::netns::NetNs;
use harness::next_hop::Script;
use harness::real_clamd::{RealClamd, SIGNATURE, WORD, WORD_SIGNATURE};
use harness::{records, requires_programs, requires_root};

#[test]
fn clamd_names_what_it_found_and_the_connection_goes_on() {
    requires_root!();
    requires_programs!("clamd");
    let namespace = NetNs::new("clamd");
    let clamd = RealClamd::start(&namespace);
    let config = MailConfig::plain().with_clamd(&clamd.socket());
    play(&config, Script::plain(), |scene| {
        let mut originator = scene.greeted();
        let message = mail::with_attachment("clean", "a.bin", &vec![1; 200_000]);
        originator.mail(&message).expect(250);
        let reply = originator.mail(&mail::infected("bad"));
        reply.expect(554);
        // Large enough to be in a file by the time it is looked at.
        let hidden = [vec![b' '; 400_000], mail::eicar(), vec![b' '; 1000]].concat();
        let reply = originator.mail(&mail::with_attachment("hidden", "notes.txt", &hidden));
        reply.expect(554);
        let found = format!("{SIGNATURE}.UNOFFICIAL");
        let all = scene.accounts(0);
        let engines = harness::records::of_event(&all, "engine");
        assert!(engines.iter().any(|engine| engine["detail"] == found.as_str()), "{engines:#?}");
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message, &message]);
        scene.expect_clean_wire();
    });
}

/// Two attachments, as they stand in a message.
fn with_two(subject: &str, files: [(&str, &[u8]); 2]) -> Vec<u8> {
    let [first, second] = files.map(|(name, octets)| {
        format!(
            "--=_two\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}",
            mail::base64(octets)
        )
    });
    let text = format!(
        "From: <a@client.test>\r\nTo: <b@server.test>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_two\"\r\n\r\n\
         --=_two\r\nContent-Type: text/plain\r\n\r\nSee both.\r\n{first}{second}--=_two--\r\n"
    );
    text.into_bytes()
}

/// The part with a file, from its delimiter to the next.
fn part_of<'t>(text: &'t str, name: &str) -> &'t str {
    let found = text.split("--=_two").find(|part| part.contains(&format!("filename=\"{name}\"")));
    found.unwrap_or_else(|| panic!("no part with {name} in {text}"))
}

#[test]
fn what_clamd_found_in_one_attachment_goes_and_the_other_arrives_octet_for_octet() {
    requires_root!();
    requires_programs!("clamd");
    let namespace = NetNs::new("clamd");
    let clamd = RealClamd::start(&namespace);
    let rule = "[[inspection.rule]]\nname = \"found\"\nverdict = [\"infected\"]\nengine = [\"clamd\"]\naction = \"strip\"\n";
    let config = MailConfig::plain().with_tables(rule).with_clamd(&clamd.socket());
    play(&config, Script::plain(), |scene| {
        let harmless: Vec<u8> =
            (0..300_000_u32).map(|octet| (octet.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let bad = [b"text ".repeat(100), WORD.to_vec(), b" text".repeat(100)].concat();
        let mut originator = scene.greeted();
        let files: [(&str, &[u8]); 2] = [("harmless.bin", &harmless), ("bad.txt", &bad)];
        for (subject, files) in [("last", files), ("first", [files[1], files[0]])] {
            let message = with_two(subject, files);
            originator.mail(&message).expect(250);
            let deliveries = scene.next_hop.wait_for_deliveries(1);
            scene.next_hop.forget_deliveries();
            let got = String::from_utf8(deliveries[0].octets.clone()).expect("what was sent is ASCII");
            let sent = String::from_utf8(message).expect("what was sent is ASCII");
            assert_eq!(part_of(&got, "harmless.bin"), part_of(&sent, "harmless.bin"), "it was changed");
            assert!(
                !got.contains("filename=\"bad.txt\"") && got.contains("The mail gateway removed"),
                "{got}"
            );
            assert!(got.contains(&format!("Found:        {WORD_SIGNATURE}")), "{got}");
        }
        // Where nothing says what is to be done about it, it is told where it is.
        originator.mail(&mail::with_attachment("clean", "a.bin", &harmless)).expect(250);
        originator.say("QUIT").expect(221);
        let all = scene.accounts(1);
        let rows: Vec<_> = records::of_event(&all, "part")
            .into_iter()
            .filter(|part| part["names"][0] == "bad.txt")
            .map(|part| part["stages"].to_string())
            .collect();
        assert!(rows.len() == 2, "{rows:?}");
        for row in rows {
            assert!(row.contains(&format!("ran(infected: {WORD_SIGNATURE}.UNOFFICIAL)")), "{row}");
        }
    });
}
