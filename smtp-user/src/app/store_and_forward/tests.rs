//! It is said when the spool is full and when it is no longer, as often as it is to be looked.

use std::io;
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::delivery::fixture::{OCTETS, message};
use crate::model::queued_message::QueuedMessage;
use crate::spool::place::Place;
use crate::spool::store::Spool;
use crate::wire::hexadecimal::hexadecimal;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until something was said so often.
    async fn until(&self, what: &str, times: usize) {
        let wait = async {
            while self.text().matches(what).count() < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(), "{}", self.text());
    }
}

const FULL: &str = "`spool_limit` is reached";
const ROOM: &str = "`spool_limit` is no longer reached";

async fn put(spool: &Spool, number: u32) -> QueuedMessage {
    let message = message(number, &["x@y.example"]);
    let mut incoming = spool.intake().begin(message.id).unwrap();
    incoming.write(OCTETS).unwrap();
    let message = QueuedMessage {
        sha256: hexadecimal(&Sha256::digest(OCTETS)),
        octets: OCTETS.len() as u64,
        ..message
    };
    spool.commit(incoming, message.clone(), Place::Active).await.unwrap();
    message
}

#[tokio::test]
async fn that_the_limit_is_reached_is_said_once_a_period() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let settings = spool::config::Config {
        limit: Some(1),
        min_free_octets: 0,
        min_free_files: 0,
        ..spool::config::Config::within(folder.path())
    };
    let (spool, _) = Spool::open(&settings).unwrap();
    let (period, periods) = watch::channel(Duration::from_hours(1));
    let task = tokio::spawn(watch_limit(spool.intake(), periods));
    // It has looked for the first time, and looks again in an hour.
    tokio::time::sleep(Duration::from_millis(20)).await;
    put(&spool, 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(written.text().matches("spool_limit").count(), 0, "{}", written.text());
    // Another period holds at once.
    period.send(Duration::from_millis(5)).unwrap();
    written.until(FULL, 1).await;
    let id = spool.all()[0].0;
    spool.remove(id).await.unwrap();
    written.until(ROOM, 1).await;
    put(&spool, 2).await;
    written.until(FULL, 2).await;
    // Not at every look.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let text = written.text();
    assert_eq!((text.matches(FULL).count(), text.matches(ROOM).count()), (2, 1), "{text}");
    task.abort();
}
