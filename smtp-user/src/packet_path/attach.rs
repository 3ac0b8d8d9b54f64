//! Attaches the programs to interfaces, sees whether they are still there, and takes them off.

use std::fs;
use std::io;

use aya::programs::links::{FdLink, LinkOrder, PinnedLink};
use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, ProgramInfo, SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::util::KernelVersion;
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::tc::TcMessage;
use smtp_common::abi::program;
use smtp_common::port::{PORT_XDP, PORT_XDP_TX, Port};

use crate::packet_path::divert;
use crate::packet_path::error::{PacketPathError, Result, is_permission};
use crate::packet_path::interface::{self, Interface, netlink};
use crate::packet_path::loader::Loaded;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;
use crate::packet_path::ports::{self, HookReason};

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What suits the device.
    Auto,
    /// XDP.
    Xdp,
    /// TC.
    Tc,
}

/// How a port stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The port.
    pub port: Port,
    /// Its name.
    pub name: String,
    /// `xdp` or `tc`.
    pub hook: &'static str,
    /// How it is attached there: `native` is XDP in the driver, `tcx` a TC link, `clsact` a TC filter.
    pub mode: &'static str,
    /// Why that hook.
    pub why: String,
    /// Id of our XDP program there.
    pub xdp_program: Option<u32>,
    /// Id of our TC program there.
    pub tc_program: Option<u32>,
    /// Whether everything that should be there is there.
    pub attached: bool,
    /// What is wrong, or worth knowing.
    pub note: Option<String>,
}

/// Priority of our filter where TC has no links (before Linux 6.6).
const CLSACT_PRIORITY: u16 = 37;
/// Its handle.
const CLSACT_HANDLE: TcHandle = TcHandle::new(0, 0x25);

/// Attaches to an interface, or puts the new programs in the place of the old ones, without a gap. Returns its
/// port, which the caller writes; nothing is left attached on failure.
pub fn attach(loaded: &mut Loaded, interface: &Interface, wish: Wish, all: &[Interface]) -> Result<Port> {
    let ports = ports::list(&loaded.maps)?;
    let pins = loaded.maps.pins().clone();
    let (xdp, mut why) = choose(interface, wish, all);
    let mut flags = 0;
    // TC first: whatever XDP passes on must meet it.
    attach_tc(loaded, &pins, interface)?;
    if xdp {
        match attach_xdp(loaded, &pins, interface) {
            Ok(()) => flags = PORT_XDP | PORT_XDP_TX,
            Err(PacketPathError::NoXdp { .. }) if wish == Wish::Auto => why = HookReason::Refused,
            Err(error) => {
                detach(&pins, &interface.name);
                return Err(error);
            }
        }
    } else {
        let _ = fs::remove_file(pins.link(&interface.name, "xdp"));
    }
    ports::of(interface, &ports, flags, why)
}

/// Whether XDP, and why.
fn choose(interface: &Interface, wish: Wish, all: &[Interface]) -> (bool, HookReason) {
    let vlan_on_it = || {
        all.iter().any(|other| other.kind.as_deref() == Some("vlan") && other.parent == Some(interface.index))
    };
    match wish {
        Wish::Xdp => (true, HookReason::ForcedXdp),
        Wish::Tc => (false, HookReason::ForcedTc),
        Wish::Auto if interface.kind.is_some() => (false, HookReason::Virtual),
        Wish::Auto if vlan_on_it() => (false, HookReason::Vlan),
        Wish::Auto => (true, HookReason::Driver),
    }
}

fn attach_xdp(loaded: &mut Loaded, pins: &Pins, interface: &Interface) -> Result<()> {
    let path = pins.link(&interface.name, "xdp");
    let refused = |error: ProgramError| refused_xdp(interface, &error);
    let program: &mut Xdp = program(loaded, program::XDP_INGRESS)?;
    if let Ok(pinned) = PinnedLink::from_pin(&path) {
        let link = XdpLink::try_from(FdLink::from(pinned));
        // A link whose device is gone is of no use; it is made anew.
        if let Ok(link) = link
            && program.attach_to_link(link).is_ok()
            && is_on(interface, &path)
        {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|source| PacketPathError::Pin { path: path.clone(), source })?;
    }
    let id = program.attach_to_if_index(interface.index, XdpMode::Driver).map_err(refused)?;
    let link = program.take_link(id).map_err(refused)?;
    // A kernel that has no XDP links cannot keep the program when this process ends.
    let link = FdLink::try_from(link).map_err(|error| PacketPathError::NoXdp {
        name: interface.name.clone(),
        reason: error.to_string(),
    })?;
    pin(link, &path, &interface.name)
}

/// Whether the link at this pin is on this interface, by the program the kernel names there.
fn is_on(interface: &Interface, path: &std::path::Path) -> bool {
    let id = PinnedLink::from_pin(path)
        .ok()
        .and_then(|link| FdLink::from(link).info().ok())
        .map(|info| info.program_id());
    let now = interface::now(interface.index);
    id.is_some() && now.and_then(|interface| interface.xdp_program) == id
}

