//! Answers are read, and no answer is told from "there is none".

use super::fixture::Zone;
use super::{Dns, DnsError, MailExchanger};

#[tokio::test]
async fn answers_are_read() {
    let zone = Zone::default()
        .mx("a.example", 10, "MX1.a.example.")
        .mx("a.example", 20, "mx2.a.example.")
        .mx("null.example", 0, "")
        .address("mx1.a.example", "192.0.2.1")
        .address("mx1.a.example", "2001:db8::1");
    let dns = Dns::new(&[zone.serve().await]).unwrap();
    let mut exchangers = dns.mail_exchangers("a.example").await.unwrap();
    exchangers.sort();
    let exchanger = |preference, host: &str| MailExchanger { preference, host: host.to_owned() };
    assert_eq!(exchangers, [exchanger(10, "mx1.a.example"), exchanger(20, "mx2.a.example")]);
    assert_eq!(dns.mail_exchangers("null.example").await.unwrap(), [exchanger(0, "")]);
    let mut addresses = dns.addresses("mx1.a.example").await.unwrap();
    addresses.sort();
    assert_eq!(addresses, ["192.0.2.1".parse::<std::net::IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
}

#[tokio::test]
async fn no_answer_is_told_from_there_is_none() {
    let zone = Zone::default().empty("empty.example").failing("broken.example");
    let dns = Dns::new(&[zone.serve().await]).unwrap();
    assert_eq!(dns.mail_exchangers("none.example").await, Err(DnsError::NoSuchName));
    assert_eq!(dns.mail_exchangers("empty.example").await, Err(DnsError::NoRecord));
    assert_eq!(dns.addresses("empty.example").await, Err(DnsError::NoRecord));
    assert!(matches!(dns.mail_exchangers("broken.example").await, Err(DnsError::Unanswered(_))));
    assert_eq!(dns.mail_exchangers("a b").await, Err(DnsError::NotAName));
    assert_eq!(dns.mail_exchangers(&"a.".repeat(200)).await, Err(DnsError::NotAName));
}
