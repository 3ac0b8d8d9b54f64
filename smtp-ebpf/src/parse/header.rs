//! Headers as they stand in a frame.

/// EtherType of IPv4, as it stands in a frame.
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800_u16.to_be();
/// EtherType of IPv6.
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd_u16.to_be();
/// EtherTypes of VLAN tags (802.1Q, 802.1ad, and the older 0x9100).
pub(crate) const ETHERTYPE_TAGS: [u16; 3] = [0x8100_u16.to_be(), 0x88a8_u16.to_be(), 0x9100_u16.to_be()];

/// First twelve octets of a frame, and its EtherType.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ethernet {
    destination: [u16; 3],
    _source: [u16; 3],
    pub(crate) ethertype: u16,
}

impl Ethernet {
    /// Whether it is for the port with this address. Word by word: comparing octets would call a loop.
    #[inline(always)]
    pub(crate) const fn is_for(&self, mac: &[u8; 6]) -> bool {
        let [a, b, c, d, e, f] = *mac;
        self.destination[0] == u16::from_ne_bytes([a, b])
            && self.destination[1] == u16::from_ne_bytes([c, d])
            && self.destination[2] == u16::from_ne_bytes([e, f])
    }

    /// Whether it is for a group: broadcast or multicast.
    #[inline(always)]
    pub(crate) const fn is_for_group(&self) -> bool {
        self.destination[0].to_ne_bytes()[0] & 1 == 1
    }
}

/// RFC 791.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ipv4 {
    pub(super) version_length: u8,
    pub(super) tos: u8,
    pub(super) total_length: u16,
    id: u16,
    pub(super) fragment: u16,
    pub(crate) ttl: u8,
    pub(super) protocol: u8,
    pub(crate) checksum: u16,
    pub(super) source: u32,
    pub(super) destination: u32,
}

/// RFC 8200.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ipv6 {
    pub(super) version_class: [u8; 4],
    pub(super) payload_length: u16,
    pub(super) next_header: u8,
    pub(crate) hop_limit: u8,
    pub(super) source: [u32; 4],
    pub(super) destination: [u32; 4],
}

/// RFC 9293, without options.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Tcp {
    pub(super) source: u16,
    pub(super) destination: u16,
    sequence: [u16; 2],
    acknowledgement: [u16; 2],
    pub(super) data_offset: u8,
    pub(super) flags: u8,
    window: u16,
    checksum: u16,
    urgent: u16,
}

/// RFC 768.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Udp {
    pub(super) source: u16,
    pub(super) destination: u16,
    length: u16,
    checksum: u16,
}