fn refused_xdp(interface: &Interface, error: &ProgramError) -> PacketPathError {
    let name = interface.name.clone();
    if is_permission(error) {
        return PacketPathError::NoRights { what: format!("attach to {name}") };
    }
    match (os_error(error), interface.xdp_program) {
        // EBUSY, EEXIST.
        (Some(16 | 17), program) => PacketPathError::ForeignXdp { name, program: program.unwrap_or(0) },
        // EINVAL, ERANGE, EOPNOTSUPP.
        (Some(22 | 34 | 95), Some(program)) => PacketPathError::ForeignXdp { name, program },
        (Some(code @ (22 | 34 | 95)), None) => {
            PacketPathError::NoXdp { name, reason: io::Error::from_raw_os_error(code).to_string() }
        }
        (Some(code), _) => {
            PacketPathError::Attach { name, reason: io::Error::from_raw_os_error(code).to_string() }
        }
        (None, _) => PacketPathError::NoXdp { name, reason: error.to_string() },
    }
}

fn attach_tc(loaded: &mut Loaded, pins: &Pins, interface: &Interface) -> Result<()> {
    if has_tcx() { attach_tcx(loaded, pins, interface) } else { attach_clsact(loaded, interface) }
}

fn attach_tcx(loaded: &mut Loaded, pins: &Pins, interface: &Interface) -> Result<()> {
    let path = pins.link(&interface.name, "tcx");
    let program: &mut SchedClassifier = program(loaded, program::TC_INGRESS)?;
    let ours = program.info().map_err(|error| refused_tc(interface, &error))?.id();
    if let Ok(pinned) = PinnedLink::from_pin(&path) {
        if let Ok(link) = SchedClassifierLink::try_from(FdLink::from(pinned))
            && program.attach_to_link(link).is_ok()
            && tcx_programs(&interface.name).contains(&ours)
        {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|source| PacketPathError::Pin { path: path.clone(), source })?;
    }
    let refused = |error: ProgramError| refused_tc(interface, &error);
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program.attach_with_options(&interface.name, TcAttachType::Ingress, options).map_err(refused)?;
    let link = program.take_link(id).map_err(refused)?;
    let link = FdLink::try_from(link).map_err(|error| PacketPathError::Attach {
        name: interface.name.clone(),
        reason: error.to_string(),
    })?;
    pin(link, &path, &interface.name)
}

/// Before Linux 6.6: a filter of the `clsact` qdisc, which stays by itself when this process ends.
fn attach_clsact(loaded: &mut Loaded, interface: &Interface) -> Result<()> {
    // It may be there already, ours or another's. ENOENT: the kernel knows no such kind.
    if let Err(TcError::NetlinkError(error)) = tc::qdisc_add_clsact(&interface.name)
        && error.raw_os_error() == Some(2)
    {
        let reason = "the kernel has no queueing discipline clsact; load its module sch_ingress".to_owned();
        return Err(PacketPathError::Attach { name: interface.name.clone(), reason });
    }
    let refused = |error: ProgramError| refused_tc(interface, &error);
    let program: &mut SchedClassifier = program(loaded, program::TC_INGRESS)?;
    let known = SchedClassifierLink::attached(
        &interface.name,
        TcAttachType::Ingress,
        CLSACT_PRIORITY,
        CLSACT_HANDLE,
        None,
    );
    let replaced = known.ok().and_then(|link| program.attach_to_link(link).ok());
    let id = if let Some(id) = replaced {
        id
    } else {
        let options = NlOptions { priority: CLSACT_PRIORITY, handle: CLSACT_HANDLE, classid: None };
        let options = TcAttachOptions::Netlink(options);
        program.attach_with_options(&interface.name, TcAttachType::Ingress, options).map_err(refused)?
    };
    // Dropping such a link takes the filter off; it is to stay.
    let _ = std::mem::ManuallyDrop::new(program.take_link(id).map_err(refused)?);
    Ok(())
}

fn refused_tc(interface: &Interface, error: &ProgramError) -> PacketPathError {
    let name = interface.name.clone();
    if is_permission(error) {
        return PacketPathError::NoRights { what: format!("attach to {name}") };
    }
    let reason = os_error(error)
        .map_or_else(|| error.to_string(), |code| io::Error::from_raw_os_error(code).to_string());
    PacketPathError::Attach { name, reason }
}

fn pin(link: FdLink, path: &std::path::Path, name: &str) -> Result<()> {
    link.pin(path)
        .map(drop)
        .map_err(|error| PacketPathError::Attach { name: name.to_owned(), reason: error.to_string() })
}

/// Takes our programs off an interface. What is not there is no failure.
pub fn detach(pins: &Pins, name: &str) {
    // The last reference to a link is its pin: without it the program comes off.
    let _ = fs::remove_file(pins.link(name, "xdp"));
    let _ = fs::remove_file(pins.link(name, "tcx"));
    if !has_tcx() {
        let _ = tc::qdisc_detach_program(name, TcAttachType::Ingress, program::TC_INGRESS);
    }
}

