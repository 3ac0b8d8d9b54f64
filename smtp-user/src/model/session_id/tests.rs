use super::*;

const CHANCE: [u8; 10] = [0xff; 10];

#[test]
fn an_id_has_version_variant_and_time() {
    let id = SessionId::new(0x0193_a5e8_7c1d, CHANCE);
    assert_eq!(id.to_string(), "0193a5e8-7c1d-7fff-bfff-ffffffffffff");
    assert!(id < SessionId::new(0x0193_a5e8_7c1e, [0; 10]));
}

#[test]
fn ids_survive_text() {
    let id = SessionId::new(1_763_700_000_123, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(id.to_string().parse(), Ok(id));
    let message = MessageId { session: id, number: 12 };
    assert_eq!(message.to_string().parse(), Ok(message));
}

#[test]
fn other_text_is_no_id() {
    for text in ["", "x", "0193a5e8-7c1d-7fff-bfff-fffffffffff", "0193a5e8-7c1d-7fff-bfff-fffffffffffg"] {
        assert!(text.parse::<SessionId>().is_err(), "{text}");
        assert!(text.parse::<MessageId>().is_err(), "{text}");
    }
}

#[test]
fn a_session_in_place_of_a_message_is_told_how_to_go_on() {
    let session = "0193a5e8-7c1d-7fff-bfff-ffffffffffff";
    let error = session.parse::<MessageId>().unwrap_err();
    assert_eq!(error, InvalidId::NoNumber { text: session.to_owned() });
    assert!(error.to_string().ends_with(&format!("`{session}.1` is the first")), "{error}");
}
