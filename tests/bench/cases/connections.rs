//! F8: connections a second: connect, an octet each way, reset.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use socket2::SockRef;

use super::stacks::{Comparison, Work, compare};
use crate::gateway::{Gateway, Kind};
use crate::interrupt;
use crate::lane::{Offloads, SERVER_V4};
use crate::netns::pin_to;
use crate::report::Goal;
use crate::rig::Rig;
use crate::schedstat::{ksoftirqd_ns, own_process_ns};
use crate::subject::Setup;

/// Unflagged flows on the automatically chosen hook.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let comparison = Comparison {
        case: "F8",
        amount: "connection",
        offloads: Offloads::Full,
        subject: rig.subject_kind(Setup::plain("auto")),
        peers: vec![(Kind::Conntrack, Some(Goal::AtLeast(0.95, 1.1))), (Kind::Kernel, None)],
        note: "connect, an octet each way, reset",
    };
    let (cpu, leg) = (rig.cpu, rig.leg);
    compare(
        rig,
        &comparison,
        |gateway| Server::start(gateway, cpu),
        |gateway, _| connect_for(gateway, cpu, leg),
    )
}

/// Connections of a few client threads. Both ends are threads of this process, which does nothing else.
fn connect_for(gateway: &Gateway, cpu: usize, time: Duration) -> Result<Work> {
    let cpu_ns = || Ok::<u64, anyhow::Error>(own_process_ns()? + ksoftirqd_ns(cpu)?);
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let (before, start) = (cpu_ns()?, Instant::now());
    let client = || {
        gateway.lane.client.run_on(cpu, || {
            while start.elapsed() < time {
                interrupt::check()?;
                let counter = if exchange().is_ok() { &done } else { &failed };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| anyhow!("a client thread panicked"))?)
    })?;
    let (seconds, cpu_ns) = (start.elapsed().as_secs_f64(), cpu_ns()? - before);
    let (done, failed) = (done.into_inner(), failed.into_inner());
    ensure!(failed * 100 <= done, "void: {failed} of {} connections failed", done + failed);
    Ok(Work { cpu_ns, amount: done as f64, seconds })
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
    fn start(gateway: &Gateway, cpu: usize) -> Result<Self> {
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
                    // Only costs a little accuracy where it fails.
                    let _ = pin_to(cpu);
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
