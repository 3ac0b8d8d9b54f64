//! Frames as they are on the wire of a namespace's interface: seen and sent.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use nix::libc;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::netns::NetNs;

/// A packet socket on one interface.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
}

/// Largest frame that is read whole; a segmentation-offload packet is cut to it.
const FRAME_LIMIT: usize = 65_536;

impl Wire {
    /// Opens the interface of a namespace. It sees what comes in and what goes out.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn open(namespace: &NetNs, interface: &str) -> Self {
        let ifindex = namespace.ifindex(interface);
        let all = u16::try_from(libc::ETH_P_ALL).expect("the protocol number has 16 bits");
        let socket = namespace.enter(|| {
            let protocol = Protocol::from(i32::from(all.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).expect("a packet socket");
            socket.bind(&link_address(ifindex, all)).expect("the packet socket can be bound");
            socket
        });
        // The span within which a reader looks at its deadline again.
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a read time-out");
        Self { socket }
    }

    /// Sends one frame as it is.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn send(&self, frame: &[u8]) {
        let sent = self.socket.send(frame).expect("the frame can be sent");
        assert_eq!(sent, frame.len(), "the frame was sent in part");
    }

    /// The next frame that the predicate wants, or `None` at the deadline.
    ///
    /// # Panics
    ///
    /// When the socket fails.
    pub fn next_within(&self, limit: Duration, mut wanted: impl FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
        let end = Instant::now() + limit;
        let mut buffer = vec![0; FRAME_LIMIT];
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(length) if wanted(&buffer[..length]) => return Some(buffer[..length].to_vec()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(error) => panic!("the packet socket failed: {error}"),
            }
            if Instant::now() >= end {
                return None;
            }
        }
    }

    /// Every frame seen so far that the predicate wants; returns once none is waiting.
    pub fn drain(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![MaybeUninit::uninit(); FRAME_LIMIT];
        while let Ok(length) = self.socket.recv_with_flags(&mut buffer, libc::MSG_DONTWAIT) {
            // SAFETY: the kernel has written the first `length` octets.
            let frame: Vec<u8> =
                buffer[..length].iter().map(|octet| unsafe { octet.assume_init() }).collect();
            if wanted(&frame) {
                frames.push(frame);
            }
        }
        frames
    }
}

/// The address of an interface for packet sockets.
fn link_address(ifindex: u32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a socket address type and all of it is plain data.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = u16::try_from(libc::AF_PACKET).expect("the family has 16 bits");
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(ifindex).expect("an interface index is positive");
    let length = u32::try_from(size_of::<libc::sockaddr_ll>()).expect("the address is short");
    // SAFETY: family and length are those of the `sockaddr_ll` that was just filled in.
    unsafe { SockAddr::new(storage, length) }
}
