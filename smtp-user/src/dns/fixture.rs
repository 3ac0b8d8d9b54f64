//! A DNS server of its own zones, on a loopback port.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, MX, TLSA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What it says about a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    names: HashMap<String, Vec<RData>>,
    failing: Vec<String>,
    insecure: Vec<String>,
    is_signed: bool,
}

impl Zone {
    pub(crate) fn mx(mut self, domain: &str, preference: u16, host: &str) -> Self {
        let exchange = Name::from_ascii(if host.is_empty() { "." } else { host }).unwrap();
        let data = RData::MX(MX::new(preference, exchange));
        self.names.entry(format!("{domain}.")).or_default().push(data);
        self
    }

    pub(crate) fn address(mut self, host: &str, address: &str) -> Self {
        let data = match address.parse().unwrap() {
            IpAddr::V4(address) => RData::A(address.into()),
            IpAddr::V6(address) => RData::AAAA(address.into()),
        };
        self.names.entry(format!("{host}.")).or_default().push(data);
        self
    }

    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        self.names.entry(format!("{name}.")).or_default().push(data);
        self
    }

    pub(crate) fn alias(mut self, name: &str, of: &str) -> Self {
        let data = RData::CNAME(CNAME(Name::from_ascii(format!("{of}.")).unwrap()));
        self.names.entry(format!("{name}.")).or_default().push(data);
        self
    }

    pub(crate) fn tlsa(mut self, base: &str, port: u16, numbers: [u8; 3], data: &[u8]) -> Self {
        let [usage, selector, matching] = numbers;
        let data = RData::TLSA(TLSA::new(usage.into(), selector.into(), matching.into(), data.to_vec()));
        self.names.entry(format!("_{port}._tcp.{base}.")).or_default().push(data);
        self
    }

    /// What it says, it vouches for, if it is asked whether it does.
    pub(crate) fn signed(mut self) -> Self {
        self.is_signed = true;
        self
    }

    /// Except of this name.
    pub(crate) fn insecure(mut self, name: &str) -> Self {
        self.insecure.push(format!("{name}."));
        self
    }

    /// A name that exists and has nothing.
    pub(crate) fn empty(mut self, name: &str) -> Self {
        self.names.entry(format!("{name}.")).or_default();
        self
    }

    /// A name that gives SERVFAIL.
    pub(crate) fn failing(mut self, name: &str) -> Self {
        self.failing.push(format!("{name}."));
        self
    }

    /// Answers from now on, until the test ends.
    pub(crate) async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut room = [0; 4096];
            while let Ok((count, peer)) = socket.recv_from(&mut room).await {
                let Ok(question) = Message::from_vec(&room[..count]) else { continue };
                let _ = socket.send_to(&self.answer(&question), peer).await;
            }
        });
        address
    }

    fn answer(&self, question: &Message) -> Vec<u8> {
        let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_available = true;
        let query = question.queries[0].clone();
        let mut name = query.name().to_ascii().to_ascii_lowercase();
        answer.add_query(query.clone());
        let asks = question.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        answer.metadata.authentic_data = self.is_signed && asks && !self.insecure.contains(&name);
        while let Some([RData::CNAME(of)]) = self.names.get(&name).map(Vec::as_slice)
            && query.query_type() != RecordType::CNAME
        {
            let alias = Record::from_rdata(Name::from_ascii(&name).unwrap(), 60, RData::CNAME(of.clone()));
            answer.add_answer(alias);
            name = of.to_ascii().to_ascii_lowercase();
            answer.metadata.authentic_data &= !self.insecure.contains(&name);
        }
        if self.failing.contains(&name) {
            answer.metadata.response_code = ResponseCode::ServFail;
        } else if let Some(data) = self.names.get(&name) {
            let wanted = |data: &&RData| data.record_type() == query.query_type();
            for data in data.iter().filter(wanted) {
                let owner = Name::from_ascii(&name).unwrap();
                answer.add_answer(Record::from_rdata(owner, 60, data.clone()));
            }
        } else {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer.to_vec().unwrap()
    }
}