/// Takes our programs off every port and removes every pin.
pub fn detach_all(pins: &Pins) -> Result<()> {
    if let Ok(maps) = Maps::open(pins) {
        for port in ports::list(&maps)? {
            detach(pins, &ports::name(&port));
        }
    }
    // Whether or not an inspector has set them up.
    interface::on_thread(|| interface::block_on(divert::remove_routes()))?;
    pins.remove()
}

/// How every port stands.
pub fn status(maps: &Maps, interfaces: &[Interface]) -> Result<Vec<Attachment>> {
    ports::list(maps)?.into_iter().map(|port| Ok(port_status(maps.pins(), port, interfaces))).collect()
}

/// How one port stands.
pub fn port_status(pins: &Pins, port: Port, interfaces: &[Interface]) -> Attachment {
    let name = ports::name(&port);
    let (hook, why) = ports::hook(&port);
    let mut attachment = Attachment {
        port,
        name,
        hook,
        mode: mode(&port),
        why,
        xdp_program: None,
        tc_program: None,
        attached: false,
        note: None,
    };
    let device = interfaces.iter().find(|interface| interface.index == port.ifindex);
    let renamed = device.is_some_and(|device| device.name != attachment.name);
    // Another device can have got the index; it has no program of ours.
    let Some(interface) = device.filter(|device| !renamed || was_attached_as(pins, &attachment.name, device))
    else {
        attachment.note = Some("the interface is gone, or in another network namespace".to_owned());
        return attachment;
    };
    let id = |program| ProgramInfo::from_pin(pins.program(program)).ok().map(|info| info.id());
    attachment.tc_program =
        id(program::TC_INGRESS).filter(|id| is_on_tc(&interface.name, interface.index, *id));
    attachment.xdp_program = id(program::XDP_INGRESS).filter(|id| interface.xdp_program == Some(*id));
    let wants_xdp = port.flags & PORT_XDP != 0;
    attachment.attached = attachment.tc_program.is_some() && (!wants_xdp || attachment.xdp_program.is_some());
    if !attachment.attached {
        let missing = if attachment.tc_program.is_none() { "TC" } else { "XDP" };
        attachment.note =
            Some(format!("the {missing} program is not attached; packets are not judged there"));
    } else if renamed {
        attachment.note =
            Some(format!("the interface is called {} now; the daemon follows that", interface.name));
    } else if !interface.up {
        attachment.note = Some("the interface is down".to_owned());
    }
    attachment
}

/// Whether the TC program that was attached under a name is on this device, whatever that is called now.
pub fn was_attached_as(pins: &Pins, name: &str, device: &Interface) -> bool {
    if !has_tcx() {
        return has_filter(device.index);
    }
    let link = PinnedLink::from_pin(pins.link(name, "tcx")).ok().map(FdLink::from);
    let program = link.and_then(|link| link.info().ok()).map(|info| info.program_id());
    program.is_some_and(|id| tcx_programs(&device.name).contains(&id))
}

fn is_on_tc(name: &str, ifindex: u32, id: u32) -> bool {
    if has_tcx() {
        return tcx_programs(name).contains(&id);
    }
    has_filter(ifindex)
}

fn has_filter(ifindex: u32) -> bool {
    clsact_filters(ifindex).is_ok_and(|filters| {
        filters.iter().any(|filter| filter.header.info >> 16 == u32::from(CLSACT_PRIORITY))
    })
}

fn tcx_programs(name: &str) -> Vec<u32> {
    SchedClassifier::query_tcx(name, TcAttachType::Ingress)
        .map_or_else(|_| Vec::new(), |(_, programs)| programs.iter().map(ProgramInfo::id).collect())
}

/// Filters at the ingress of an interface. Runs on a thread of its own: callers may be inside a runtime.
fn clsact_filters(ifindex: u32) -> Result<Vec<TcMessage>> {
    let Ok(index) = i32::try_from(ifindex) else {
        return Ok(Vec::new());
    };
    interface::on_thread(move || {
        interface::block_on(async move {
            let (connection, handle, _) =
                rtnetlink::new_connection().map_err(|error| netlink("traffic filters", &error))?;
            let task = tokio::spawn(connection);
            let filters = handle.traffic_filter(index).get().ingress().execute().try_collect().await;
            task.abort();
            filters.map_err(|error| netlink("traffic filters", &error))
        })
    })
}

fn mode(port: &Port) -> &'static str {
    if port.flags & PORT_XDP != 0 {
        "native"
    } else if has_tcx() {
        "tcx"
    } else {
        "clsact"
    }
}

/// Whether TC programs can be links (Linux 6.6).
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|kernel| kernel >= KernelVersion::new(6, 6, 0))
}

fn program<'l, P>(loaded: &'l mut Loaded, name: &'static str) -> Result<&'l mut P>
where
    &'l mut P: TryFrom<&'l mut aya::programs::Program, Error = ProgramError>,
{
    let missing = |reason: String| PacketPathError::Program { name: name.to_owned(), source: reason.into() };
    let program = loaded.ebpf.program_mut(name).ok_or_else(|| missing("not in the object".to_owned()))?;
    <&mut P>::try_from(program).map_err(|error| missing(error.to_string()))
}

/// The system's error number, anywhere in the chain.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        next = error.source();
    }
    None
}
