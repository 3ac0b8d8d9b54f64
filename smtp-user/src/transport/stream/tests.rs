//! What stands in the way of an upgrade.

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::{Stream, UpgradeError, nothing_waits};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn a_quiet_stream_is_given_back() {
    let (near, _far) = pair().await;
    assert!(nothing_waits(&near).is_ok());
    assert!(Stream::Plain(near).into_plain().is_ok());
}

#[tokio::test]
async fn octets_ahead_of_the_handshake_are_an_error() {
    let (near, mut far) = pair().await;
    far.write_all(b"NOOP\r\n").await.unwrap();
    near.readable().await.unwrap();
    assert!(matches!(nothing_waits(&near), Err(UpgradeError::Extra)));
}

#[tokio::test]
async fn a_peer_that_left_is_told_apart() {
    let (near, far) = pair().await;
    drop(far);
    near.readable().await.unwrap();
    assert!(matches!(nothing_waits(&near), Err(UpgradeError::Closed)));
}
