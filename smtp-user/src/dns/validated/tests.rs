//! Only what the resolver vouches for is vouched for, and no answer is told from "there is none".

use super::ValidatedDns;
use crate::dns::fixture::Zone;
use crate::dns::{DnsError, MailExchanger};
use crate::model::tlsa::TlsaRecord;

async fn asking(zone: Zone) -> ValidatedDns {
    ValidatedDns::new(&[zone.serve().await]).unwrap()
}

fn zone() -> Zone {
    Zone::default()
        .mx("a.example", 10, "mx.a.example.")
        .alias("alias.example", "a.example")
        .address("mx.a.example", "192.0.2.1")
        .address("mx.a.example", "2001:db8::1")
        .address("v4.example", "192.0.2.4")
        .alias("www.example", "mx.a.example")
        .tlsa("mx.a.example", 25, [3, 1, 1], &[7; 32])
        .failing("broken.example")
        .failing("_25._tcp.bogus.example")
}

#[tokio::test]
async fn what_is_signed_is_secure_and_aliases_are_named() {
    let dns = asking(zone().signed()).await;
    let exchanger = MailExchanger { preference: 10, host: "mx.a.example".to_owned() };
    let found = dns.mail_exchangers("a.example").await.unwrap();
    assert_eq!((found.value, found.is_secure, found.alias), (vec![exchanger.clone()], true, None));
    let found = dns.mail_exchangers("alias.example").await.unwrap();
    assert_eq!((found.value, found.alias.as_deref()), (vec![exchanger], Some("a.example")));
    let found = dns.addresses("www.example").await.unwrap();
    assert_eq!((found.value.len(), found.is_secure, found.alias.as_deref()), (2, true, Some("mx.a.example")));
    assert!(dns.addresses("v4.example").await.unwrap().is_secure);
    let record = TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    assert_eq!(dns.tlsa("mx.a.example", 25).await, Ok(vec![record]));
    assert_eq!(dns.tlsa("mx.a.example", 465).await, Ok(Vec::new()));
    assert_eq!(dns.tlsa(&"a.".repeat(125), 25).await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_is_not_signed_is_not_secure_and_its_records_count_for_nothing() {
    let dns = asking(zone()).await;
    assert!(!dns.mail_exchangers("a.example").await.unwrap().is_secure);
    assert!(!dns.addresses("mx.a.example").await.unwrap().is_secure);
    assert_eq!(dns.tlsa("mx.a.example", 25).await, Ok(Vec::new()));
}

#[tokio::test]
async fn an_alias_into_the_unsigned_is_itself_vouched_for() {
    let dns = asking(zone().signed().insecure("mx.a.example")).await;
    assert!(!dns.addresses("www.example").await.unwrap().is_secure);
    assert_eq!(dns.is_secure_alias("www.example").await, Ok(true));
    assert_eq!(dns.is_secure_alias("v4.example").await, Ok(false));
    assert_eq!(dns.is_secure_alias("none.example").await, Ok(false));
}

#[tokio::test]
async fn what_nobody_answers_is_an_error_and_never_nothing() {
    let dns = asking(zone().signed()).await;
    assert_eq!(dns.mail_exchangers("none.example").await, Err(DnsError::NoSuchName));
    assert_eq!(dns.mail_exchangers("v4.example").await, Err(DnsError::NoRecord));
    assert_eq!(dns.addresses("none.example").await, Err(DnsError::NoSuchName));
    assert_eq!(dns.addresses("a.example").await, Err(DnsError::NoRecord));
    assert_eq!(dns.addresses("a b").await, Err(DnsError::NotAName));
    assert!(matches!(dns.addresses("broken.example").await, Err(DnsError::Unanswered(_))));
    assert!(matches!(dns.mail_exchangers("broken.example").await, Err(DnsError::Unanswered(_))));
    assert!(matches!(dns.tlsa("bogus.example", 25).await, Err(DnsError::Unanswered(_))));
    assert!(matches!(dns.is_secure_alias("broken.example").await, Err(DnsError::Unanswered(_))));
}
