//! Clients by other hands: swaks and Python's smtplib.

use std::process::Output;

use harness::certificate::Certificate;
use harness::command;
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::{requires_programs, requires_root};

fn config() -> MailConfig {
    MailConfig::imported(&Certificate::new("server.test"))
}

fn swaks(scene: &Scene<'_>, more: &[&str]) -> Output {
    let enter = scene.topology.client.nsenter_argument();
    let server = scene.next_hop.address().ip().to_string();
    let mut arguments = vec![enter.as_str(), "swaks", "--server", &server, "--timeout", "15"];
    arguments.extend(["--from", "a@client.test", "--to", "b@server.test", "--ehlo", "client.test"]);
    arguments.extend(more);
    command::try_run("nsenter", &arguments, "")
}

#[test]
fn swaks_is_refused_with_eicar_and_served_without() {
    requires_root!();
    requires_programs!("swaks");
    play(&config(), Script::ordinary(), |scene| {
        let file = scene.config.folder().join("attachment.com");
        std::fs::write(&file, mail::eicar()).expect("the file can be written");
        let attach = format!("@{}", file.display());
        for tls in [&["-tls"][..], &[]] {
            let output = swaks(scene, &[tls, &["--attach", &attach]].concat());
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // 26 is swaks' code for an error at the end of the data.
            assert_eq!(output.status.code(), Some(26), "{text}");
            assert!(text.contains("554 5.7.1 ") && text.contains("221 "), "{text}");
        }
        std::fs::write(&file, "nothing in it").expect("the file can be written");
        let output = swaks(scene, &["-tls", "--attach", &attach]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let delivery = &scene.next_hop.wait_for_deliveries(1)[0];
        assert!(
            delivery.tls && mail::find(&delivery.octets, b"bm90aGluZyBpbiBpdA==").is_some(),
            "{delivery:?}"
        );
        scene.expect_clean_wire();
    });
}

const SMTPLIB: &str = r#"
import smtplib, ssl, sys
from email.message import EmailMessage
context = ssl.create_default_context(cafile=sys.argv[2])
context.check_hostname = False
def message(octets):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "a@client.test", "b@server.test", "smtplib"
    m.set_content("See the attachment.")
    m.add_attachment(octets, maintype="application", subtype="octet-stream", filename="a.com")
    return m
with smtplib.SMTP(sys.argv[1], 25, local_hostname="client.test", timeout=15) as s:
    s.starttls(context=context)
    try:
        s.send_message(message(open(sys.argv[3], "rb").read()))
        sys.exit("EICAR was taken")
    except smtplib.SMTPDataError as error:
        print(error.smtp_code, error.smtp_error.decode())
    s.send_message(message(b"nothing in it"))
    print("taken")
"#;

#[test]
fn smtplib_is_refused_with_eicar_and_served_on_the_same_connection() {
    requires_root!();
    requires_programs!("python3");
    play(&config(), Script::ordinary(), |scene| {
        let file = scene.config.folder().join("attachment.com");
        std::fs::write(&file, mail::eicar()).expect("the file can be written");
        let said = scene.topology.client.exec(
            "python3",
            &[
                "-c",
                SMTPLIB,
                &scene.next_hop.address().ip().to_string(),
                &scene.config.folder().join("chain.pem").display().to_string(),
                &file.display().to_string(),
            ],
        );
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].starts_with("554 5.7.1 ") && lines[1] == "taken", "{said}");
        assert_eq!(scene.next_hop.wait_for_deliveries(1).len(), 1);
        scene.expect_clean_wire();
    });
}
