use super::*;

fn head(payload: &[u8], from_initiator: bool) -> PayloadHead {
    let mut octets = [0u8; 8];
    for (to, from) in octets.iter_mut().zip(payload) {
        *to = upper(*from);
    }
    let folded: Vec<u8> = payload.iter().map(|&o| upper(o)).collect();
    PayloadHead {
        head: u64::from_be_bytes(octets),
        names_starttls: folded.windows(8).any(|w| w == b"STARTTLS"),
        from_initiator,
    }
}

fn follow(lines: &[(&str, &[u8])]) -> (SmtpStage, FlowMarks) {
    lines.iter().fold((SmtpStage::NONE, FlowMarks(0)), |(stage, marks), (who, payload)| {
        after(stage, marks, head(payload, *who == "C"))
    })
}

const OPENING: [(&str, &[u8]); 3] =
    [("S", b"220 mx ESMTP\r\n"), ("C", b"ehlo me\r\n"), ("S", b"250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n")];

#[test]
fn starttls_is_followed_to_tls() {
    let mut lines = OPENING.to_vec();
    lines.extend([("C", &b"StartTLS\r\n"[..]), ("S", b"220 go\r\n"), ("C", b"\x16\x03\x01\x02\x00")]);
    let (stage, marks) = follow(&lines);
    assert_eq!(stage, SmtpStage::TLS);
    let all = FlowMarks::STARTTLS_OFFERED
        | FlowMarks::STARTTLS_REQUESTED
        | FlowMarks::STARTTLS_ACCEPTED
        | FlowMarks::TLS;
    assert_eq!(marks.0, all);
}

#[test]
fn a_refused_starttls_is_not_accepted() {
    let mut lines = OPENING.to_vec();
    lines.extend([("C", &b"STARTTLS\r\n"[..]), ("S", b"454 not now\r\n"), ("C", b"\x16\x03\x01")]);
    assert_eq!(follow(&lines).0, SmtpStage::STARTTLS_REQUESTED);
}

#[test]
fn tls_from_the_first_octet_is_tls() {
    assert_eq!(follow(&[("C", b"\x16\x03\x01\x00\xff")]).0, SmtpStage::TLS);
}

#[test]
fn mail_in_plaintext_is_seen() {
    let mut lines = OPENING.to_vec();
    lines.push(("C", b"mail from:<>\r\n"));
    let (stage, marks) = follow(&lines);
    assert_eq!(stage, SmtpStage::MAIL);
    assert!(!marks.any(FlowMarks::TLS));
}

#[test]
fn a_server_that_names_starttls_before_ehlo_offers_nothing() {
    assert_eq!(follow(&[("S", b"220 STARTTLS\r\n")]).1, FlowMarks(0));
}

#[test]
fn nothing_follows_tls() {
    assert_eq!(after(SmtpStage::TLS, FlowMarks(FlowMarks::TLS), head(b"220 x", false)).0, SmtpStage::TLS);
}
