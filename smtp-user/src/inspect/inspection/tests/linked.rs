//! Links of texts: listed ones are found, and what is shown for one is compared with where it leads.

use super::judge_in;
use crate::inspect::{Config, Judgement};
use crate::model::decision::MessageVerdict;

fn judge(lists: &str, message: &str) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("links");
    std::fs::write(&path, lists).unwrap();
    judge_in(Config { link_lists: vec![path], ..Config::default() }, message.as_bytes(), 7)
}

fn row(judgement: &Judgement, part: usize) -> String {
    let stages = &judgement.parts[part].stages;
    stages.iter().find(|(name, _)| name == "links").map(|(_, result)| result.clone()).unwrap()
}

const BOTH: &str = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: \
                    quoted-printable\r\n\r\nGo to http://www.evil.exa=\r\nmple/login now.\r\n--b\r\nContent-Type: \
                    text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj0iaHR0cDovL3d3dy5ldmlsLmV4YW1wbGUvbG9naW4iPnd3dy5iYW5rLmV4YW1wbGU8L2E+\r\n--b--\r\n";

#[test]
fn a_listed_link_is_found_in_text_and_in_html() {
    let judgement = judge("evil.example Phishing\n", BOTH);
    assert_eq!(judgement.decision.verdict, MessageVerdict::Infected);
    assert_eq!(judgement.decision.why, "Phishing: www.evil.example found in part 1");
    assert_eq!(row(&judgement, 0), "ran(1 link, listed: www.evil.example (Phishing))");
    assert!(row(&judgement, 1).starts_with("ran(1 link, listed: www.evil.example (Phishing)"));
}

#[test]
fn what_is_shown_and_leads_elsewhere_is_told() {
    let judgement = judge("other.example\n", BOTH);
    assert_eq!(judgement.decision.verdict, MessageVerdict::Clean);
    assert_eq!(row(&judgement, 0), "ran(1 link)");
    assert_eq!(row(&judgement, 1), "ran(1 link, shown as www.bank.example and leads to www.evil.example)");
}

#[test]
fn what_is_no_text_is_skipped() {
    let judgement = judge("evil.example\n", "Content-Type: application/pdf\r\n\r\nhttp://evil.example/\r\n");
    assert_eq!(row(&judgement, 0), "skipped(no text)");
    let judgement = judge("evil.example\n", "Subject: x\r\n\r\nBob < Eve, see <http://evil.example/x>\r\n");
    assert_eq!(row(&judgement, 0), "ran(1 link, listed: evil.example (Listed-Link))");
    let judgement = judge("evil.example\n", "Subject: x\r\n\r\nnothing\r\n");
    assert_eq!(row(&judgement, 0), "ran(no links)");
}
