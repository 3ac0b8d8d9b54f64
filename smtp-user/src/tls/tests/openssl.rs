//! The same with somebody else's TLS, where it is installed.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::net::{TcpListener, TcpStream};

use super::*;

fn openssl(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments.split_whitespace()).current_dir(folder);
    command
}

fn done(folder: &Path, arguments: &str) {
    let output = openssl(folder, arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
}

fn is_missing() -> bool {
    let missing = Command::new("openssl").arg("version").output().is_err();
    if missing {
        eprintln!("skipped: there is no openssl");
    }
    missing
}

/// Ends a server that never ends by itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn s_client_verifies_imported_and_minted_certificates() {
    if is_missing() {
        return;
    }
    let ca = OtherCa::new();
    let pair = ca.sign(&["mx.example.com"], false);
    let pattern = call(&toward(&ca, "mx.example.com", false), &next_hop(&pair, all())).await.unwrap().2;
    let (authority, our_pem) = authority();
    let minting = context(OriginatorTls::Mint(authority), NextHopTls::default());
    let folder = tempfile::tempdir().unwrap();
    for (gateway, pem, issuer) in [
        (imported(&pair), &ca.pem, "issuer=CN = Public CA"),
        (minting, &our_pem, "issuer=CN = Postern inspection CA"),
    ] {
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        for version in ["-tls1_2", "-tls1_3"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let arguments = format!(
                "s_client -connect {address} -CAfile ca.pem -verify_return_error -verify_hostname mx.example.com \
                 -servername mx.example.com {version} -quiet"
            );
            let shown = format!("s_client -connect {address} -servername mx.example.com {version}");
            let path = folder.path().to_owned();
            let client = tokio::task::spawn_blocking(move || {
                let mut child = openssl(&path, &arguments)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
                let mut answer = String::new();
                child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
                child.wait().unwrap();
                let certificate = openssl(&path, &shown).stdin(Stdio::null()).output().unwrap();
                (answer, String::from_utf8_lossy(&certificate.stdout).into_owned())
            });
            let (stream, _) = listener.accept().await.unwrap();
            let (mut stream, facts) = gateway.accept(stream, Some(&pattern)).await.unwrap();
            let mut line = [0; 6];
            stream.read_exact(&mut line).await.unwrap();
            stream.write_all(b"250 OK\n").await.unwrap();
            stream.shutdown().await.unwrap();
            drop(stream);
            assert_eq!(facts.server_name.as_deref(), Some("mx.example.com"));
            let (stream, _) = listener.accept().await.unwrap();
            let second = gateway.accept(stream, Some(&pattern)).await;
            drop(second);
            let (answer, certificate) = client.await.unwrap();
            assert_eq!(answer, "250 OK\n", "{version}");
            assert!(certificate.contains(issuer), "{certificate}");
            assert!(certificate.contains("subject=O = Example Hosting, CN = mx"), "{certificate}");
        }
    }
}

#[tokio::test]
async fn certificates_of_version_1_are_good_enough_where_nothing_is_verified() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for kind in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"] {
        done(
            path,
            &format!("req -newkey {kind} -nodes -keyout mx.key -out mx.csr -subj /O=Old/CN=mx.example.com"),
        );
        done(path, "x509 -req -in mx.csr -signkey mx.key -out mx.pem -days 30");
        for version in ["-tls1_2", "-tls1_3"] {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let arguments =
                format!("s_server -accept 127.0.0.1:{port} -cert mx.pem -key mx.key {version} -quiet");
            let mut server = openssl(path, &arguments);
            server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let _server = Running(server.spawn().unwrap());
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let dial = || async move {
                for _ in 0..500 {
                    match TcpStream::connect(address).await {
                        Ok(stream) => return stream,
                        Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                    }
                }
                panic!("s_server does not answer");
            };
            let ca = OtherCa::new();
            let gateway = toward(&ca, "mx.example.com", false);
            let (_, facts, pattern) = gateway.connect(dial().await, address).await.unwrap();
            let words = ["certificate_malformed", "certificate_unknown_issuer"];
            assert!(words.contains(&facts.verified.as_deref().unwrap()), "{facts:?}");
            assert_eq!(facts.certificate.unwrap().subject, "O=Old, CN=mx.example.com");
            // And a leaf can be minted after it.
            let (authority, our_pem) = authority();
            let minting = context(OriginatorTls::Mint(authority), NextHopTls::default());
            let (_, seen) =
                answer(&minting, Some(&pattern), &originator(&our_pem, all()), "mx.example.com").await;
            seen.unwrap();
            let verifying = toward(&ca, "mx.example.com", true);
            let error = verifying.connect(dial().await, address).await.err().unwrap();
            assert!(words.contains(&error.reason()), "{error}");
        }
    }
}
