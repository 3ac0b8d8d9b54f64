//! The peers' daemons, from scratch folders, in the gateway's namespace and a control group.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::postfix::SERVICES;
use nix::unistd::{User, chown};
use smtp_user::wire::hexadecimal::hexadecimal;

use super::cpu_group::CpuGroup;
use super::stand::Between;
use crate::netns::{NetNs, quiet};
use crate::skipped::Skipped;

/// Port on which the peers listen in the gateway.
pub(crate) const PORT: u16 = 2525;

/// Says aloud what is not installed.
pub(crate) fn require(between: Between) -> Result<()> {
    let programs: &[&str] = match between {
        Between::Nothing | Between::Postern | Between::PosternUnseen | Between::PosternSpool => &[],
        Between::Haproxy => &["haproxy"],
        Between::PostfixProxy | Between::PostfixQueue => &["postfix"],
        Between::PostfixClamsmtp => &["postfix", "clamsmtpd", "clamd"],
        Between::PostfixAmavis => &["postfix", "amavisd", "clamd"],
        Between::PosternClamd => &["clamd"],
    };
    for program in programs {
        if let Err(error) = crate::netns::require(program) {
            return Err(Skipped::because(format!("{error}; `cargo xtask setup --tests` installs it")));
        }
    }
    Ok(())
}

/// Starts a peer that listens on [`PORT`] and hands mail to `server`.
pub(crate) fn start(
    between: Between,
    group: &CpuGroup,
    gateway: &NetNs,
    folder: &Path,
    server: SocketAddr,
) -> Result<Vec<Child>> {
    match between {
        Between::Haproxy => Ok(vec![haproxy(group, gateway, folder, server)?]),
        Between::PostfixProxy => Ok(vec![postfix(group, gateway, folder, Some(server))?]),
        Between::PostfixQueue => Ok(vec![postfix(group, gateway, folder, None)?]),
        Between::PostfixClamsmtp => {
            let clamd = clamd(group, gateway, folder)?;
            let filter = clamsmtpd(group, gateway, folder, server)?;
            Ok(vec![clamd, filter, postfix(group, gateway, folder, Some(FILTER))?])
        }
        Between::PostfixAmavis => {
            let clamd = clamd(group, gateway, folder)?;
            let filter = amavisd(group, gateway, folder, server)?;
            Ok(vec![clamd, filter, postfix(group, gateway, folder, Some(FILTER))?])
        }
        Between::Nothing
        | Between::Postern
        | Between::PosternUnseen
        | Between::PosternClamd
        | Between::PosternSpool => Ok(Vec::new()),
    }
}

/// What the daemons of a folder said last.
pub(crate) fn words(folder: &Path) -> String {
    let mut all = String::new();
    for name in ["daemons.log", "log"] {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if !lines.is_empty() {
            let _ = write!(all, "{name}: {} ", lines[lines.len().saturating_sub(4)..].join(" / "));
        }
    }
    all
}

/// Postern's engine section for the clamd of a folder.
pub(crate) fn engine(folder: &Path) -> String {
    format!("[[engine]]\nname = \"clamd\"\naddress = \"{}\"\n", socket(folder).display())
}

/// Starts clamd with a private database and waits until it answers.
pub(crate) fn clamd(group: &CpuGroup, gateway: &NetNs, folder: &Path) -> Result<Child> {
    let database = folder.join("db");
    fs::create_dir_all(&database)?;
    fs::write(database.join("test.ndb"), signatures())?;
    let config = folder.join("clamd.conf");
    let text = format!(
        "LocalSocket {}\nDatabaseDirectory {}\nMaxThreads 4\nStreamMaxLength 100M\nForeground yes\nUser root\n\
         Bytecode no\n",
        socket(folder).display(),
        database.display()
    );
    fs::write(&config, text)?;
    let mut command = group.command("clamd");
    command.arg("-c").arg(&config);
    let mut child = spawn(gateway, folder, &mut command)?;
    let end = Instant::now() + Duration::from_secs(30);
    while !socket(folder).exists() {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("clamd ended at once, {status}: {}", words(folder));
        }
        ensure!(Instant::now() < end, "clamd was not ready in 30 s: {}", words(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(child)
}

fn socket(folder: &Path) -> std::path::PathBuf {
    folder.join("clamd.sock")
}

fn haproxy(group: &CpuGroup, gateway: &NetNs, folder: &Path, server: SocketAddr) -> Result<Child> {
    let config = folder.join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 4000\n  nbthread 2\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 300s\n\
         \x20 timeout server 300s\nfrontend f\n  bind 10.201.0.1:{PORT}\n  default_backend b\nbackend b\n  server s {server}\n"
    );
    fs::write(&config, text)?;
    let mut command = group.command("haproxy");
    command.arg("-f").arg(&config);
    spawn(gateway, folder, &mut command)
}

/// With a filter, every message goes through it before it is taken; without one, into the queue.
fn postfix(group: &CpuGroup, gateway: &NetNs, folder: &Path, filter: Option<SocketAddr>) -> Result<Child> {
    let etc = folder.join("etc");
    let (spool, data) = (folder.join("spool"), folder.join("data"));
    for path in [&etc, &spool, &data] {
        fs::create_dir_all(path)?;
    }
    give(&data, "postfix")?;
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\nmyhostname = gw.test\nmydestination =\n\
         inet_interfaces = 10.201.0.1, 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 10.0.0.0/8 127.0.0.0/8\n\
         relayhost = [10.202.0.2]\nsmtpd_client_connection_count_limit = 0\nsmtpd_client_connection_rate_limit = 0\n\
         smtpd_peername_lookup = no\ndefault_process_limit = 1200\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\ndisable_dns_lookups = yes\n\
         message_size_limit = 209715200\nalias_maps =\nalias_database =\nin_flow_delay = 0s\n",
        spool.display(),
        data.display()
    );
    fs::write(etc.join("main.cf"), main)?;
    let filter = filter.map_or_else(String::new, |filter| {
        format!(" -o smtpd_proxy_filter={filter} -o smtpd_authorized_xforward_hosts=127.0.0.0/8")
    });
    let master = format!(
        "10.201.0.1:{PORT} inet n - n - - smtpd{filter}\n\
         qmgr unix n - n 300 1 qmgr\n{SERVICES}"
    );
    fs::write(etc.join("master.cf"), master)?;
    let mut command = group.command("postfix");
    command.arg("-c").arg(&etc).arg("start-fg");
    spawn(gateway, folder, &mut command)
}

