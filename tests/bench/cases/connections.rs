//! F8: connections a second: connect, an octet each way, reset.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;
use socket2::SockRef;

use crate::gateway::{Gateway, Kind};
use crate::host::Load;
use crate::interrupt;
use crate::lane::{Offloads, SERVER_V4};
use crate::pairs::run_blocks;
use crate::report::{Goal, Unit};
use crate::rig::Rig;
use crate::skipped::Skipped;
use crate::subject::{Setup, Subject};

/// Unflagged flows on the automatically chosen hook.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    if rig.stand_in.is_some() {
        return Err(Skipped::because("connections are measured for postern only"));
    }
    let mut stations = Vec::new();
    for kind in [Kind::Postern(Setup::plain("auto")), Kind::Conntrack, Kind::Kernel] {
        let gateway = Gateway::for_stacks(&mut rig.ebpf, kind, Offloads::Full)?;
        let server = Server::start(&gateway)?;
        stations.push((server, gateway));
    }
    let (pairs, leg) = (rig.pairs, rig.leg);
    let report = &mut rig.report;
    let rows = run_blocks(pairs, &stations, |block, (_, gateway)| {
        let rate = connect_for(gateway, leg)?;
        let name = gateway.kind.name();
        eprintln!("  F8 {}/{pairs}: {name}: {rate:.0} connections/s", block + 1);
        report.line(&json!({
            "case": "F8", "pair": block, "leg": name, "metric": "connections_per_second_noisy", "value": rate,
            "load": Load::look(),
        }))?;
        Ok(rate)
    })?;
    let note = "rate by the clock, adjacent legs";
    let ratio: Vec<f64> = rows.iter().map(|row| row[0] / row[1]).collect();
    let goal = Some(Goal::AtLeast(0.95, 1.1));
    rig.report.measured(
        "F8",
        "subject (auto) / kernel+ct, connections/s",
        Unit::Times,
        &ratio,
        goal,
        note,
    )?;
    let ratio: Vec<f64> = rows.iter().map(|row| row[0] / row[2]).collect();
    rig.report.measured("F8", "subject (auto) / kernel, connections/s", Unit::Times, &ratio, None, note)
}

/// Connections a second of a few client threads.
fn connect_for(gateway: &Gateway, time: Duration) -> Result<f64> {
    let before = gateway.subject.as_ref().map(Subject::counted).transpose()?;
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let client = || -> Result<()> {
        gateway.lane.client.enter()?;
        while start.elapsed() < time {
            interrupt::check()?;
            let counter = if exchange().is_ok() { &done } else { &failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| anyhow!("a client thread panicked"))?)
    })?;
    let elapsed = start.elapsed();
    let (done, failed) = (done.into_inner(), failed.into_inner());
    ensure!(failed * 100 <= done, "void: {failed} of {} connections failed", done + failed);
    if let Some((before, subject)) = before.zip(gateway.subject.as_ref()) {
        let moved = subject.counted()?.accelerated - before.accelerated;
        ensure!(moved >= done, "void: {done} connections, {moved} packets on the accelerated path");
    }
    Ok(done as f64 / elapsed.as_secs_f64())
}

/// One connection.
fn exchange() -> std::io::Result<()> {
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from((SERVER_V4, PORT)), Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut octet = [1];
    stream.write_all(&octet)?;
    stream.read_exact(&mut octet)?;
    // Closing now sends a reset, so that no port is left waiting.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

/// The far end: several threads on one listener.
struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    fn start(gateway: &Gateway) -> Result<Self> {
        let listener = gateway.lane.server.run(|| {
            let listener = TcpListener::bind(SocketAddr::from((SERVER_V4, PORT)))?;
            SockRef::from(&listener).listen(1024)?;
            // Accepting gives up now and then to look whether it is to end.
            SockRef::from(&listener).set_read_timeout(Some(Duration::from_millis(200)))?;
            Ok(Arc::new(listener))
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..SERVERS)
            .map(|_| {
                let (listener, stop) = (Arc::clone(&listener), Arc::clone(&stop));
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let Ok((mut stream, _)) = listener.accept() else { continue };
                        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                        let mut octet = [0];
                        if stream.read_exact(&mut octet).is_ok() && stream.write_all(&octet).is_ok() {
                            let _ = stream.read(&mut octet);
                        }
                    }
                })
            })
            .collect();
        Ok(Self { stop, threads })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

const PORT: u16 = 2525;
const CLIENTS: usize = 8;
const SERVERS: usize = 16;
