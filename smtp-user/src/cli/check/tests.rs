//! Exit codes and what is printed.

use super::*;

fn report(text: &str, strict: bool) -> Report {
    Report::new("f", Config::parse(text, "f").map_err(LoadError::from), strict)
}

const CLEAN: &str = "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"all\"\naction = \"stack\"\n";
const DOUBTFUL: &str = "[gateway]\ninterfaces = [\"eth0\"]\n";
const WRONG: &str = "[gateway]\ninterfaces = [\"eth0\"]\nhok = 1\n";

#[test]
fn exit_codes_tell_clean_doubtful_wrong_and_missing_apart() {
    for (text, strict, code) in [
        (CLEAN, false, ExitCode::Ok),
        (CLEAN, true, ExitCode::Ok),
        (DOUBTFUL, false, ExitCode::Ok),
        (DOUBTFUL, true, ExitCode::Config),
        (WRONG, false, ExitCode::Config),
    ] {
        assert_eq!(report(text, strict).exit_code, code, "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = Report::new("f", Config::load(&folder.path().join("none")), false);
    assert_eq!(missing.exit_code, ExitCode::NoInput);
    assert!(missing.text().starts_with("there is no file "));
    let denied = LoadError::Permission { path: "f".into() };
    assert_eq!(ExitCode::from(&denied).number(), 77);
}

#[test]
fn the_text_ends_in_a_summary() {
    assert_eq!(report(CLEAN, false).text(), "f: in order, 1 rule.\n");
    assert!(report(DOUBTFUL, false).text().ends_with("f: 1 warning.\n"));
    assert!(report(WRONG, false).text().ends_with("f: 1 error.\n"));
}

#[test]
fn the_json_form_has_every_diagnostic() {
    let json = serde_json::to_value(report(WRONG, false)).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["diagnostics"][0]["line"], 3);
    let json = serde_json::to_value(report(CLEAN, false)).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["rules"], 1);
}

#[test]
fn it_is_said_which_senders_will_not_deliver() {
    let notes = |keys: &str| {
        let rule =
            "[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"in\"\n";
        let report = report(&format!("{rule}{CLEAN}[[resource]]\nname = \"in\"\n{keys}"), true);
        assert_eq!(report.exit_code, ExitCode::Ok, "{:?}", report.diagnostics);
        report.notes.join(" ")
    };
    assert_eq!(notes(""), "");
    assert!(notes("server_tls = \"required\"").contains("senders that insist on TLS"));
    let minted = notes("client_tls = \"mint\"");
    assert!(
        minted.contains("19, 20 or 21") && minted.contains("DANE") && minted.contains("can no longer tell")
    );
    assert!(notes("client_tls = { certificate = \"mx.pem\" }").contains("by another name"));
    let verified = notes("client_tls = \"mint\"\nserver_tls = \"verified\"");
    assert!(!verified.contains("can no longer tell") && verified.contains("without `server_name`"));
}
