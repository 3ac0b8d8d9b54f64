//! The next hop hangs up at each point: the originator gets an answer or the end, and every session its account.

use tokio::io::AsyncWriteExt as _;

use super::dialogue::Dialogue;
use super::next_hop::{HangUp, Manner, NextHop};
use super::rig::Plan;
use crate::model::disposition::Disposition;

#[tokio::test]
async fn wherever_the_next_hop_hangs_up_the_originator_learns_of_it() {
    for hang_up in HangUp::ALL {
        let hop = NextHop::start(Manner { hang_up: Some(hang_up), ..Manner::default() }).await;
        let rig = Plan::to(hop.address).build();
        let mut client = Dialogue::call(rig.address).await;
        let mut replies = vec![client.reply().await];
        for command in [
            "EHLO client.example",
            "MAIL FROM:<a@client.example>",
            "RCPT TO:<b@hop.example>",
            "DATA",
            "Subject: x\r\n\r\ny\r\n.",
            "QUIT",
        ] {
            let last = replies.last().unwrap();
            if last.is_empty() || last.starts_with("421") {
                break;
            }
            if client.stream.try_write(format!("{command}\r\n").as_bytes()).is_err() {
                break;
            }
            replies.push(client.reply().await);
        }
        let accounts = rig.accounts(1).await;
        let last = replies.iter().rev().find(|reply| !reply.is_empty()).unwrap();
        if hang_up == HangUp::Quit {
            // By then everything is said.
            assert!(replies.iter().any(|reply| reply.starts_with("250 2.0.0 taken")), "{replies:?}");
            assert_eq!(hop.mail().len(), 1);
            assert_eq!(accounts, [Disposition::Inspected], "{replies:?}");
        } else {
            assert!(last.starts_with('4'), "{hang_up:?}: {replies:?}");
            assert!(hop.mail().is_empty(), "{hang_up:?}");
            assert!(matches!(accounts[0], Disposition::Failed(_)), "{hang_up:?}: {accounts:?}");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_a_transient_failure() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = Plan::to(gone).build();
    let mut client = Dialogue::call(rig.address).await;
    client.expect("421").await;
    client.expect_end().await;
    assert!(matches!(rig.accounts(1).await[..], [Disposition::Failed(_)]));
}

#[tokio::test]
async fn an_originator_that_leaves_at_any_point_gets_its_account() {
    let dialogue = "EHLO c\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@hop.example>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n";
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    let cuts: Vec<usize> = (0..dialogue.len()).step_by(7).collect();
    for &cut in &cuts {
        let mut client = Dialogue::call(rig.address).await;
        client.expect("220").await;
        client.send(&dialogue[..cut]).await;
        drop(client);
    }
    let accounts = rig.accounts(cuts.len()).await;
    assert!(accounts.iter().all(|account| !matches!(account, Disposition::Bypassed(_))));
    // What arrived is whole.
    assert!(hop.mail().iter().all(|mail| mail.octets.ends_with(b"\r\nSubject: x\r\n\r\ny\r\n")));
}

#[tokio::test]
async fn what_the_next_hop_says_in_the_middle_of_a_message_is_the_answer_to_it() {
    for (reply, closes) in [("552 5.3.4 too much", true), ("451 4.3.0 not now", false)] {
        let hop = NextHop::start(Manner { early: Some((reply, closes)), ..Manner::default() }).await;
        let rig = Plan::to(hop.address).build();
        let mut client = Dialogue::call(rig.address).await;
        client.begin().await;
        // More than the sockets between take.
        let message = format!("Subject: x\r\n\r\n{}", "much of it\r\n".repeat(1_500_000));
        assert_eq!(client.mail(&message).await.trim_end(), reply, "closes: {closes}");
        client.expect_end().await;
        assert!(matches!(rig.accounts(1).await[..], [Disposition::Failed(_)]));
    }
}

#[tokio::test]
async fn an_originator_that_only_listens_behind_the_final_dot_hears_the_answer() {
    let hop = NextHop::start(Manner::chunking()).await;
    let rig = Plan::to(hop.address).build();
    for chunked in [false, true] {
        let mut client = Dialogue::call(rig.address).await;
        client.begin().await;
        client.envelope().await;
        if chunked {
            client.send("BDAT 18 LAST\r\nSubject: x\r\n\r\nab\r\n").await;
            client.stream.shutdown().await.unwrap();
            client.expect("250").await;
        } else {
            client.ask("DATA", "354").await;
            client.send("Subject: x\r\n\r\nab\r\n.\r\n").await;
            client.stream.shutdown().await.unwrap();
            client.expect("250 2.0.0 chunk taken").await;
        }
        client.expect_end().await;
    }
    assert_eq!(rig.accounts(2).await, [Disposition::Inspected, Disposition::Inspected]);
    assert_eq!(hop.mail().len(), 2);
}
