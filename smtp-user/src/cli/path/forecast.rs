//! What would happen to the first packet of a flow, step by step, as the kernel programs decide it.

use std::net::IpAddr;

use serde::Serialize;
use smtp_common::classify::{self, Headers, Obstacle};
use smtp_common::flow::{TCP, TCP_SYN};
use smtp_common::heartbeat::is_fresh;
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::verdict::Steer;

use crate::cli::mistake::CommandError;
use crate::cli::route::{self, RouteAnswer};
use crate::cli::tuple::FlowTuple;
use crate::packet_path::interface::Interface;
use crate::packet_path::maps::Maps;
use crate::packet_path::{bans, clock, interface, ports, rule_base};
use crate::policy::packet_rule::PacketRule;
use crate::policy::predict::{Addresses, Tuple, predict};
use crate::policy::suggest;

/// The outcome.
#[derive(Debug)]
pub(super) struct Forecast {
    /// Why the flow would take its path.
    pub(super) reason: PathReason,
    /// The rule that matches.
    pub(super) rule: Option<String>,
    /// How it came to that.
    pub(super) steps: Vec<Step>,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// What is asked.
    pub(super) step: &'static str,
    /// A sentence.
    pub(super) finding: String,
}

impl Forecast {
    /// Asks everything the kernel programs would ask.
    pub(super) fn make(maps: &Maps, tuple: &FlowTuple, ingress: Option<&str>) -> anyhow::Result<Self> {
        let mut walk = Walk {
            maps,
            addresses: Addresses::new(tuple.source.ip(), tuple.destination.ip())?,
            devices: interface::list()?,
            ports: ports::list(maps)?,
            steps: Vec::new(),
        };
        let (reason, rule) = walk.decide(tuple, ingress)?;
        Ok(Self { reason, rule, steps: walk.steps })
    }
}

struct Walk<'a> {
    maps: &'a Maps,
    addresses: Addresses,
    devices: Vec<Interface>,
    ports: Vec<Port>,
    steps: Vec<Step>,
}

