//! The schema: what other gateways' records say has a place in ours, and secrets have none.

use serde_json::{Value, json};

use super::*;

const SESSION: &str = "0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17";

/// Reads a record and writes it again: nothing may be lost or renamed.
fn round_trip(record: &Value) -> Record {
    let parsed: Record = serde_json::from_value(record.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), *record);
    parsed
}

fn record(message: Option<u32>, event: &Value) -> Value {
    let mut record = json!({ "time": "2018-10-08T12:29:42.000000Z", "sequence": 7, "session": SESSION });
    let fields = record.as_object_mut().unwrap();
    if let Some(number) = message {
        fields.insert("message".to_owned(), number.into());
    }
    fields.extend(event.as_object().unwrap().clone());
    record
}

/// What another vendor's record of a bypassed session says: each field, where it stands here, and its value.
#[test]
fn every_field_of_a_bypass_record_has_a_place() {
    let opened = record(
        None,
        &json!({
            "event": "opened",
            "originator": "10.10.0.10:40122",
            "next_hop": "192.168.0.10:25",
            "interface": "eth2",
            "rule": 77,
            "rule_name": "SMTP Policy Restrictions",
            "policy": 12,
            "resource": "inbound",
        }),
    );
    let account = record(
        None,
        &json!({
            "event": "account",
            "disposition": "bypassed",
            "reason": "encrypted",
            "delivered": 0,
            "refused": 0,
            "deferred": 0,
            "client_octets": [512, 1024],
            "server_octets": [1024, 512],
            "millis": 1234,
        }),
    );
    round_trip(&opened);
    round_trip(&account);
    for (field, record, place, value) in [
        ("time in UTC", &opened, "/time", json!("2018-10-08T12:29:42.000000Z")),
        // Direction: the session's two legs are told apart, and the client leg is the one that came in here.
        ("interface name and direction", &opened, "/interface", json!("eth2")),
        ("policy name", &opened, "/rule_name", json!("SMTP Policy Restrictions")),
        ("rule number", &opened, "/rule", json!(77)),
        ("policy revision", &opened, "/policy", json!(12)),
        ("email session id", &account, "/session", json!(SESSION)),
        ("information", &account, "/reason", json!("encrypted")),
        ("source and its port", &opened, "/originator", json!("10.10.0.10:40122")),
        ("destination, its port, and so the service", &opened, "/next_hop", json!("192.168.0.10:25")),
        ("action", &account, "/disposition", json!("bypassed")),
        ("type", &account, "/event", json!("account")),
        ("blade and product family", &opened, "/resource", json!("inbound")),
        ("octets, as accounted", &account, "/client_octets/0", json!(512)),
    ] {
        assert_eq!(record.pointer(place), Some(&value), "{field}");
    }
}

/// The same for the record of a file that was analysed.
#[test]
fn every_field_of_an_emulation_record_has_a_place() {
    let digest = |length: usize| "5".repeat(length);
    let envelope = record(
        Some(1),
        &json!({ "event": "envelope", "from": "a@example.org", "to": ["scope@example.net"],
                 "refused": [["c@example.net", 550]] }),
    );
    let part = record(
        Some(1),
        &json!({
            "event": "part",
            "part": "2",
            "names": ["invoice.pdf"],
            "media_type": "application/pdf",
            "encoding": "base64",
            "octets": 215_615,
            "md5": digest(32),
            "sha1": digest(40),
            "sha256": digest(64),
            "stages": [["hashes", "ran(no match)"], ["clamd", "ran(clean, 12 ms)"], ["url", "skipped(type)"]],
        }),
    );
    let engine = record(
        Some(1),
        &json!({ "event": "engine", "engine": "clamd", "version": "ClamAV 1.4.3/27000", "result": "clean",
                 "detail": "SMTP Emulation", "micros": 12_000 }),
    );
    let judged = record(
        Some(1),
        &json!({ "event": "judged", "verdict": "clean", "action": "pass", "why": "", "octets": 300_000,
                 "sha256": digest(64) }),
    );
    for record in [&envelope, &part, &engine, &judged] {
        let parsed = round_trip(record);
        assert_eq!((parsed.session.to_string().as_str(), parsed.message), (SESSION, Some(1)));
    }
    // Source, destination, port and rule stand in the session's first record: one name joins them.
    for (field, record, place, value) in [
        ("time", &part, "/time", json!("2018-10-08T12:29:42.000000Z")),
        ("scope", &envelope, "/to/0", json!("scope@example.net")),
        ("file name", &part, "/names/0", json!("invoice.pdf")),
        ("file type", &part, "/media_type", json!("application/pdf")),
        ("file size", &part, "/octets", json!(215_615)),
        ("MD5", &part, "/md5", json!(digest(32))),
        ("SHA-1", &part, "/sha1", json!(digest(40))),
        ("SHA-256", &part, "/sha256", json!(digest(64))),
        ("verdict", &judged, "/verdict", json!("clean")),
        ("analysed on", &engine, "/version", json!("ClamAV 1.4.3/27000")),
        ("determined by", &part, "/stages/1/0", json!("clamd")),
        ("protection type", &engine, "/engine", json!("clamd")),
    ] {
        assert_eq!(record.pointer(place), Some(&value), "{field}");
    }
}

#[test]
fn tls_of_a_leg_is_read_back() {
    for leg in ["client-leg", "server-leg"] {
        round_trip(&record(
            None,
            &json!({
                "event": "tls", "leg": leg, "version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384",
                "key_bits": 256, "resumed": false, "server_name": "mx.example.net", "verified": "yes",
                "certificate": { "subject": "CN=mx.example.net", "issuer": "CN=Inspection",
                                 "names": ["mx.example.net"], "not_before": "2026-01-01T00:00:00Z",
                                 "not_after": "2026-04-01T00:00:00Z", "sha256": "00" },
            }),
        ));
    }
}

/// What is authenticated with is in no record: there is no field for it.
#[test]
fn an_auth_record_has_a_mechanism_and_a_code_and_nothing_else() {
    let event = SessionEvent::Auth { mechanism: "PLAIN".to_owned(), code: 235 };
    let value = serde_json::to_value(&event).unwrap();
    assert_eq!(value, json!({ "event": "auth", "mechanism": "PLAIN", "code": 235 }));
}

#[test]
fn every_disposition_is_read_back() {
    for (disposition, reason) in [
        ("inspected", None),
        ("bypassed", Some("rule")),
        ("refused", Some("policy")),
        ("failed", Some("reset")),
    ] {
        let mut event = json!({
            "event": "account", "disposition": disposition, "delivered": 1, "refused": 2, "deferred": 3,
            "client_octets": [u64::MAX, 1], "server_octets": [2, 3], "millis": 4,
        });
        if let Some(reason) = reason {
            event["reason"] = reason.into();
        }
        let parsed = round_trip(&record(None, &event));
        let SessionEvent::Account { disposition: parsed, .. } = parsed.event else { panic!() };
        assert_eq!((parsed.name(), parsed.reason()), (disposition, reason));
    }
}
