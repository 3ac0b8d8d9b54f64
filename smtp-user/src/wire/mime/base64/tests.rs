use proptest::prelude::*;

use super::Base64Decoder;

fn decode(text: &str, step: usize) -> (Vec<u8>, bool, bool) {
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    for piece in text.as_bytes().chunks(step) {
        decoder.decode(piece, &mut out);
    }
    decoder.finish(&mut out);
    (out, decoder.saw_junk(), decoder.saw_text_after_padding())
}

#[test]
fn what_is_written_as_it_should_be() {
    for step in 1..40 {
        assert_eq!(decode("", step), (b"".to_vec(), false, false));
        assert_eq!(decode("Zg==", step), (b"f".to_vec(), false, false));
        assert_eq!(decode("Zm8=\r\n", step), (b"fo".to_vec(), false, false));
        assert_eq!(decode("Zm9v\r\nYmFy\r\n", step), (b"foobar".to_vec(), false, false));
        assert_eq!(decode("Z m\t9\r\nvYmFy", step), (b"foobar".to_vec(), false, false));
        assert_eq!(decode("/+/+", step), (vec![0xff, 0xef, 0xfe], false, false));
    }
}

#[test]
fn what_is_not() {
    for step in 1..40 {
        assert_eq!(decode("Zm9vYg", step), (b"foob".to_vec(), false, false), "no padding");
        assert_eq!(decode("Zm9vY", step), (b"foo".to_vec(), false, false), "one character too many");
        assert_eq!(decode("Zm-9!v", step), (b"foo".to_vec(), true, false), "junk");
        assert_eq!(decode("====Zm9v", step), (b"foo".to_vec(), true, false), "padding first");
        assert_eq!(decode("Zg==Zm9v", step), (b"ffoo".to_vec(), false, true), "two streams");
        assert_eq!(decode("Zm9vZg=\r\n=\r\n", step), (b"foof".to_vec(), false, false));
    }
}

fn encode(octets: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let mut quantum = [0; 4];
        quantum[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(quantum);
        for i in 0..4 {
            let value = (bits >> (18 - 6 * i)) & 63;
            text.push(if i <= chunk.len() { alphabet[value as usize] as char } else { '=' });
        }
        if text.len() % 78 == 76 {
            text.push_str("\r\n");
        }
    }
    text
}

/// As the definition has it, octet by octet.
fn decode_singly(text: &str) -> (Vec<u8>, bool, bool) {
    decode(text, 1)
}

proptest! {
    #[test]
    fn many_at_once_are_no_different(
        octets in prop::collection::vec(any::<u8>(), 0..3000),
        odd in prop::collection::vec((any::<prop::sample::Index>(), "[-!= \r\n\tAz+/]{1,3}"), 0..3),
        step in 200usize..3000,
    ) {
        let mut text = encode(&octets);
        for (at, odd) in odd {
            text.insert_str(at.index(text.len() + 1), &odd);
        }
        prop_assert_eq!(decode(&text, step), decode_singly(&text));
    }

    #[test]
    fn every_octet_comes_back(octets in prop::collection::vec(any::<u8>(), 0..500), step in 1usize..200) {
        prop_assert_eq!(decode(&encode(&octets), step), (octets, false, false));
    }

    #[test]
    fn pieces_do_not_matter(text in "[A-Za-f0-9+/= \r\n!]{0,200}", step in 1usize..50) {
        prop_assert_eq!(decode(&text, step), decode(&text, 1000));
    }
}

#[test]
#[ignore = "measures; run with --release --ignored --nocapture"]
fn speed() {
    let text = encode(&vec![0x5a; 3 << 20]);
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    let start = std::time::Instant::now();
    for _ in 0..20 {
        for piece in text.as_bytes().chunks(32 << 10) {
            out.clear();
            decoder.decode(piece, &mut out);
        }
    }
    println!("base64 {:.0} MB/s", text.len() as f64 * 20.0 / start.elapsed().as_secs_f64() / 1e6);
}
