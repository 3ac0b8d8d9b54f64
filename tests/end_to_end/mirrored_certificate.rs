//! C7, C9: the client sees the next hop's certificate, signed by the inspection CA, or the one that was imported.

use std::process::Output;

use harness::certificate::Certificate;
use harness::command;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::{requires_programs, requires_root};

fn s_client(scene: &Scene<'_>, more: &[&str]) -> Output {
    let enter = scene.topology.client.nsenter_argument();
    let server = scene.next_hop.address().to_string();
    let mut arguments = vec![enter.as_str(), "openssl", "s_client", "-starttls", "smtp", "-connect", &server];
    arguments.extend(["-servername", "server.test", "-showcerts", "-ign_eof"]);
    arguments.extend(more);
    command::try_run("nsenter", &arguments, "QUIT\r\n")
}

fn x509(pem: &str, what: &[&str]) -> String {
    let arguments = [&["x509", "-noout", "-nameopt", "RFC2253"], what].concat();
    command::run_with_input("openssl", &arguments, pem)
}

#[test]
fn a_minted_leaf_says_what_the_next_hops_does_under_our_issuer() {
    requires_root!();
    requires_programs!("openssl");
    let config = MailConfig::minting();
    play(&config, Script::ordinary(), |scene| {
        let authority = config.folder().join("ca/ca.pem").display().to_string();
        let output = s_client(scene, &["-CAfile", &authority, "-verify_return_error"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Verify return code: 0 (ok)"), "{text}");
        let begin = text.find("-----BEGIN CERTIFICATE-----").expect("a certificate");
        let shown = &text[begin..];
        let original = &scene.next_hop.certificate().pem;
        for what in [&["-subject"][..], &["-ext", "subjectAltName"], &["-enddate"]] {
            assert_eq!(x509(shown, what), x509(original, what), "{what:?}");
        }
        assert_eq!(x509(shown, &["-issuer"]), "issuer=CN=Postern inspection CA\n");
        // The EHLO said inside TLS offers no second upgrade.
        let hello = scene.secured().say("EHLO client.test");
        assert!(!hello.expect(250).lines.contains(&"STARTTLS".to_owned()), "{hello:?}");
    });
}

#[test]
fn an_imported_certificate_is_shown_as_it_is() {
    requires_root!();
    requires_programs!("openssl");
    let certificate = Certificate::new("server.test");
    let config = MailConfig::imported(&certificate);
    play(&config, Script::ordinary(), |scene| {
        let chain = config.folder().join("chain.pem").display().to_string();
        for version in ["-tls1_2", "-tls1_3"] {
            let output = s_client(scene, &["-CAfile", &chain, "-verify_return_error", version]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                output.status.success() && text.contains("Verify return code: 0 (ok)"),
                "{version}: {text}"
            );
            assert!(text.contains(certificate.pem.trim()), "{text}");
        }
        // Anything older is refused unless it is asked for.
        let output = s_client(scene, &["-tls1_1", "-cipher", "ALL@SECLEVEL=0"]);
        assert!(
            !String::from_utf8_lossy(&output.stdout).contains("Protocol  : TLSv1.1\n    Cipher    : ECDHE")
        );
    });
}
