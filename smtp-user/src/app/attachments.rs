//! Puts the programs on the gateway's interfaces, and puts back what somebody took off.

use smtp_common::port::Port;
use tracing::{error, info, warn};

use crate::app::config::gateway::{GatewayConfig, Hook};
use crate::app::kernel_follower::KernelFollower;
use crate::packet_path::attach::{self, Wish};
use crate::packet_path::error::Result;
use crate::packet_path::interface::{self, Interface};
use crate::packet_path::loader::Loaded;
use crate::packet_path::maps::Maps;
use crate::packet_path::{ports, rule_base};

/// Attaches to an interface and writes its port.
pub(crate) fn attach_one(
    loaded: &mut Loaded,
    interface: &Interface,
    hook: Hook,
    all: &[Interface],
) -> Result<Port> {
    let port = attach::attach(loaded, interface, wish(hook), all)?;
    ports::put(&loaded.maps, &port)?;
    Ok(port)
}

/// Puts back what somebody took off, and attaches to interfaces that came back.
pub(crate) async fn keep(
    config: &GatewayConfig,
    loaded: &mut Loaded,
    follower: &mut KernelFollower,
) -> Result<()> {
    let interfaces = interface::list_async().await?;
    let known = ports::list(&loaded.maps).and_then(|known| {
        // This is done several times a second, and the table is 64 system calls: it is read again only if it changed.
        match follow_renames(&loaded.maps, &interfaces, &known) {
            Ok(false) => return Ok(known),
            Ok(true) => {}
            Err(error) => error!(%error, "cannot follow an interface that was renamed"),
        }
        ports::list(&loaded.maps)
    })?;
    // Ports beside the configured ones are interfaces that were renamed.
    let renamed = known.iter().map(ports::name).filter(|name| !config.interfaces.contains(name));
    for name in config.interfaces.iter().cloned().chain(renamed) {
        let Some(interface) = interfaces.iter().find(|interface| interface.name == name) else {
            continue;
        };
        let port = known.iter().find(|port| ports::name(port) == name);
        let changed = port.is_none_or(|port| {
            (port.ifindex, port.mtu, port.mac) != (interface.index, interface.mtu, interface.mac)
        });
        let attached = port.is_some_and(|port| {
            attach::port_status(loaded.maps.pins(), *port, std::slice::from_ref(interface)).attached
        });
        if attached && !changed {
            continue;
        }
        if !attached {
            warn!(interface = name, "the program is not attached; attaching it again");
        }
        let again = attach_one(loaded, interface, config.hook, &interfaces)
            .and_then(|port| follower.update_port(&port))
            .and_then(|()| {
                // A device that came back has another index, which rules may name.
                if changed { refresh_rules(&loaded.maps, &interfaces) } else { Ok(()) }
            })
            .and_then(|()| loaded.maps.raise_route_generation());
        match again {
            Ok(()) => info!(interface = name, "attached"),
            Err(error) => error!(interface = name, %error, "cannot attach"),
        }
    }
    Ok(())
}

/// Gives ports and pins the names that their devices have now. Rules that name a device go on by its index until they
/// are loaded again. Says whether there were any.
pub(crate) fn follow_renames(maps: &Maps, interfaces: &[Interface], ports: &[Port]) -> Result<bool> {
    let device_of = |port: &Port| interfaces.iter().find(|device| device.index == port.ifindex);
    let moves: Vec<Rename> = ports
        .iter()
        .filter_map(|port| {
            let (device, from) = (device_of(port)?, ports::name(port));
            // Another device can have got the index; it has no program of ours.
            let renamed = from != device.name && attach::was_attached_as(maps.pins(), &from, device);
            renamed.then(|| Rename { port: *port, from, to: device.name.clone() })
        })
        .collect();
    if moves.is_empty() {
        return Ok(false);
    }
    for port in ports {
        let name = ports::name(port);
        let moves_too = moves.iter().any(|rename| rename.from == name);
        if !moves_too && moves.iter().any(|rename| rename.to == name) {
            // It has lost its device, or the name would not be another's now.
            ports::remove(maps, port)?;
        }
    }
    let names: Vec<(&str, &str)> =
        moves.iter().map(|rename| (rename.from.as_str(), rename.to.as_str())).collect();
    maps.pins().move_links(&names)?;
    for Rename { port, from, to } in &moves {
        ports::put(maps, &Port { name: ports::name_octets(to), ..*port })?;
        warn!(
            interface = from.as_str(),
            now = to.as_str(),
            "a gateway interface was renamed; the programs stay on it. The next start needs the name of the configuration"
        );
    }
    Ok(true)
}

/// A port whose device has another name now.
struct Rename {
    port: Port,
    from: String,
    to: String,
}

/// Compiles the active rules again, for interfaces whose index changed.
fn refresh_rules(maps: &Maps, interfaces: &[Interface]) -> Result<()> {
    let _lock = rule_base::lock(maps)?;
    let rules = rule_base::active_rules(maps)?;
    if rules.iter().any(|rule| rule.interface.is_some()) {
        rule_base::install(maps, &rules, interfaces)?;
    }
    Ok(())
}

fn wish(hook: Hook) -> Wish {
    match hook {
        Hook::Auto => Wish::Auto,
        Hook::Xdp => Wish::Xdp,
        Hook::Tc => Wish::Tc,
    }
}
