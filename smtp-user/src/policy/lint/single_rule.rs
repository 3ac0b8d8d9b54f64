//! Findings about one rule by itself.

use ipnet::IpNet;

use crate::policy::action::Action;
use crate::policy::lint::extent::Extent;
use crate::policy::lint::{Finding, FindingKind, LintContext};
use crate::policy::packet_rule::PacketRule;
use crate::policy::service::Service;
use crate::policy::suggest::closest;

/// Everything that is wrong or doubtful about a rule, whatever rules stand around it.
pub fn lint_rule(rule: &PacketRule, context: &LintContext<'_>) -> Vec<Finding> {
    let mut found: Vec<(&'static str, FindingKind)> = Vec::new();
    if Extent::of(rule).is_empty() {
        found.push(("to", FindingKind::NoCommonFamily));
    }
    guarded(rule, &mut found);
    references(rule, context, &mut found);
    without_effect(rule, &mut found);
    if rule.action == Action::Accelerate && !rule.track_starttls {
        let services = smtp_services(&rule.service);
        if !services.is_empty() {
            found.push(("action", FindingKind::UntrackedSmtp { services }));
        }
    }
    found.extend(covered_prefixes(&rule.from).into_iter().map(|kind| ("from", kind)));
    found.extend(covered_prefixes(&rule.to).into_iter().map(|kind| ("to", kind)));
    found.extend(covered_services(&rule.service).into_iter().map(|kind| ("service", kind)));
    found.into_iter().map(|(key, kind)| Finding::new(&rule.name, key, kind)).collect()
}

fn guarded(rule: &PacketRule, found: &mut Vec<(&'static str, FindingKind)>) {
    if !rule.action.is_guarded() {
        return;
    }
    let action = rule.action;
    let services = if rule.service.is_empty() { &[Service::Any] } else { rule.service.as_slice() };
    for service in services {
        if !matches!(service, Service::Tcp(_)) {
            found.push(("service", FindingKind::GuardedService { action, service: *service }));
        }
    }
    if rule.resource.is_none() {
        found.push(("action", FindingKind::NoResource { action }));
    }
}

fn references(rule: &PacketRule, context: &LintContext<'_>, found: &mut Vec<(&'static str, FindingKind)>) {
    if let (Some(resource), Some(known)) = (&rule.resource, context.resources)
        && !known.contains(resource)
    {
        let suggestion = nearest(resource, known);
        found.push(("resource", FindingKind::UnknownResource { resource: resource.clone(), suggestion }));
    }
    if let (Some(interface), Some(known)) = (&rule.interface, context.interfaces)
        && !known.contains(interface)
    {
        let suggestion = nearest(interface, known);
        found.push(("interface", FindingKind::UnknownInterface { interface: interface.clone(), suggestion }));
    }
}

fn without_effect(rule: &PacketRule, found: &mut Vec<(&'static str, FindingKind)>) {
    let action = rule.action;
    if rule.track_starttls && action != Action::Accelerate {
        found.push(("track", FindingKind::UselessTrack { action }));
    }
    if action.is_guarded() {
        return;
    }
    if rule.when_down.is_some() {
        found.push(("when_down", FindingKind::UselessWhenDown { action }));
    }
    if rule.resource.is_some() {
        found.push(("resource", FindingKind::UselessResource { action }));
    }
}

fn nearest(word: &str, known: &[String]) -> Option<String> {
    closest(word, known.iter().map(String::as_str)).map(str::to_owned)
}

/// SMTP services that a rule names, itself or by a range. A rule for all of TCP, or for everything,
/// names none: it is about the rest.
fn smtp_services(services: &[Service]) -> Vec<String> {
    let names_port = |port: u16| {
        services.iter().any(|service| match service {
            Service::Tcp(ports) => *service != Service::ALL_TCP && ports.contains(port),
            _ => false,
        })
    };
    Service::NAMED
        .iter()
        .filter(|(_, service)| matches!(service, Service::Tcp(ports) if names_port(ports.first())))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// Prefixes that say nothing new. Sorted, a prefix comes right behind those that contain it.
fn covered_prefixes(prefixes: &[IpNet]) -> Vec<FindingKind> {
    let mut sorted = prefixes.to_vec();
    sorted.sort_unstable();
    let mut findings = Vec::new();
    let mut outer: Option<IpNet> = None;
    for prefix in sorted {
        match outer {
            Some(by) if by.contains(&prefix) => findings.push(FindingKind::CoveredPrefix { prefix, by }),
            _ => outer = Some(prefix),
        }
    }
    findings
}

/// Services that say nothing new.
fn covered_services(services: &[Service]) -> Vec<FindingKind> {
    let mut findings = Vec::new();
    for (position, service) in services.iter().enumerate() {
        let by = services.iter().enumerate().find(|(other_position, other)| {
            *other_position != position
                && other.contains(*service)
                // Of equal ones, the later says nothing new.
                && (*other != service || *other_position < position)
        });
        if let Some((_, by)) = by {
            findings.push(FindingKind::CoveredService { service: *service, by: *by });
        }
    }
    findings
}
