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
pub(crate) async fn keep(config: &GatewayConfig, loaded: &mut Loaded, follower: &mut KernelFollower) {
    let interfaces = match interface::list_async().await {
        Ok(interfaces) => interfaces,
        Err(error) => {
            warn!(%error, "cannot look at the interfaces");
            return;
        }
    };
    let known = match ports::list(&loaded.maps) {
        Ok(ports) => ports,
        Err(error) => {
            error!(%error, "cannot read the port table");
            return;
        }
    };
    for name in &config.interfaces {
        let Some(interface) = interfaces.iter().find(|interface| interface.name == *name) else {
            continue;
        };
        let port = known.iter().find(|port| ports::name(port) == *name);
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
