//! The inspector as a service: started with listeners, set up anew on reload, drained at the end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock};

use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::info;

use crate::audit::recorder::Recorder;
use crate::gateway::admission::Admission;
use crate::gateway::descriptors::Descriptors;
use crate::gateway::listener::{Listener, listen};
use crate::gateway::setup::Setup;
use crate::gateway::shutdown::Phase;
use crate::gateway::threads::Threads;
use crate::model::clock::Clock;
use crate::model::flow_stages::FlowStages;
use crate::model::pulse::Pulse;

/// What sessions share.
pub(crate) struct Shared {
    setup: RwLock<Arc<Setup>>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stages: Arc<dyn FlowStages>,
    pub(crate) admission: Admission,
    pub(crate) descriptors: Descriptors,
}

impl Shared {
    /// What sessions that begin now work by.
    pub(crate) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where the inspector takes what it needs from.
pub struct Surroundings {
    /// Records go there.
    pub recorder: Recorder,
    /// Tells the time of day.
    pub clock: Arc<dyn Clock>,
    /// Keeps the stage of flows.
    pub stages: Arc<dyn FlowStages>,
    /// Asked by the heartbeat whether connections are accepted.
    pub pulse: Arc<Pulse>,
    /// Threads that sessions run on.
    pub threads: NonZero<usize>,
}

/// The inspector at work.
pub struct Service {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    /// One for each thread.
    tasks: Vec<JoinHandle<()>>,
    _threads: Threads,
    addresses: Vec<SocketAddr>,
}

impl Service {
    /// Starts to accept connections; inside a runtime.
    pub fn start(
        listeners: impl IntoIterator<Item = StdListener>,
        setup: Setup,
        surroundings: Surroundings,
    ) -> io::Result<Self> {
        let Surroundings { recorder, clock, stages, pulse, threads } = surroundings;
        let listeners: Vec<StdListener> = listeners.into_iter().collect();
        let addresses = listeners.iter().map(StdListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let threads = Threads::start(threads)?;
        let port = |is_v4: bool| {
            addresses.iter().find(|address| address.is_ipv4() == is_v4).map_or(0, SocketAddr::port)
        };
        let ports = [port(true), port(false)];
        let admission = Admission::new(setup.bounds);
        let shared = Arc::new(Shared {
            setup: RwLock::new(Arc::new(setup)),
            recorder,
            clock,
            stages,
            admission,
            descriptors: Descriptors::default(),
        });
        let (phase, _) = watch::channel(Phase::Running);
        pulse.open(ports);
        let mut tasks = Vec::new();
        for runtime in threads.runtimes() {
            let mine =
                listeners.iter().map(|listener| adopt(listener, runtime)).collect::<io::Result<_>>()?;
            let work = listen(mine, Arc::clone(&shared), phase.subscribe(), Arc::clone(&pulse));
            tasks.push(runtime.spawn(work));
        }
        Ok(Self { shared, phase, tasks, _threads: threads, addresses })
    }

    /// Where connections are accepted.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Sessions there are.
    pub fn sessions(&self) -> usize {
        self.shared.admission.in_all()
    }

    /// Sessions that begin from now on work by this.
    pub fn set_up(&self, setup: Setup) {
        self.shared.admission.set_bounds(setup.bounds);
        *self.shared.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }

    /// What sessions that begin now work by.
    pub fn setup(&self) -> Arc<Setup> {
        self.shared.setup()
    }

    /// Accepts no more connections, waits for the sessions in flight as long as the set-up says, and cuts the rest.
    /// When it returns, every session has its account.
    pub async fn stop(self) {
        let sessions = self.sessions();
        if sessions > 0 {
            info!(sessions, "waiting for sessions to end");
        }
        let _ = self.phase.send(Phase::Draining);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// The same queue of connections, for a runtime to wait at.
fn adopt(listener: &StdListener, runtime: &Handle) -> io::Result<Listener> {
    let _entered = runtime.enter();
    listener.set_nonblocking(true)?;
    // Small writes are gathered by sessions; the kernel need not hold them back too. Connections inherit it.
    SockRef::from(listener).set_tcp_nodelay(true)?;
    let local = listener.local_addr()?;
    Ok((TcpListener::from_std(listener.try_clone()?)?, local))
}
