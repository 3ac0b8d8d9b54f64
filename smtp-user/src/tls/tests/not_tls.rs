//! S19: something else where a handshake should be.

use super::*;

#[tokio::test]
async fn other_protocols_instead_of_a_client_hello_are_recognised() {
    let gateway = imported(&OtherCa::new().sign(&["mx.example.com"], false));
    for noise in [
        &b"EHLO client.example\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: mx\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0],
        &[0; 64],
        &[0xff; 64],
    ] {
        let (ours, mut theirs) = duplex(PIPE);
        let send = async {
            theirs.write_all(noise).await.unwrap();
            let mut answer = Vec::new();
            theirs.read_to_end(&mut answer).await.unwrap();
        };
        let accept = async { gateway.accept(ours, None).await.err().unwrap() };
        let (error, ()) = tokio::join!(accept, send);
        assert!(matches!(error, TlsError::NotTls { leg: Leg::Client }), "{noise:?}: {error:?}");
        assert_eq!(party_and_reason(&error), (Party::Originator, "not_tls"));
    }
}

#[tokio::test]
async fn a_next_hop_that_goes_on_in_plaintext_is_recognised() {
    let gateway = toward(&OtherCa::new(), "mx.example.com", false);
    let (ours, mut theirs) = duplex(PIPE);
    theirs.write_all(b"220 mx.example.com ESMTP\r\n").await.unwrap();
    let error = gateway.connect(ours, next_hop_address()).await.err().unwrap();
    assert_eq!(party_and_reason(&error), (Party::NextHop, "not_tls"));
}

#[tokio::test]
async fn a_connection_that_ends_in_the_handshake_is_told() {
    let gateway = imported(&OtherCa::new().sign(&["mx.example.com"], false));
    for start in [&b""[..], &[0x16, 3, 1, 2, 0, 1, 0]] {
        let (ours, mut theirs) = duplex(PIPE);
        theirs.write_all(start).await.unwrap();
        drop(theirs);
        let error = gateway.accept(ours, None).await.err().unwrap();
        assert_eq!(party_and_reason(&error), (Party::Originator, "closed_in_handshake"), "{error:?}");
    }
}

#[tokio::test]
async fn every_broken_hello_ends_in_an_error() {
    let gateway = imported(&OtherCa::new().sign(&["mx.example.com"], false));
    let mut connection = rustls::ClientConnection::new(
        originator(&OtherCa::new().pem, all()),
        ServerName::try_from("mx.example.com").unwrap(),
    )
    .unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    for i in (0..hello.len()).step_by(7) {
        let mut broken = hello.clone();
        broken[i] ^= 0xff;
        let (ours, mut theirs) = duplex(PIPE);
        theirs.write_all(&broken).await.unwrap();
        theirs.shutdown().await.unwrap();
        assert!(gateway.accept(ours, None).await.is_err(), "octet {i}");
    }
}
