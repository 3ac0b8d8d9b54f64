//! What is asked of a host by what DNS says and vouches for.

use std::sync::Arc;

use super::super::{Care, Router};
use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::settings::Settings;
use crate::dns::Dns;
use crate::dns::fixture::Zone;
use crate::dns::validated::ValidatedDns;
use crate::model::server_tls::ServerTls;
use crate::model::tls_demand::TlsDemand;
use crate::model::tlsa::DaneDemand;

/// What is asked of the one host of a domain, or of a server that is configured by name.
async fn asked(zone: &Zone, destination: &str, level: ServerTls) -> Result<Option<Arc<DaneDemand>>, Failure> {
    let server = zone.clone().serve().await;
    let router = Router {
        dns: Dns::new(&[server]).unwrap(),
        validated: Some(ValidatedDns::new(&[server]).unwrap()),
        hostname: "gw.example".to_owned(),
    };
    let destination = match destination.strip_prefix('=') {
        Some(server) => Destination::Servers("r".to_owned(), vec![server.parse().unwrap()]),
        None => Destination::Domain("r".to_owned(), destination.to_owned()),
    };
    let settings = Settings::default();
    let hosts = router.hosts(&destination, &settings, Care { level, policies: None, now: 0 }, 1).await?;
    let peers = router.peers(&hosts[0], &settings, level).await?;
    Ok(match &peers[0].demand {
        TlsDemand::None | TlsDemand::MtaSts => None,
        TlsDemand::Dane(demand) => Some(Arc::clone(demand)),
    })
}

fn zone() -> Zone {
    Zone::default()
        .mx("a.example", 10, "mx.a.example.")
        .address("mx.a.example", "192.0.2.1")
        .tlsa("mx.a.example", 25, [3, 1, 1], &[1; 32])
        .alias("alias.example", "a.example")
        .mx("b.example", 10, "www.example.")
        .alias("www.example", "mx.a.example")
        .mx("c.example", 10, "web.example.")
        .alias("web.example", "host.example")
        .address("host.example", "192.0.2.3")
        .tlsa("web.example", 25, [2, 1, 1], &[2; 32])
        .address("own.example", "192.0.2.4")
        .tlsa("own.example", 25, [3, 1, 1], &[4; 32])
        .tlsa("own.example", 2525, [3, 1, 1], &[5; 32])
        .mx("plain.example", 10, "host.example.")
}

#[tokio::test]
async fn records_are_found_by_every_way_that_is_vouched_for() {
    for (destination, base, names, data) in [
        ("a.example", "mx.a.example", vec!["mx.a.example", "a.example"], 1),
        ("alias.example", "mx.a.example", vec!["mx.a.example", "alias.example", "a.example"], 1),
        // What a host is an alias of goes first; without records there, its own name does.
        ("b.example", "mx.a.example", vec!["mx.a.example", "www.example", "b.example"], 1),
        ("c.example", "web.example", vec!["web.example", "c.example"], 2),
        // Without mail exchangers, a domain is its own.
        ("own.example", "own.example", vec!["own.example"], 4),
        ("=mx.a.example", "mx.a.example", vec!["mx.a.example"], 1),
        ("=own.example:2525", "own.example", vec!["own.example"], 5),
    ] {
        let demand = asked(&zone().signed(), destination, ServerTls::Dane).await.unwrap().unwrap();
        assert_eq!(
            (demand.base.as_str(), &demand.names),
            (base, &names.iter().map(ToString::to_string).collect())
        );
        assert_eq!(demand.records[0].data, [data; 32], "{destination}");
    }
}

#[tokio::test]
async fn without_records_that_are_vouched_for_nothing_is_asked() {
    let signed = zone().signed();
    for (zone, destination) in [
        (zone(), "a.example"),
        (signed.clone(), "plain.example"),
        (signed.clone(), "=own.example:587"),
        (signed.clone(), "[192.0.2.1]"),
        (signed.clone(), "=192.0.2.1"),
        (signed.clone().insecure("a.example"), "a.example"),
        (signed.clone().insecure("mx.a.example"), "a.example"),
        (signed.clone().insecure("_25._tcp.mx.a.example"), "a.example"),
        (signed.clone().insecure("own.example"), "own.example"),
        (signed.clone().insecure("www.example"), "b.example"),
    ] {
        assert_eq!(asked(&zone, destination, ServerTls::Dane).await, Ok(None), "{destination}");
    }
}

#[tokio::test]
async fn an_alias_is_vouched_for_where_what_it_leads_to_is_not() {
    // The answer about `web.example` is not, since `host.example` is not; what `web.example` is an alias of, is.
    let zone = zone().signed().insecure("host.example");
    let demand = asked(&zone, "c.example", ServerTls::Dane).await.unwrap().unwrap();
    assert_eq!(demand.base, "web.example");
}

#[tokio::test]
async fn a_host_that_cannot_be_looked_up_is_put_off() {
    for name in ["a.example", "mx.a.example", "_25._tcp.mx.a.example"] {
        let failure = asked(&zone().signed().failing(name), "a.example", ServerTls::Dane).await.unwrap_err();
        assert!(!failure.permanent && failure.reply.status.starts_with("4."), "{name}: {failure:?}");
    }
    let bogus = zone().signed().failing("_25._tcp.mx.a.example");
    let failure = asked(&bogus, "a.example", ServerTls::Dane).await.unwrap_err();
    assert_eq!(failure.reply.status, "4.7.5");
    assert!(failure.reply.text.contains("_25._tcp.mx.a.example"), "{failure:?}");
}

#[tokio::test]
async fn other_levels_do_not_ask_for_records() {
    for level in [ServerTls::Off, ServerTls::Opportunistic, ServerTls::Required, ServerTls::Verified] {
        let zone = zone().signed().failing("_25._tcp.mx.a.example");
        assert_eq!(asked(&zone, "a.example", level).await, Ok(None));
    }
}