impl Walk<'_> {
    fn note(&mut self, step: &'static str, finding: impl Into<String>) {
        self.steps.push(Step { step, finding: finding.into() });
    }

    fn decide(
        &mut self,
        tuple: &FlowTuple,
        ingress: Option<&str>,
    ) -> anyhow::Result<(PathReason, Option<String>)> {
        let ingress = match self.ingress(ingress)? {
            Ok(index) => index,
            Err(reason) => return Ok((reason, None)),
        };
        if self.maps.active()?.policy() == 0 {
            self.note("policy", "No policy is loaded.");
            return Ok((PathReason::NO_POLICY, None));
        }
        if self.is_banned(self.addresses.source())? {
            return Ok((PathReason::BANNED, None));
        }
        let (verdict, rule) = self.ask_rules(tuple, ingress)?;
        let name = rule.map(|rule| rule.name);
        if verdict.steer != Steer::Forward {
            return Ok((verdict.reason, name));
        }
        if self.maps.settings()?.accelerate == 0 {
            self.note("settings", "Acceleration is switched off (postern set accelerate on).");
            return Ok((PathReason::ACCELERATION_OFF, name));
        }
        let obstacle = self.next_hop(ingress)?;
        Ok((obstacle.unwrap_or(verdict.reason), name))
    }

    /// The interface the packet comes in by, or why no program sees it.
    fn ingress(&mut self, named: Option<&str>) -> anyhow::Result<Result<u32, PathReason>> {
        if let Some(name) = named {
            let listed: Vec<String> = self.ports.iter().map(ports::name).collect();
            let port = self.ports.iter().find(|port| ports::name(port) == name);
            let Some(port) = port.copied() else {
                let suggestion = suggest::closest(name, listed.iter().map(String::as_str)).map(str::to_owned);
                return Err(CommandError::NotAGatewayInterface { name: name.to_owned(), suggestion }.into());
            };
            self.note("ingress", format!("It comes in by {name}, as you say."));
            return Ok(Ok(port.ifindex));
        }
        let source = self.addresses.source();
        match route::towards(source)? {
            RouteAnswer::Forward(hop) => {
                let name = self.device(hop.ifindex);
                if self.ports.iter().any(|port| port.ifindex == hop.ifindex) {
                    self.note("ingress", format!("It comes in by {name}: that is the way to {source}."));
                    return Ok(Ok(hop.ifindex));
                }
                self.note(
                    "ingress",
                    format!("It comes in by {name}, the way to {source}, which is not a gateway interface."),
                );
                Ok(Err(PathReason::INGRESS_NOT_LISTED))
            }
            RouteAnswer::Local => {
                self.note(
                    "ingress",
                    format!("{source} is the gateway's own address; it sends, and forwards nothing."),
                );
                Ok(Err(PathReason::LOCAL))
            }
            RouteAnswer::None { reason } => {
                Err(CommandError::UnknownIngress { address: source, reason }.into())
            }
        }
    }

    fn is_banned(&mut self, source: IpAddr) -> anyhow::Result<bool> {
        let bans = bans::list(self.maps)?;
        // The longest prefix is what the kernel finds.
        let ban =
            bans.iter().filter(|ban| ban.prefix.contains(&source)).max_by_key(|ban| ban.prefix.prefix_len());
        match ban {
            Some(ban) => self.note("ban", format!("{source} is banned by {}.", ban.prefix)),
            None => self.note("ban", format!("{source} is not banned.")),
        }
        Ok(ban.is_some())
    }

    fn ask_rules(
        &mut self,
        tuple: &FlowTuple,
        ingress: u32,
    ) -> anyhow::Result<(smtp_common::verdict::PacketVerdict, Option<PacketRule>)> {
        let rules = rule_base::active_rules(self.maps)?;
        let image = rule_base::image(&rules, &self.devices)?;
        let asked = Tuple {
            addresses: self.addresses,
            protocol: tuple.protocol,
            source_port: tuple.source.port(),
            destination_port: tuple.destination.port(),
            ingress,
        };
        let position = predict(&image, &asked);
        let rule = position.and_then(|position| rules.as_slice().get(position)).cloned();
        match (position, &rule) {
            (Some(position), Some(rule)) => self.note(
                "rule",
                format!("Rule {} `{}` is the first that matches: {}.", position + 1, rule.name, rule.action),
            ),
            _ => self.note("rule", format!("None of the {} rules matches.", rules.len())),
        }
        let beat = self.maps.heartbeat()?;
        let alive = is_fresh(beat.inspector_ns, clock::now_ns());
        if let Some(rule) = rule.as_ref().filter(|rule| rule.action.is_guarded()) {
            let when_down = rule.when_down.unwrap_or_default();
            self.note(
                "inspector",
                if alive {
                    "An inspector is alive.".to_owned()
                } else {
                    format!("No inspector is alive; the rule's when_down is {when_down}.")
                },
            );
        }
        let headers = Headers {
            protocol: tuple.protocol,
            tcp_flags: if tuple.protocol == TCP { TCP_SYN } else { 0 },
            ttl: 64,
            obstacle: Obstacle::NONE,
        };
        let entry = position.and_then(|position| image.rules.get(position)).copied();
        Ok((classify::by_rule(&headers, entry, alive), rule))
    }

    /// Why the kernel program could not forward it; nothing if it can.
    fn next_hop(&mut self, ingress: u32) -> anyhow::Result<Option<PathReason>> {
        if !self.forwarding(ingress) {
            let name = self.device(ingress);
            self.note("route", format!("Forwarding is switched off on {name}."));
            return Ok(Some(PathReason::FORWARDING_DISABLED));
        }
        let hop = match route::forward(&self.addresses, ingress)? {
            RouteAnswer::Forward(hop) => hop,
            RouteAnswer::Local => {
                self.note(
                    "route",
                    format!("{} is the gateway's own, or for many.", self.addresses.destination()),
                );
                return Ok(Some(PathReason::LOCAL));
            }
            RouteAnswer::None { reason } => {
                self.note(
                    "route",
                    format!("The kernel has no route to {} ({reason}).", self.addresses.destination()),
                );
                return Ok(Some(PathReason::NO_ROUTE));
            }
        };
        let name = self.device(hop.ifindex);
        if !self.ports.iter().any(|port| port.ifindex == hop.ifindex) {
            self.note("route", format!("It leaves by {name}, which is not a gateway interface."));
            return Ok(Some(PathReason::EGRESS_NOT_LISTED));
        }
        if hop.encapsulated {
            self.note("route", format!("The route by {name} needs an encapsulation."));
            return Ok(Some(PathReason::ENCAPSULATED_ROUTE));
        }
        self.note("route", format!("It leaves by {name} to the next hop {}.", hop.neighbour));
        let known = route::neighbour_is_known(&hop)?;
        let finding = if known {
            format!("The MAC address of {} is known.", hop.neighbour)
        } else {
            format!(
                "The MAC address of {} is not known yet: first packets go to the kernel's own routing (no_neighbour), \
                 which asks for it; the flow is accelerated from then on.",
                hop.neighbour
            )
        };
        self.note("neighbour", finding);
        Ok(None)
    }

    /// Whether the kernel forwards what comes in by an interface; where this cannot be read, it is taken to.
    fn forwarding(&self, ingress: u32) -> bool {
        let family = if self.addresses.source().is_ipv4() { "ipv4" } else { "ipv6" };
        let path = format!("/proc/sys/net/{family}/conf/{}/forwarding", self.device(ingress));
        std::fs::read_to_string(path).map_or(true, |text| text.trim() != "0")
    }

    fn device(&self, index: u32) -> String {
        let device = self.devices.iter().find(|device| device.index == index);
        device.map_or_else(|| format!("interface {index}"), |device| device.name.clone())
    }
}
