//! Calls on loopback, with addresses that belong to it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{DialError, Source, dial};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_next_hop_sees_the_originators_address_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // A port that nobody has now: the one the kernel gave a socket that is gone.
    let originator: SocketAddr = {
        let free = TcpListener::bind("127.0.0.77:0").await.unwrap();
        free.local_addr().unwrap()
    };
    let dialled = dial(listener.local_addr().unwrap(), Source::Originator(originator), LIMIT).await.unwrap();
    let (_, seen) = listener.accept().await.unwrap();
    assert_eq!((seen, dialled.local, dialled.other_port), (originator, originator, false));
}

#[tokio::test]
async fn a_connection_that_lingers_costs_the_port_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let next_hop = listener.local_addr().unwrap();
    let first = dial(next_hop, Source::Originator("127.0.0.78:0".parse().unwrap()), LIMIT).await.unwrap();
    // The same four numbers again cannot be, while the first connection is there.
    let second = dial(next_hop, Source::Originator(first.local), LIMIT).await.unwrap();
    assert!(second.other_port);
    assert_eq!(second.local.ip(), first.local.ip());
    assert_ne!(second.local.port(), first.local.port());
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = dial(gone, Source::Gateway, LIMIT).await.unwrap_err();
    assert!(matches!(error, DialError::Refused), "{error}");
    assert_eq!(error.name(), "connection_refused");
}
