use proptest::prelude::*;

use super::QuotedPrintableDecoder;

fn decode(text: &str, step: usize) -> String {
    let (mut decoder, mut out) = (QuotedPrintableDecoder::default(), Vec::new());
    for piece in text.as_bytes().chunks(step) {
        decoder.decode(piece, &mut out);
    }
    decoder.finish(&mut out);
    out.iter().map(|octet| char::from(*octet)).collect()
}

#[test]
fn escapes_and_soft_breaks() {
    for step in 1..20 {
        assert_eq!(decode("a=3Db=\r\nc=3d=\n=  \t\r\nd\r\n", step), "a=bc=d\r\n");
        assert_eq!(decode("a=4", step), "a=4");
        assert_eq!(decode("a=", step), "a");
        assert_eq!(decode("a= \r", step), "a");
        assert_eq!(decode("=XY=4G==41", step), "=XY=4G=A");
        assert_eq!(decode("=\rx= x=\r\r\n", step), "=\rx= x=\r\r\n");
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter(text in "[=34Dd \t\r\nx]{0,100}", step in 1usize..50) {
        prop_assert_eq!(decode(&text, step), decode(&text, 1000));
    }
}
