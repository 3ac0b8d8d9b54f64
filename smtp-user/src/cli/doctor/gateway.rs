//! Checks of what is loaded, and of the network around it.

use std::fs;

use smtp_common::abi::ABI_VERSION;
use smtp_common::port::Port;

use crate::cli::doctor::{Check, sentence};
use crate::cli::unlisted;
use crate::gateway::dequeuer::running::running;
use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface::{self, Interface};
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;
use crate::packet_path::{attach, ports};

/// All of them; those of the interfaces only when something is loaded.
pub(super) fn checks(pins: &Pins) -> Vec<Check> {
    let mut checks = Vec::new();
    let maps = match Maps::open(pins) {
        Ok(maps) => {
            let dir = pins.dir().display();
            checks.push(Check::ok("pins", format!("Maps of layout {ABI_VERSION} are pinned under {dir}.")));
            Some(maps)
        }
        Err(error @ PacketPathError::NotLoaded { .. }) => {
            checks.push(Check::warn("pins", sentence(&error)));
            None
        }
        Err(error) => {
            checks.push(Check::fail("pins", sentence(&error)));
            None
        }
    };
    let loaded = maps.map_or_else(|| Ok(Vec::new()), |maps| loaded(&maps, &mut checks));
    let devices = interface::list();
    match (loaded, devices) {
        (Ok(ports), Ok(devices)) => {
            checks.extend(forwarding(&devices, &ports));
            checks.extend(rp_filter(&devices, &ports));
            if !ports.is_empty() {
                checks.extend(around(&devices, &ports));
            }
        }
        (Err(error), _) | (_, Err(error)) => checks.push(Check::fail("interfaces", sentence(&error))),
    }
    checks
}

/// Daemon and interfaces; gives the ports.
fn loaded(maps: &Maps, checks: &mut Vec<Check>) -> Result<Vec<Port>> {
    checks.push(match maps.daemon()? {
        Some(pid) => Check::ok("daemon", format!("The daemon runs (process {pid}).")),
        None => Check::warn(
            "daemon",
            "The daemon does not run: the kernel goes on by what is pinned, and nobody follows changes of the network.",
        ),
    });
    for dequeuer in running(maps.pins().dir()) {
        let spool = dequeuer.spool.display();
        let detail = format!("The dequeuer runs (process {}), on {spool}.", dequeuer.pid);
        checks.push(Check::ok("dequeuer", detail));
    }
    checks.push(match maps.active()?.policy() {
        0 => Check::warn("policy", "No policy is loaded: every packet goes to the kernel's own routing."),
        revision => Check::ok("policy", format!("Policy revision {revision} is active.")),
    });
    let devices = interface::list()?;
    for attachment in attach::status(maps, &devices)? {
        let name = &attachment.name;
        checks.push(match (attachment.attached, attachment.note) {
            (true, None) => Check::ok("interface", format!("{name}: attached ({}).", attachment.hook)),
            (true, Some(note)) => Check::warn("interface", format!("{name}: {note}.")),
            (false, note) => {
                let why = note.unwrap_or_else(|| "the programs are not attached".to_owned());
                Check::fail("interface", format!("{name}: {why}."))
            }
        });
    }
    ports::list(maps)
}

/// Forwarding of both families on every gateway interface, or in general when nothing is loaded.
fn forwarding(devices: &[Interface], ports: &[Port]) -> Vec<Check> {
    [("ip_forward", "ipv4"), ("ip6_forward", "ipv6")]
        .into_iter()
        .map(|(check, family)| {
            let names = if ports.is_empty() { vec!["all".to_owned()] } else { names(devices, ports) };
            let off: Vec<String> = names
                .into_iter()
                .filter(|name| knob(family, name, "forwarding").as_deref() == Some("0"))
                .map(|name| format!("net.{family}.conf.{name}.forwarding=1"))
                .collect();
            if off.is_empty() {
                Check::ok(check, format!("The kernel forwards {}.", family_name(family)))
            } else {
                let detail = format!(
                    "The kernel does not forward {}, so nothing is accelerated: sysctl {}.",
                    family_name(family),
                    off.join(" ")
                );
                Check::warn(check, detail)
            }
        })
        .collect()
}

/// Strict reverse-path filtering drops in the stack what the kernel programs forward.
fn rp_filter(devices: &[Interface], ports: &[Port]) -> Option<Check> {
    let all = knob("ipv4", "all", "rp_filter")?;
    let names = names(devices, ports);
    // The larger of the two values counts: 1 is strict, 2 is loose.
    let strict: Vec<&str> = names
        .iter()
        .filter(|name| {
            let own = knob("ipv4", name, "rp_filter").unwrap_or_default();
            all.as_str().max(own.as_str()) == "1"
        })
        .map(String::as_str)
        .collect();
    Some(if strict.is_empty() {
        Check::ok("rp_filter", "No gateway interface filters strictly by reverse path.")
    } else {
        let detail = format!(
            "Strict reverse-path filtering on {}: packets that go to the kernel's own routing are dropped where \
             routes are not symmetric, accelerated ones are not. Set rp_filter to 2 or 0 if routes are not symmetric.",
            strict.join(", ")
        );
        Check::warn("rp_filter", detail)
    })
}

fn around(devices: &[Interface], ports: &[Port]) -> Vec<Check> {
    let warnings = unlisted::warnings(devices, ports);
    if warnings.is_empty() {
        return vec![Check::ok(
            "way around",
            "No VLAN device, bridge or tunnel leads past the gateway interfaces.",
        )];
    }
    warnings.into_iter().map(|warning| Check::warn("way around", format!("{warning}."))).collect()
}

fn names(devices: &[Interface], ports: &[Port]) -> Vec<String> {
    let listed = devices.iter().filter(|device| ports.iter().any(|port| port.ifindex == device.index));
    listed.map(|device| device.name.clone()).collect()
}

fn knob(family: &str, interface: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/net/{family}/conf/{interface}/{name}")).ok()?;
    Some(text.trim().to_owned())
}

fn family_name(family: &str) -> &'static str {
    if family == "ipv4" { "IPv4" } else { "IPv6" }
}
