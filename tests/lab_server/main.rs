//! `postern-lab-server`: the mail server of the lab. It takes everything, on port 25 with STARTTLS and on port 465
//! in TLS, and writes every message into a folder, octet for octet.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use harness::certificate::Certificate;
use harness::next_hop::{NextHop, Script};

/// The lab's mail server.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where messages go, as `1.eml`, `2.eml`, ...; the certificate is put there too.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
}

fn main() -> Result<()> {
    let folder = Arguments::parse().folder;
    std::fs::create_dir_all(&folder)?;
    let certificate = Certificate::new("mail.example.org");
    std::fs::write(folder.join("server.pem"), &certificate.pem)?;
    let listen = |port| TcpListener::bind(("::", port)).with_context(|| format!("listening on port {port}"));
    let script = |script: Script| Script {
        greeting: "220 mail.example.org ESMTP, the lab's own server\r\n".to_owned(),
        ..script
    };
    let servers = [
        NextHop::on(listen(25)?, script(Script::ordinary()), certificate.clone()),
        NextHop::on(listen(465)?, script(Script::implicit()), certificate),
    ];
    println!("listening on ports 25 and 465");
    let mut written = 0;
    loop {
        for delivery in servers.iter().flat_map(NextHop::take_deliveries) {
            written += 1;
            let file = folder.join(format!("{written}.eml"));
            // Under another name first: whoever waits for the file shall find it whole.
            let part = folder.join("part");
            std::fs::write(&part, &delivery.octets)?;
            std::fs::rename(&part, &file)?;
            println!("{}: {} octets from {}", file.display(), delivery.octets.len(), delivery.from);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
