//! Mail goes where DNS says, in its order, and what DNS does not say is final only where it can be.

use std::collections::HashSet;

use super::{Candidate, Care, Router};
use crate::delivery::destination::Destination;
use crate::delivery::settings::Settings;
use crate::dns::Dns;
use crate::dns::fixture::Zone;
use crate::model::server_tls::ServerTls;

async fn router(zone: Zone) -> Router {
    Router {
        dns: Dns::new(&[zone.serve().await]).unwrap(),
        validated: None,
        hostname: "gw.example".to_owned(),
    }
}

fn candidate(name: &str) -> Candidate {
    Candidate::certain(name.parse().unwrap())
}

fn domain(name: &str) -> Destination {
    Destination::Domain("r".to_owned(), name.to_owned())
}

async fn hosts(router: &Router, name: &str, chance: u64) -> Result<Vec<String>, (bool, String)> {
    let settings = Settings { max_mx_node_per_mail: 3, ..Settings::default() };
    let care = Care { level: ServerTls::Opportunistic, policies: None, now: 0 };
    match router.hosts(&domain(name), &settings, care, chance).await {
        Ok(hosts) => Ok(hosts.iter().map(|host| host.name.to_string()).collect()),
        Err(failure) => Err((failure.permanent, failure.reply.status)),
    }
}

#[tokio::test]
async fn mail_exchangers_are_tried_by_preference_and_equals_in_any_order() {
    let zone = Zone::default()
        .mx("a.example", 20, "backup.example.")
        .mx("a.example", 10, "one.example.")
        .mx("a.example", 10, "two.example.")
        .mx("a.example", 30, "last.example.");
    let router = router(zone).await;
    let mut seen = HashSet::new();
    for chance in 0..50_u64 {
        let hosts = hosts(&router, "a.example", chance.wrapping_mul(0x9e37_79b9_7f4a_7c15)).await.unwrap();
        assert_eq!(hosts.len(), 3, "no more than max_mx_node_per_mail");
        assert_eq!(hosts[2], "backup.example:25");
        seen.insert(hosts);
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn what_dns_does_not_say_is_final_only_where_it_can_be() {
    let zone = Zone::default()
        .mx("null.example", 0, "")
        .address("implicit.example", "192.0.2.1")
        .empty("nothing.example")
        .failing("broken.example")
        .mx("ours.example", 10, "gw.example.")
        .mx("ours.example", 20, "worse.example.")
        .mx("backup.example", 10, "better.example.")
        .mx("backup.example", 20, "GW.example.");
    let router = router(zone).await;
    let failed = |permanent, status: &str| Err((permanent, status.to_owned()));
    assert_eq!(hosts(&router, "null.example", 0).await, failed(true, "5.1.10"));
    assert_eq!(hosts(&router, "implicit.example", 0).await.unwrap(), ["implicit.example:25"]);
    assert_eq!(hosts(&router, "nothing.example", 0).await, failed(true, "5.4.4"));
    assert_eq!(hosts(&router, "missing.example", 0).await, failed(true, "5.1.2"));
    assert_eq!(hosts(&router, "broken.example", 0).await, failed(false, "4.4.3"));
    assert_eq!(hosts(&router, "ours.example", 0).await, failed(true, "5.4.6"));
    assert_eq!(hosts(&router, "backup.example", 0).await.unwrap(), ["better.example:25"]);
    assert_eq!(hosts(&router, "[192.0.2.7]", 0).await.unwrap(), ["192.0.2.7:25"]);
    assert_eq!(hosts(&router, "[ipv6:2001:db8::7]", 0).await.unwrap(), ["[2001:db8::7]:25"]);
    assert_eq!(hosts(&router, "[nonsense]", 0).await, failed(true, "5.1.2"));
}

#[tokio::test]
async fn no_more_addresses_are_tried_than_wanted() {
    let zone = (1..=4).fold(Zone::default(), |zone, last| {
        zone.address("mx.example", &format!("192.0.2.{last}"))
            .address("mx.example", &format!("2001:db8::{last}"))
    });
    let router = router(zone).await;
    let settings = Settings { max_ips_per_mx_node: 2, ..Settings::default() };
    let peers = router.peers(&candidate("mx.example"), &settings, ServerTls::Opportunistic).await.unwrap();
    assert_eq!(peers.len(), 2);
    assert!(peers.iter().all(|peer| peer.host == "mx.example" && peer.address.port() == 25));
    let failure =
        router.peers(&candidate("away.example"), &settings, ServerTls::Opportunistic).await.unwrap_err();
    assert_eq!((failure.permanent, failure.reply.status.as_str()), (false, "4.4.4"));
}
