//! The host's interfaces, from the kernel's link table.

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp};

use crate::packet_path::error::{PacketPathError, Result};

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Kernel's index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Hardware address; zero where there is none.
    pub mac: [u8; 6],
    /// Largest IP packet, octets.
    pub mtu: u32,
    /// Kind of a virtual device (`veth`, `vlan`, `bridge`, …); `None` for one with a driver behind it.
    pub kind: Option<String>,
    /// Device it stands on, for VLAN devices and the like. Of a veth it is the other end, in another namespace.
    pub parent: Option<u32>,
    /// Bridge or bond that it belongs to.
    pub controller: Option<u32>,
    /// Administratively up.
    pub up: bool,
    /// Id of an XDP program on it.
    pub xdp_program: Option<u32>,
}

impl Interface {
    /// From the kernel's message; `None` for one without a name.
    pub fn from_message(message: &LinkMessage) -> Option<Self> {
        let mut interface = Self {
            index: message.header.index,
            up: message.header.flags.contains(LinkFlags::Up),
            ..Self::default()
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => interface.name.clone_from(name),
                LinkAttribute::Address(address) => {
                    interface.mac = <[u8; 6]>::try_from(address.as_slice()).unwrap_or_default();
                }
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::Link(parent) => interface.parent = Some(*parent),
                LinkAttribute::Controller(controller) => interface.controller = Some(*controller),
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        if let LinkInfo::Kind(kind) = info {
                            interface.kind = Some(kind.to_string());
                        }
                    }
                }
                LinkAttribute::Xdp(xdp) => {
                    for part in xdp {
                        if let LinkXdp::ProgId(id) = part
                            && *id != 0
                        {
                            interface.xdp_program = Some(*id);
                        }
                    }
                }
                _ => {}
            }
        }
        (!interface.name.is_empty()).then_some(interface)
    }
}

/// All interfaces of this network namespace, by index.
pub fn list() -> Result<Vec<Interface>> {
    block_on(list_async())
}

/// The same, inside a runtime.
pub async fn list_async() -> Result<Vec<Interface>> {
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|error| netlink("link table", &error))?;
    let task = tokio::spawn(connection);
    let messages: std::result::Result<Vec<LinkMessage>, _> =
        handle.link().get().execute().try_collect().await;
    task.abort();
    let messages = messages.map_err(|error| netlink("link table", &error))?;
    Ok(messages.iter().filter_map(Interface::from_message).collect())
}

/// One interface as it is now, from inside or outside a runtime.
pub fn now(index: u32) -> Option<Interface> {
    on_thread(list).ok()?.into_iter().find(|interface| interface.index == index)
}

/// Runs something on a thread of its own, for what must not run inside a runtime.
pub fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let thread = std::thread::Builder::new().spawn(work).map_err(|error| netlink("tables", &error))?;
    thread.join().unwrap_or_else(|_| {
        Err(PacketPathError::Netlink { what: "tables", reason: "the thread that asks has died".to_owned() })
    })
}

/// Runs a future to its end, from where no runtime is.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| netlink("tables", &error))?
        .block_on(future)
}

/// A failed question to the kernel.
pub fn netlink(what: &'static str, error: &dyn std::error::Error) -> PacketPathError {
    PacketPathError::Netlink { what, reason: error.to_string() }
}
