//! How inspected connections reach the inspector: transparent listeners, and a route to this host for marked packets.
//!
//! The TC program gives the packets of an inspected flow to the inspector's sockets and marks them. The mark makes
//! the kernel route them to this host although their destination is another one; a socket that is transparent may
//! have such an address as its own. Neither rule nor route touches a packet that is not marked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::packet_route::rule::{RuleAction, RuleMessage};
use rtnetlink::{Error, Handle, RouteMessageBuilder};
use smtp_common::abi::{INSPECT_MARK, INSPECT_TABLE};
use socket2::{Domain, Protocol, Socket, Type};

use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Index of the loopback device in every network namespace.
const LOOPBACK: u32 = 1;

/// The listeners that the TC program gives connections to. They cannot be reached from outside.
#[derive(Debug)]
pub struct Listeners {
    /// For IPv4.
    pub v4: TcpListener,
    /// For IPv6; `None` where the kernel has none.
    pub v6: Option<TcpListener>,
}

impl Listeners {
    /// Opens them. Needs `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self> {
        let v4 = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).map_err(|error| refused(&error))?;
        let v6 = match listen(IpAddr::V6(Ipv6Addr::LOCALHOST)) {
            Ok(listener) => Some(listener),
            Err(error) if is_without_ipv6(&error) => None,
            Err(error) => return Err(refused(&error)),
        };
        Ok(Self { v4, v6 })
    }

    /// Their ports, IPv4 and IPv6; 0 is "none". What the heartbeat tells the kernel program.
    pub fn ports(&self) -> [u16; 2] {
        let port = |listener: &TcpListener| listener.local_addr().map_or(0, |address| address.port());
        [port(&self.v4), self.v6.as_ref().map_or(0, port)]
    }
}

/// Has marked packets routed to this host. What is there already stays.
pub async fn add_routes() -> Result<()> {
    let handle = handle()?;
    for family in [Family::V4, Family::V6] {
        let added = match add(&handle, family).await {
            Err(error) if family == Family::V6 && is_without(&error) => Ok(()),
            added => added,
        };
        added.map_err(|error| interface::netlink("routing rules", &error))?;
    }
    Ok(())
}

/// Takes that back. What is not there is no mistake.
pub async fn remove_routes() -> Result<()> {
    let handle = handle()?;
    for family in [Family::V4, Family::V6] {
        for removed in [
            handle.rule().del(rule(&handle, family)).execute().await,
            handle.route().del(route(family)).execute().await,
        ] {
            match removed {
                Err(error) if !is_without(&error) => {
                    return Err(interface::netlink("routing rules", &error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn add(handle: &Handle, family: Family) -> std::result::Result<(), Error> {
    let mut request = handle.route().add(route(family)).replace();
    // Built as for removal; only the request differs.
    let _ = request.message_mut();
    request.execute().await?;
    let mut request = handle.rule().add();
    *request.message_mut() = rule(handle, family);
    match request.execute().await {
        Err(error) if code(&error) == Some(rustix::io::Errno::EXIST.raw_os_error()) => Ok(()),
        added => added,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// `ip rule add fwmark MARK lookup TABLE`.
fn rule(handle: &Handle, family: Family) -> RuleMessage {
    let request = handle
        .rule()
        .add()
        .fw_mark(INSPECT_MARK)
        .table_id(INSPECT_TABLE)
        .priority(INSPECT_TABLE)
        .action(RuleAction::ToTable);
    match family {
        Family::V4 => request.v4().message_mut().clone(),
        Family::V6 => request.v6().message_mut().clone(),
    }
}

/// `ip route add local default dev lo table TABLE`.
fn route(family: Family) -> RouteMessage {
    macro_rules! local {
        ($address:expr, $family:ty) => {
            RouteMessageBuilder::<$family>::new()
                .destination_prefix($address, 0)
                .output_interface(LOOPBACK)
                .table_id(INSPECT_TABLE)
                .scope(RouteScope::Host)
                .kind(RouteType::Local)
                .build()
        };
    }
    match family {
        Family::V4 => local!(Ipv4Addr::UNSPECIFIED, Ipv4Addr),
        Family::V6 => local!(Ipv6Addr::UNSPECIFIED, Ipv6Addr),
    }
}

fn handle() -> Result<Handle> {
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|error| interface::netlink("routing rules", &error))?;
    tokio::spawn(connection);
    Ok(handle)
}

fn listen(address: IpAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(SocketAddr::new(address, 0)),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // One flag for both families; the kernel takes it at the level of IPv4 for either.
    socket.set_ip_transparent_v4(true)?;
    socket.bind(&SocketAddr::new(address, 0).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn refused(error: &io::Error) -> PacketPathError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        PacketPathError::NoRights { what: "open the inspector's listeners".to_owned() }
    } else {
        interface::netlink("listeners", error)
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
        Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL)
    )
}

/// Whether the kernel says that there is no such rule, route or family.
fn is_without(error: &Error) -> bool {
    code(error).is_some_and(|code| {
        matches!(
            rustix::io::Errno::from_raw_os_error(code),
            rustix::io::Errno::NOENT
                | rustix::io::Errno::SRCH
                | rustix::io::Errno::AFNOSUPPORT
                | rustix::io::Errno::OPNOTSUPP
        )
    })
}

/// The kernel's own number for what went wrong.
fn code(error: &Error) -> Option<i32> {
    match error {
        Error::NetlinkError(message) => message.code.map(|code| -code.get()),
        _ => None,
    }
}
