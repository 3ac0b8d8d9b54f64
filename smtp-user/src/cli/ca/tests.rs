//! A CA is made, shown and exported, and not made twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cli::failure;

fn args(folder: &Path, command: CaCommand) -> CaArgs {
    let config = folder.join("postern.toml");
    // A resource that mints: the configuration is read although the CA is still to be made.
    let text = format!(
        "[gateway]\ninterfaces = [\"eth0\"]\ndata_dir = {:?}\n[[resource]]\nname = \"in\"\nclient_tls = \"mint\"\n",
        folder.join("data")
    );
    fs::write(&config, text).unwrap();
    CaArgs { config: Some(config), command }
}

fn init(force: bool) -> CaCommand {
    CaCommand::Init { name: "Test CA".to_owned(), days: 30, force }
}

#[test]
fn a_ca_is_made_once_with_a_key_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    run(&args(folder.path(), init(false))).unwrap();
    let store = AuthorityStore::in_data_dir(&folder.path().join("data"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&store.key), mode(&store.certificate)), (0o600, 0o644));
    let first = store.load().unwrap().facts();
    assert_eq!((first.subject.as_str(), first.issuer.as_str()), ("CN=Test CA", "CN=Test CA"));

    let error = run(&args(folder.path(), init(false))).unwrap_err();
    assert!(error.to_string().ends_with("replace it with `--force`"), "{error}");
    assert_eq!(failure::exit_code(&error), ExitCode::Data);
    assert_eq!(store.load().unwrap().facts(), first);
    run(&args(folder.path(), init(true))).unwrap();
    assert_ne!(store.load().unwrap().facts(), first);
    assert_eq!(mode(&store.key), 0o600);
}

#[test]
fn what_is_exported_is_the_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    run(&args(folder.path(), init(false))).unwrap();
    let (pem, der) = (folder.path().join("ca.crt"), folder.path().join("ca.cer"));
    run(&args(folder.path(), CaCommand::Export { der: false, out: Some(pem.clone()) })).unwrap();
    run(&args(folder.path(), CaCommand::Export { der: true, out: Some(der.clone()) })).unwrap();
    let text = fs::read_to_string(&pem).unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE"));
    let store = AuthorityStore::in_data_dir(&folder.path().join("data"));
    assert_eq!(fs::read(&der).unwrap(), store.load().unwrap().certificate());
    // Nothing is overwritten.
    assert!(run(&args(folder.path(), CaCommand::Export { der: true, out: Some(der) })).is_err());
}

#[test]
fn without_a_ca_there_is_nothing_to_show() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(&args(folder.path(), CaCommand::Show { json: true })).unwrap_err();
    assert!(error.to_string().contains("make one with `postern ca init`"), "{error}");
    assert_eq!(failure::exit_code(&error), ExitCode::NoInput);
}

#[test]
fn fingerprints_are_written_as_openssl_does() {
    assert_eq!(fingerprint("00ff1a"), "00:FF:1A");
}

#[test]
fn names_are_bounded() {
    assert!(name("Example mail inspection").is_ok());
    for wrong in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert!(name(wrong).is_err(), "{wrong:?}");
    }
}
