//! S9R: how long a daemon that starts with a full spool takes until mail gets through it.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{Advice, fadvise};
use smtp_user::model::decision::{Decision, MessageAction, MessageVerdict};
use smtp_user::model::queued_message::{KeptJudgement, QueuedMessage, QueuedSender};
use smtp_user::model::queued_recipient::{QueuedRecipient, RecipientState};
use smtp_user::model::session_id::{MessageId, SessionId};
use smtp_user::spool::control;
use smtp_user::spool::place::{Place, Places};

use super::super::SmtpRig;
use super::super::stand::{Between, Security, Station};
use crate::lane::SERVER_V4;
use crate::report::{Goal, Unit};

/// Messages that wait.
const MESSAGES: u32 = 100_000;
/// Octets of each; a start does not read them.
const OCTETS: u64 = 1024;

/// S9R.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    let mut station = Station::create(rig, Between::PosternSpool, Security::Plain)?;
    let took = station.restart(rig, |folder| fill(&Places::new(&folder.join("spool"))))?;
    let places = Places::new(&rig.scratch.join(station.lane.gateway.name()).join("spool"));
    let left = fs::read_dir(places.folder(Place::Deferred))?.count();
    ensure!(left == MESSAGES as usize, "void: {left} of {MESSAGES} messages are in the spool");
    let note = "from the start until a new message was taken and had arrived; control files out of the page cache, one sample";
    let goal = Some(Goal::AtMost(30.0, 15.0));
    let what = format!("start with {MESSAGES} messages");
    rig.report.measured("S9R", what, Unit::Seconds, &[took.as_secs_f64()], goal, note)
}

/// Writes messages that have failed once and are due in an hour, as a daemon would have left them.
fn fill(places: &Places) -> Result<()> {
    let body = vec![b'x'; OCTETS as usize];
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut files = Vec::new();
    for number in 0..MESSAGES {
        let message = message(number, now)?;
        fs::write(places.body(message.id), &body)?;
        let path = places.control(Place::Deferred, message.id);
        let mut file = File::create_new(&path)?;
        file.write_all(&control::encode(&message)?)?;
        files.push(path);
    }
    let folder = File::open(places.root())?;
    rustix::fs::syncfs(&folder).context("syncing the file system")?;
    for path in &files {
        forget(path)?;
    }
    Ok(())
}

/// Has a file read from the disk next time.
fn forget(path: &Path) -> Result<()> {
    Ok(fadvise(File::open(path)?, 0, None, Advice::DontNeed)?)
}

fn message(number: u32, now: Duration) -> Result<QueuedMessage> {
    let session = SessionId::new(u64::try_from(now.as_millis())? + u64::from(number), [0x50; 10]);
    let micros = u64::try_from(now.as_micros())?;
    let mut recipient = QueuedRecipient::new(&format!("b{number}@dst.test"));
    let next_attempt = micros + 3_600_000_000;
    recipient.state = RecipientState::Pending { attempts: 1, last: None, next_attempt };
    let clean = Decision { verdict: MessageVerdict::Clean, action: MessageAction::Pass, why: String::new() };
    Ok(QueuedMessage {
        id: MessageId { session, number: 1 },
        received: micros,
        originator: SocketAddr::from(([10, 201, 0, 2], 4000)),
        // A thousand next hops, none of which is there.
        destination: SocketAddr::from((SERVER_V4, u16::try_from(30_000 + number % 1000)?)),
        rule: 0,
        rule_name: "mail".to_owned(),
        policy: 1,
        resource: "mail".to_owned(),
        sender: QueuedSender { path: "a@src.test".to_owned(), ..QueuedSender::default() },
        recipients: vec![recipient],
        octets: OCTETS,
        // Compared when it is due, and it never is here.
        sha256: "0".repeat(64),
        trace: String::new(),
        hops: 0,
        judgement: Some(KeptJudgement {
            decision: clean,
            at: micros,
            in_dialogue: true,
            engines: Vec::new(),
            by_hand: false,
        }),
        attempts: 1,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: None,
        version: 1,
    })
}
