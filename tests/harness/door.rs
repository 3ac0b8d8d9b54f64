//! Where a scripted engine listens: it may go away and come back to the same place.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::Socket;

use crate::accepting::Accepting;
use crate::flow_probe;
use crate::netns;

/// How often a connection that waits for octets looks whether it is to end.
const NOTICE: Duration = Duration::from_millis(20);

/// A place to listen at.
#[derive(Debug)]
pub(crate) enum Place {
    /// In the file system.
    Unix(PathBuf),
    /// In the namespace that this file stands for.
    Tcp(PathBuf, SocketAddr),
}

impl Place {
    fn listen(&self) -> Socket {
        let socket = match self {
            Self::Unix(path) => {
                let _ = std::fs::remove_file(path);
                UnixListener::bind(path).expect("a socket").into()
            }
            Self::Tcp(namespace, address) => {
                netns::enter(namespace, || flow_probe::listen_here(*address)).into()
            }
        };
        Socket::set_nonblocking(&socket, true).expect("the listener can be made not to block");
        socket
    }
}

type Serve = dyn Fn(&Socket, &AtomicBool) + Send + Sync;

/// A place, and whether somebody listens there.
pub(crate) struct Door {
    place: Place,
    serve: Arc<Serve>,
    accepting: Mutex<Option<Accepting>>,
}

impl Door {
    /// Listens, and has each connection served; who serves is told by the flag when it is to end.
    pub(crate) fn open(place: Place, serve: impl Fn(&Socket, &AtomicBool) + Send + Sync + 'static) -> Self {
        let door = Self { place, serve: Arc::new(serve), accepting: Mutex::default() };
        door.come_back();
        door
    }

    /// Nobody listens any more, and connections end. What stands in the file system stays there.
    pub(crate) fn leave(&self) {
        drop(self.accepting.lock().expect("no holder panics").take());
    }

    /// Listens again.
    pub(crate) fn come_back(&self) {
        let (listener, serve) = (self.place.listen(), Arc::clone(&self.serve));
        let accept = move || listener.accept().map(|(socket, _)| socket);
        let accepting = Accepting::start(accept, move |socket: Socket, stop| {
            let _ = socket.set_nonblocking(false);
            let _ = socket.set_read_timeout(Some(NOTICE));
            serve(&socket, stop);
        });
        *self.accepting.lock().expect("no holder panics") = Some(accepting);
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("place", &self.place).finish_non_exhaustive()
    }
}
