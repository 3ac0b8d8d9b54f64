//! A DNS server of its own zones, on a loopback port.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::MX;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What it says about a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    names: HashMap<String, Vec<RData>>,
    failing: Vec<String>,
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
        let name = query.name().to_ascii().to_ascii_lowercase();
        answer.add_query(query.clone());
        if self.failing.contains(&name) {
            answer.metadata.response_code = ResponseCode::ServFail;
        } else if let Some(data) = self.names.get(&name) {
            let wanted = |data: &&RData| data.record_type() == query.query_type();
            for data in data.iter().filter(wanted) {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
        } else {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        let _ = RecordType::A;
        answer.to_vec().unwrap()
    }
}
