//! A packet and what must become of it; and how a list of them is written.

use std::net::{IpAddr, SocketAddr};

use harness::packets::{Packet, SYN};
use harness::topology::{CLIENT_SIDE, Family};
use smtp_common::packet_path::PathReason;

use self::Expected::{For, Refused};

/// What must become of a packet: its reason says it, except for the reset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The path that the reason belongs to.
    For(PathReason),
    /// Dropped with this reason, and the sender gets a reset.
    Refused(PathReason),
}

pub(super) struct Case {
    pub(super) what: String,
    pub(super) interface: &'static str,
    pub(super) frame: Vec<u8>,
    pub(super) plain: Expected,
    pub(super) guarded: Expected,
}

/// Gives every case a port of its own, so that no case meets the flow of another.
pub(super) struct Cases {
    list: Vec<Case>,
    next_port: u16,
    pub(super) family: Family,
}

pub(super) const WEB: u16 = 80;
pub(super) const MAIL: u16 = 25;

impl Cases {
    pub(super) fn of(family: Family) -> Self {
        Self { list: Vec::new(), next_port: 20_000, family }
    }

    pub(super) fn into_list(self) -> Vec<Case> {
        self.list
    }

    pub(super) fn client(&mut self) -> SocketAddr {
        self.next_port += 1;
        SocketAddr::new(self.family.client(), self.next_port)
    }

    pub(super) fn server(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.family.server(), port)
    }

    /// An address behind the server's interface that no rule names, whose neighbour is not known.
    pub(super) fn other_server(&self) -> IpAddr {
        match self.family {
            Family::V4 => "10.77.2.9".parse().expect("an address"),
            Family::V6 => "fd77:2::9".parse().expect("an address"),
        }
    }

    pub(super) fn tcp(&mut self, port: u16) -> Packet {
        let (client, server) = (self.client(), self.server(port));
        Packet::tcp(client, server, SYN)
    }

    pub(super) fn add(&mut self, what: &str, frame: &Packet, plain: Expected, guarded: Expected) {
        self.add_frame(what, CLIENT_SIDE, frame.build(), plain, guarded);
    }

    pub(super) fn add_frame(
        &mut self,
        what: &str,
        interface: &'static str,
        frame: Vec<u8>,
        plain: Expected,
        guarded: Expected,
    ) {
        let what = format!("{:?}: {what}", self.family);
        self.list.push(Case { what, interface, frame, plain, guarded });
    }

    /// The same whatever the policy says.
    pub(super) fn add_always(&mut self, what: &str, frame: &Packet, expected: Expected) {
        self.add(what, frame, expected, expected);
    }

    /// A packet whose ports cannot be read: it could be mail to the server.
    pub(super) fn add_unreadable(&mut self, what: &str, frame: &Packet) {
        self.add(what, frame, For(PathReason::UNREADABLE), For(PathReason::UNREADABLE_GUARDED));
    }

    /// A fragment without ports: it could be mail to the server.
    pub(super) fn add_fragment(&mut self, what: &str, frame: &Packet) {
        self.add(what, frame, For(PathReason::FRAGMENT), For(PathReason::FRAGMENT_GUARDED));
    }
}

pub(super) const ACCELERATED: Expected = For(PathReason::RULE_ACCELERATE);
pub(super) const NEW_REFUSED: Expected = Refused(PathReason::INSPECTOR_DOWN_REFUSE);
pub(super) const MIDSTREAM_REFUSED: Expected = Refused(PathReason::MIDSTREAM_GUARDED);
