//! Every way in which a file of a resource can be wrong, with its place in the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, date_time_ymd,
};
use tempfile::TempDir;

use crate::app::config::diagnostic::Diagnostic;
use crate::app::config::tls_files::context;
use crate::app::config::{Config, LoadError};
use crate::tls::authority_store::AuthorityStore;

/// A folder with a configuration whose one resource has these keys, and files beside it.
struct Folder(TempDir);

impl Folder {
    fn new(keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let text = format!(
            "[gateway]\ninterfaces = [\"eth0\"]\ndata_dir = {data:?}\n\
             [[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"in\"\n\
             [[rule]]\nname = \"rest\"\naction = \"stack\"\n\
             [[resource]]\nname = \"in\"\n{keys}\n"
        );
        fs::write(folder.path().join("postern.toml"), text).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn store(&self) -> AuthorityStore {
        AuthorityStore::in_data_dir(&self.0.path().join("data"))
    }

    fn load(&self) -> Result<Config, LoadError> {
        Config::load(&self.path())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("postern.toml")
    }

    /// The only error: its line within the keys, what it says without the folder, and the suggestion.
    fn error(&self) -> (usize, String, Option<String>) {
        let LoadError::Invalid(errors) = self.load().unwrap_err() else {
            panic!("not a mistake in the file")
        };
        assert_eq!(errors.diagnostics.len(), 1, "{errors}");
        self.place(&errors.diagnostics[0])
    }

    fn warnings(&self) -> Vec<(usize, String, Option<String>)> {
        let config = self.load().unwrap();
        // What is in order can be set up.
        context(&config, &config.resources[0]).unwrap();
        config.warnings.iter().map(|warning| self.place(warning)).collect()
    }

    fn place(&self, diagnostic: &Diagnostic) -> (usize, String, Option<String>) {
        let folder = format!("{}/", self.0.path().display());
        (diagnostic.line - 13, diagnostic.problem.replace(&folder, ""), diagnostic.suggestion.clone())
    }
}

/// Certificate and key, PEM, valid until a year.
fn pair(until: i32) -> (String, String) {
    signed_by_itself(&KeyPair::generate().unwrap(), until)
}

fn signed_by_itself(key: &KeyPair, until: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["mx.example.com".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(until, 5, 6);
    (params.self_signed(key).unwrap().pem(), key.serialize_pem())
}

const TWO_FILES: &str = "client_tls = { certificate = \"mx.pem\", key = \"mx.key\" }";

#[test]
fn certificate_and_key_are_taken_from_two_files_or_from_one() {
    let (certificate, key) = pair(2045);
    let folder = Folder::new(TWO_FILES);
    folder.write("mx.pem", &certificate);
    folder.write("mx.key", &key);
    assert_eq!(folder.warnings(), []);
    let folder = Folder::new("client_tls = { certificate = \"mx.pem\" }");
    folder.write("mx.pem", &format!("{key}{certificate}"));
    assert_eq!(folder.warnings(), []);
}

#[test]
fn every_usual_kind_of_key_is_taken() {
    for kind in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let folder = Folder::new("client_tls = { certificate = \"mx.pem\" }");
        let (certificate, key) = signed_by_itself(&KeyPair::generate_for(kind).unwrap(), 2045);
        folder.write("mx.pem", &format!("{certificate}{key}"));
        assert_eq!(folder.warnings(), []);
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new(TWO_FILES);
    assert_eq!(folder.error(), (1, "the file mx.pem does not exist".to_owned(), None));
    folder.write("mx.pem", &pair(2045).0);
    assert_eq!(folder.error(), (1, "the file mx.key does not exist".to_owned(), None));
    let LoadError::Invalid(errors) = folder.load().unwrap_err() else { panic!() };
    let shown = errors.to_string();
    assert!(shown.contains("                                         ^^^^^^^^"), "{shown}");
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let folder = Folder::new(TWO_FILES);
    folder.write("mx.pem", &pair(2045).0);
    folder.write("mx.key", &pair(2045).1);
    let (line, problem, _) = folder.error();
    assert_eq!(line, 1);
    assert_eq!(
        problem,
        "the file mx.key cannot be used: the private key does not belong to the certificate (the first one, if \
         there are several)"
    );
}

#[test]
fn files_with_something_else_in_them_are_refused() {
    let (certificate, key) = pair(2045);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = certificate.replacen("MII", "MMM", 1);
    for (chain, key, expected) in [
        ("hello", key.as_str(), "the file mx.pem cannot be used: there is no certificate in it"),
        (&key, &key, "the file mx.pem cannot be used: there is no certificate in it"),
        (&certificate, &certificate, "the file mx.key cannot be used: there is no private key in it"),
        (&certificate, "", "the file mx.key cannot be used: there is no private key in it"),
        (&broken, &key, "the file mx.pem cannot be used: its certificate 1 cannot be read"),
        (
            &certificate,
            encrypted,
            "the file mx.key cannot be used: its private key cannot be used: it is encrypted",
        ),
        (&certificate[..200], &key, "the file mx.pem cannot be used: it is not a readable PEM file"),
    ] {
        let folder = Folder::new(TWO_FILES);
        folder.write("mx.pem", chain);
        folder.write("mx.key", key);
        let (line, problem, _) = folder.error();
        assert_eq!(line, 1);
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn an_expired_certificate_and_an_open_key_are_warnings() {
    let (certificate, key) = pair(2020);
    let folder = Folder::new(TWO_FILES);
    folder.write("mx.pem", &certificate);
    folder.write("mx.key", &key);
    let key_path = folder.0.path().join("mx.key");
    fs::set_permissions(&key_path, fs::Permissions::from_mode(0o644)).unwrap();
    let problems: Vec<_> = folder.warnings().into_iter().map(|(line, problem, _)| (line, problem)).collect();
    let expired =
        "the certificate in mx.pem has expired on 2020-05-06: originators that verify it will not send";
    let open = "the key in mx.key may be read by every user of this machine";
    assert_eq!(problems, [(1, expired.to_owned()), (1, open.to_owned())]);
}

#[test]
fn pkcs12_is_taken_with_its_password() {
    let (certificate, key) = pair(2045);
    let folder = Folder::new("client_tls = { certificate = \"mx.p12\", password_file = \"password\" }");
    folder.write("mx.pem", &certificate);
    folder.write("mx.key", &key);
    for modern in [true, false] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["pkcs12", "-export", "-in", "mx.pem", "-inkey", "mx.key", "-out", "mx.p12"]);
        openssl.args(["-passout", "pass:secret"]).current_dir(folder.0.path());
        if !modern {
            // What old systems export.
            openssl.args(["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"]);
        }
        let Ok(output) = openssl.output() else {
            eprintln!("skipped: there is no openssl");
            return;
        };
        assert!(output.status.success(), "{output:?}");
        folder.write("password", "secret\n");
        assert_eq!(folder.warnings(), []);
        folder.write("password", "Secret\n");
        let (line, problem, _) = folder.error();
        assert_eq!(line, 1);
        assert!(
            problem.starts_with("the file mx.p12 cannot be used: it is a PKCS#12 file that"),
            "{problem}"
        );
    }
}

#[test]
fn minting_without_a_ca_says_how_to_make_one() {
    let folder = Folder::new("client_tls = \"mint\"");
    let (line, problem, _) = folder.error();
    assert_eq!(line, 1);
    assert_eq!(
        problem,
        "there is no inspection CA: data/ca/ca.pem does not exist; make one with `postern ca init`"
    );
    folder.store().create("Test CA", 30, false).unwrap();
    assert_eq!(folder.warnings(), []);
    fs::remove_file(folder.store().key).unwrap();
    assert!(folder.error().1.starts_with("there is no inspection CA: data/ca/ca.key"));
}

#[test]
fn a_server_certificate_is_no_ca() {
    let folder =
        Folder::new("client_tls = \"mint\"\n[inspection_ca]\ncertificate = \"mx.pem\"\nkey = \"mx.key\"");
    let (certificate, key) = pair(2045);
    folder.write("mx.pem", &certificate);
    folder.write("mx.key", &key);
    let (_, problem, _) = folder.error();
    assert_eq!(problem, "the file mx.pem is of no use as inspection CA: its certificate is not that of a CA");
}

#[test]
fn trust_anchors_are_read() {
    let folder = Folder::new("server_tls = \"verified\"\nserver_ca = \"cas.pem\"");
    folder.write("cas.pem", "");
    let (line, problem, _) = folder.error();
    assert_eq!(
        (line, problem.as_str()),
        (2, "the file cas.pem cannot be used: there is no certificate in it")
    );
    folder.write("cas.pem", &pair(2045).0);
    assert_eq!(folder.warnings(), []);
}

#[test]
fn a_configuration_can_be_read_before_its_files_are_made() {
    let folder = Folder::new(TWO_FILES);
    let config = Config::load_alone(&folder.path()).unwrap();
    assert_eq!(config.gateway.data_dir, folder.0.path().join("data"));
    assert!(matches!(
        &config.resources[0].client_tls,
        crate::app::config::resource::ClientTls::Imported { certificate, .. }
            if certificate == &folder.0.path().join("mx.pem")
    ));
    let missing = Path::new("/nonexistent/postern.toml");
    assert!(matches!(Config::load_alone(missing), Err(LoadError::NotFound { .. })));
}
