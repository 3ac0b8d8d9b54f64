//! The octets of a [`Packet`].

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
};

use super::{Packet, Upper};

impl Packet {
    /// The frame.
    ///
    /// # Panics
    ///
    /// When source and destination are not of one family, or a length has no room in its field.
    pub fn build(&self) -> Vec<u8> {
        let mut upper = self.upper_octets();
        if let Some((from, length)) = self.take {
            upper = upper.into_iter().skip(from).take(length).collect();
        }
        let mut network = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.ipv4(source.octets(), destination.octets(), &upper)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.ipv6(source.octets(), destination.octets(), &upper)
            }
            _ => panic!("one family, please"),
        };
        if let Some(version) = self.version {
            network[0] = network[0] & 0x0f | version << 4;
        }
        if let Some(cut) = self.cut {
            network.truncate(cut);
        }
        self.link(&network)
    }

    fn protocol(&self) -> u8 {
        match &self.upper {
            Upper::Tcp { .. } => 6,
            Upper::Udp { .. } => 17,
            Upper::Other { protocol, .. } => *protocol,
        }
    }

    /// The upper header with a right checksum, and the data.
    fn upper_octets(&self) -> Vec<u8> {
        let mut octets = match &self.upper {
            Upper::Tcp { source, destination, flags } => {
                let mut header = TcpHeader::new(*source, *destination, 1000, 65_000);
                header.acknowledgment_number = if flags.ack { 2000 } else { 0 };
                header.syn = flags.syn;
                header.ack = flags.ack;
                header.fin = flags.fin;
                header.rst = flags.rst;
                header.checksum = match (self.source, self.destination) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &self.payload)
                    }
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &self.payload)
                    }
                    _ => panic!("one family, please"),
                }
                .expect("the segment is short");
                header.to_bytes().to_vec()
            }
            Upper::Udp { source, destination } => {
                let header = match (self.source, self.destination) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => UdpHeader::with_ipv4_checksum(
                        *source,
                        *destination,
                        &Ipv4Header::new(0, self.ttl, IpNumber::UDP, from.octets(), to.octets())
                            .expect("an empty packet fits"),
                        &self.payload,
                    ),
                    (IpAddr::V6(from), IpAddr::V6(to)) => UdpHeader::with_ipv6_checksum(
                        *source,
                        *destination,
                        &ipv6_header(from.octets(), to.octets(), self.ttl, 17, 0),
                        &self.payload,
                    ),
                    _ => panic!("one family, please"),
                }
                .expect("the datagram is short");
                header.to_bytes().to_vec()
            }
            Upper::Other { octets, .. } => octets.clone(),
        };
        octets.extend_from_slice(&self.payload);
        octets
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4], upper: &[u8]) -> Vec<u8> {
        let length = u16::try_from(upper.len()).expect("the packet is short");
        let mut header = Ipv4Header::new(0, self.ttl, IpNumber(self.protocol()), source, destination)
            .expect("an empty packet fits");
        header.options = self.options.as_slice().try_into().expect("options are whole words, ten at most");
        header.set_payload_len(usize::from(length)).expect("the packet is short");
        header.identification = 7;
        header.dont_fragment = self.fragment.is_none();
        if let Some((offset, more)) = self.fragment {
            header.fragment_offset = offset.try_into().expect("the offset has 13 bits");
            header.more_fragments = more;
        }
        if let Some(total_length) = self.total_length {
            header.total_len = total_length;
        }
        header.header_checksum = header.calc_header_checksum();
        let mut octets = header.to_bytes().to_vec();
        if let Some(words) = self.header_words {
            octets[0] = 0x40 | words;
        }
        octets.extend_from_slice(upper);
        octets
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16], upper: &[u8]) -> Vec<u8> {
        let last = if self.no_next_header { 59 } else { self.protocol() };
        let mut body = upper.to_vec();
        let mut next = last;
        for extension in self.extensions.iter().rev() {
            let mut octets = extension.octets(next);
            octets.extend_from_slice(&body);
            body = octets;
            next = extension.number();
        }
        let length = u16::try_from(body.len()).expect("the packet is short");
        let length = self.total_length.unwrap_or(length);
        let mut octets = ipv6_header(source, destination, self.ttl, next, length).to_bytes().to_vec();
        octets.extend_from_slice(&body);
        octets
    }

    fn link(&self, network: &[u8]) -> Vec<u8> {
        let ethertype = if self.source.is_ipv4() { 0x0800 } else { 0x86dd };
        let mut header = Ethernet2Header {
            source: self.source_mac,
            destination: self.destination_mac,
            ether_type: EtherType(self.tags.first().map_or(ethertype, |tag| tag.0)),
        }
        .to_bytes()
        .to_vec();
        for (i, (_, control)) in self.tags.iter().enumerate() {
            header.extend_from_slice(&control.to_be_bytes());
            let inner = self.tags.get(i + 1).map_or(ethertype, |tag| tag.0);
            header.extend_from_slice(&inner.to_be_bytes());
        }
        header.extend_from_slice(network);
        header
    }
}

fn ipv6_header(source: [u8; 16], destination: [u8; 16], hop_limit: u8, next: u8, length: u16) -> Ipv6Header {
    Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: length,
        next_header: IpNumber(next),
        hop_limit,
        source,
        destination,
    }
}
