use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::engine::config::{Address, Config};
use crate::engine::outcome::{EngineError, EngineOutcome};
use crate::engine::remote::Engine;
use crate::model::message_octets::MessageOctets;

/// What a clamd of the tests does with a message.
#[derive(Clone, Copy)]
enum Way {
    /// Takes all of it and says this.
    Say(&'static [u8]),
    /// Says this after so many octets, and closes.
    SayEarly(usize, &'static [u8]),
    Hang,
    Close,
}

/// Listens; what it got of each message comes back.
fn listen(folder: &Path, way: Way) -> (PathBuf, tokio::sync::mpsc::Receiver<Vec<u8>>) {
    let path = folder.join("clamd");
    let listener = UnixListener::bind(&path).unwrap();
    let (told, got) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, way, told.clone()));
        }
    });
    (path, got)
}

async fn serve(mut stream: UnixStream, way: Way, told: tokio::sync::mpsc::Sender<Vec<u8>>) {
    let mut command = Vec::new();
    while !command.ends_with(b"\0") {
        command.push(stream.read_u8().await.unwrap());
    }
    if command == b"zVERSION\0" {
        stream.write_all(b"ClamAV 1.4.6/27000\0").await.unwrap();
        return;
    }
    let mut message = Vec::new();
    if command == b"zFILDES\0" {
        stream.readable().await.unwrap();
        message = read_descriptor(&stream);
    } else {
        assert_eq!(command, b"zINSTREAM\0");
        loop {
            if let Way::SayEarly(limit, reply) = way
                && message.len() >= limit
            {
                stream.write_all(reply).await.unwrap();
                return;
            }
            let length = stream.read_u32().await.unwrap() as usize;
            if length == 0 {
                break;
            }
            let at = message.len();
            message.resize(at + length, 0);
            stream.read_exact(&mut message[at..]).await.unwrap();
        }
    }
    told.send(message).await.unwrap();
    match way {
        Way::Say(reply) | Way::SayEarly(_, reply) => stream.write_all(reply).await.unwrap(),
        Way::Hang => std::future::pending().await,
        Way::Close => {}
    }
}

fn read_descriptor(stream: &UnixStream) -> Vec<u8> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut octet = [0; 1];
    let mut slices = [std::io::IoSliceMut::new(&mut octet)];
    recvmsg(stream, &mut slices, &mut ancillary, RecvFlags::empty()).unwrap();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            let mut file = std::fs::File::from(descriptors.into_iter().next().unwrap());
            assert!(file.write(b"x").is_err(), "the file can only be read");
            let mut octets = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut octets).unwrap();
            return octets;
        }
    }
    panic!("no descriptor");
}

fn engine(path: &Path, deadline: Duration) -> Engine {
    let config = Config::clamd("clamd", Address::Unix(path.to_owned()));
    // What it is shown first has tests of its own.
    Engine::load(Config { deadline, self_test: false, ..config }).unwrap()
}

/// Long enough for anything that works.
const PATIENT: Duration = Duration::from_secs(20);

async fn ask(way: Way, message: &dyn MessageOctets) -> (EngineOutcome, Option<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut got) = listen(folder.path(), way);
    let deadline = if matches!(way, Way::Hang) { Duration::from_millis(100) } else { PATIENT };
    let report = engine(&path, deadline).scan(message).await;
    (report.outcome, got.try_recv().ok())
}

#[tokio::test]
async fn replies_follow_the_message() {
    let message: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let (outcome, got) = ask(Way::Say(b"stream: OK\0"), &message).await;
    assert_eq!((outcome, got), (EngineOutcome::Clean, Some(message.clone())));
    let (outcome, _) = ask(Way::Say(b"stream: Eicar-Test-Signature FOUND\0"), &message).await;
    assert_eq!(outcome, EngineOutcome::Infected("Eicar-Test-Signature".to_owned()));
    let (outcome, got) = ask(Way::Say(b"stream: OK\0"), &Vec::new()).await;
    assert_eq!((outcome, got), (EngineOutcome::Clean, Some(Vec::new())));
}

#[tokio::test]
async fn the_version_is_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _got) = listen(folder.path(), Way::Say(b"stream: OK\0"));
    let report = engine(&path, PATIENT).scan(&b"x".to_vec()).await;
    assert_eq!(report.version.as_deref(), Some("ClamAV 1.4.6/27000"));
}

#[tokio::test]
async fn an_early_limit_is_heard_while_writing() {
    let message = vec![b'a'; 20 << 20];
    let (outcome, _) = ask(Way::SayEarly(100_000, b"INSTREAM size limit exceeded. ERROR\0"), &message).await;
    assert!(matches!(outcome, EngineOutcome::LimitExceeded(_)), "{outcome:?}");
    let (outcome, _) = ask(Way::SayEarly(100_000, b"stream: X FOUND\0"), &message).await;
    assert_eq!(outcome, EngineOutcome::Infected("X".to_owned()));
    let (outcome, _) = ask(Way::SayEarly(100_000, b"stream: OK\0"), &message).await;
    assert_eq!(outcome, EngineOutcome::Error(EngineError::TooEarly));
}

#[tokio::test]
async fn faults_are_errors_and_never_clean() {
    let message = vec![b'a'; 1000];
    for (way, expected) in [
        (Way::Close, "the answer was cut"),
        (Way::Hang, "no answer in time"),
        (Way::Say(b"stream: OK"), "the answer was cut"),
        (Way::Say(b"stream: OK\0stream: OK\0"), "not understood"),
        (Way::Say(b"garbage\0"), "not understood"),
        (Way::Say(b"stream: Can't allocate memory ERROR\0"), "it says"),
    ] {
        let (outcome, _) = ask(way, &message).await;
        let EngineOutcome::Error(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains(expected), "{error}");
    }
    let report = engine(Path::new("/nonexistent/clamd"), PATIENT).scan(&message).await;
    assert!(matches!(report.outcome, EngineOutcome::Error(EngineError::Unreachable { .. })));
}

/// A message that is in a file.
struct InFile(std::fs::File, Vec<u8>);

impl MessageOctets for InFile {
    fn len(&self) -> u64 {
        self.1.len() as u64
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> std::io::Result<usize> {
        self.1.read_at(offset, room)
    }

    fn as_file(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

#[tokio::test]
async fn a_file_is_given_as_a_descriptor() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"in a file").unwrap();
    let message = InFile(file, b"in a stream".to_vec());
    let (outcome, got) = ask(Way::Say(b"fd[9]: OK\0"), &message).await;
    assert_eq!((outcome, got), (EngineOutcome::Clean, Some(b"in a file".to_vec())));
    // Refused as a file, it is asked about as a stream; both say the same here.
    let (outcome, got) = ask(Way::Say(b"fd[9]: Permission denied ERROR\0"), &message).await;
    assert!(matches!(outcome, EngineOutcome::Error(_)));
    assert_eq!(got, Some(b"in a file".to_vec()));
}
