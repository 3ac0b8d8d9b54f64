//! An originator may use its port again at once, also where the gateway closed first and remembers the connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use harness::deadline::SOON;
use harness::flow_probe::connect_from;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::requires_root;
use harness::topology::Family;

/// What comes next.
fn line(stream: &mut TcpStream) -> String {
    let mut octets = [0; 512];
    let length = stream.read(&mut octets).expect("something comes");
    String::from_utf8_lossy(&octets[..length]).into_owned()
}

#[test]
fn a_port_that_the_gateway_still_remembers_serves_again() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let own = SocketAddr::new(Family::V4.client(), 41_000);
        for round in 0..3 {
            let begun = Instant::now();
            let mut stream = connect_from(&scene.topology.client, Some(own), scene.next_hop.address(), SOON)
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            println!("round {round}: connected after {:?}", begun.elapsed());
            assert!(line(&mut stream).starts_with("220 "));
            // Not SMTP: the gateway says so and closes, and the client only then.
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the octets can be sent");
            while stream.read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
}