fn clamsmtpd(group: &CpuGroup, gateway: &NetNs, folder: &Path, server: SocketAddr) -> Result<Child> {
    let scratch = folder.join("tmp");
    fs::create_dir_all(&scratch)?;
    give(&scratch, "clamsmtp")?;
    let config = folder.join("clamsmtpd.conf");
    let text = format!(
        "OutAddress: {server}\nListen: 127.0.0.1:{FILTER_PORT}\nClamAddress: {}\nTempDirectory: {}\nMaxConnections: 200\n\
         PidFile: {}\nUser: clamsmtp\n",
        socket(folder).display(),
        scratch.display(),
        scratch.join("pid").display()
    );
    fs::write(&config, text)?;
    let mut command = group.command("clamsmtpd");
    command.arg("-f").arg(&config).args(["-d", "1"]);
    spawn(gateway, folder, &mut command)
}

/// Antivirus only, with four processes that are there from the start.
fn amavisd(group: &CpuGroup, gateway: &NetNs, folder: &Path, server: SocketAddr) -> Result<Child> {
    let home = folder.join("amavis");
    for path in [home.join("tmp"), home.join("db")] {
        fs::create_dir_all(&path)?;
        give(&path, "amavis")?;
    }
    give(&home, "amavis")?;
    let config = folder.join("amavisd.conf");
    let text = format!(
        r#"use strict;
$max_servers = 4; $daemon_user = 'amavis'; $daemon_group = 'amavis';
$MYHOME = '{home}'; $TEMPBASE = "$MYHOME/tmp"; $QUARANTINEDIR = undef; $db_home = "$MYHOME/db";
$lock_file = "$MYHOME/lock"; $pid_file = "$MYHOME/pid"; $enable_db = 0; $enable_zmq = 0; $nanny_details_level = 0;
$mydomain = 'gw.test'; $myhostname = 'gw.test'; $inet_socket_bind = '127.0.0.1'; $inet_socket_port = {FILTER_PORT};
@inet_acl = qw(127.0.0.1); @mynetworks = qw(10.0.0.0/8 127.0.0.0/8);
$forward_method = 'smtp:[{ip}]:{port}'; $notify_method = $forward_method;
$log_level = 0; $do_syslog = 0; $LOGFILE = "$MYHOME/log";
@bypass_spam_checks_maps = (1); $enable_dkim_verification = 0; $enable_dkim_signing = 0;
@av_scanners = (['ClamAV', \&ask_daemon, ["CONTSCAN {{}}\n", "{socket}"],
  qr/\bOK$/m, qr/\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m]);
@av_scanners_backup = (); $final_virus_destiny = D_REJECT; $final_banned_destiny = D_PASS;
$final_bad_header_destiny = D_PASS; $sa_tag_level_deflt = undef;
1;
"#,
        home = home.display(),
        ip = server.ip(),
        port = server.port(),
        socket = socket(folder).display(),
    );
    fs::write(&config, text)?;
    let mut command = group.command("amavisd");
    command.arg("-c").arg(&config).arg("foreground");
    let mut child = spawn(gateway, folder, &mut command)?;
    let end = Instant::now() + Duration::from_secs(30);
    // Written when it listens.
    while !home.join("pid").exists() {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("amavisd ended at once, {status}: {}", words(folder));
        }
        ensure!(Instant::now() < end, "amavisd was not ready in 30 s: {}", words(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(child)
}

fn spawn(gateway: &NetNs, folder: &Path, command: &mut Command) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("daemons.log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    gateway.run(|| command.spawn().with_context(|| format!("starting {command:?}")))
}

fn give(folder: &Path, user: &str) -> Result<()> {
    let found = User::from_name(user)?.with_context(|| format!("there is no user {user}"))?;
    chown(folder, Some(found.uid), Some(found.gid))?;
    // Some packages want the group too; the folder above lets everybody through.
    quiet(Command::new("chmod").arg("755").arg(folder))
}

/// EICAR, put together here so that no scanner finds it in this source, and bodies of chance for a matcher of
/// realistic size.
fn signatures() -> String {
    let mut text = format!("Eicar-Test-Signature:0:*:{}\n", hexadecimal(&harness::mail::eicar()));
    let mut random: u64 = 0x5057_4e42;
    for number in 0..20_000 {
        let body: Vec<u8> = (0..24)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 56) as u8
            })
            .collect();
        let _ = writeln!(text, "Test.Chance{number}:0:*:{}", hexadecimal(&body));
    }
    text
}

const FILTER_PORT: u16 = 2527;
/// Where Postfix hands mail to.
const FILTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), FILTER_PORT);
