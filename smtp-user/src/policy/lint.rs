//! What is wrong or doubtful about a list of rules, though each of them can be read.
//!
//! An error means that a rule cannot do what it says; a warning, that it probably does not do what was
//! meant. Severity belongs to the kind of finding and is decided in one place.

mod extent;
mod order;
mod single_rule;

use ipnet::IpNet;
use serde::Serialize;

use crate::policy::action::Action;
use crate::policy::packet_rules::PacketRules;
use crate::policy::service::Service;
use crate::policy::suggest::quoted_list;

/// What is known beside the rules. What is not known is not checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintContext<'a> {
    /// Interfaces of the gateway.
    pub interfaces: Option<&'a [String]>,
    /// Resources that are defined.
    pub resources: Option<&'a [String]>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy must not be loaded.
    Error,
    /// Somebody should look at it.
    Warning,
}

/// Something wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Names of the rules that it is about, the one to change first. None for the list as a whole.
    pub rules: Vec<String>,
    /// Key of the rule's table that it is about.
    pub key: &'static str,
    /// What is wrong.
    pub kind: FindingKind,
}

impl Finding {
    fn new(rule: &str, key: &'static str, kind: FindingKind) -> Self {
        Self { rules: vec![rule.to_owned()], key, kind }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rules.first() {
            Some(rule) => write!(f, "rule `{rule}`: {}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

/// What can be wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindingKind {
    /// Source prefixes of one family, destination prefixes of the other.
    #[error("matches nothing: `from` and `to` have no address family in common")]
    NoCommonFamily,
    /// A guarded rule on traffic that cannot be SMTP.
    #[error("`{action}` works on TCP ports only, not on `{service}`")]
    GuardedService {
        /// The action.
        action: Action,
        /// The service.
        service: Service,
    },
    /// Nothing says how to inspect.
    #[error("`{action}` needs a `resource` that says how to inspect")]
    NoResource {
        /// The action.
        action: Action,
    },
    /// A resource that is not defined.
    #[error("there is no resource named `{resource}`")]
    UnknownResource {
        /// The name.
        resource: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// An interface on which Postern does not see packets.
    #[error("`{interface}` is not one of the gateway's interfaces")]
    UnknownInterface {
        /// The name.
        interface: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// Every packet that it matches is matched before.
    #[error("is never reached: {} matched all its traffic before", quoted_list(by.iter().map(String::as_str)))]
    Shadowed {
        /// The rules before it that together match everything it does.
        by: Vec<String>,
    },
    /// Unmatched traffic is left to the kernel.
    #[error(
        "no rule matches everything at the end: what no rule matches is left to the kernel's own routing"
    )]
    NoTerminalRule,
    /// Forwarded mail that no record shows.
    #[error(
        "mail on {} is forwarded unseen (`bypassed`), and its dialogue is not even tracked",
        quoted_list(services.iter().map(String::as_str))
    )]
    UntrackedSmtp {
        /// The SMTP services among its services.
        services: Vec<String>,
    },
    /// Only accelerated flows are tracked by a rule's wish; guarded ones are followed anyway.
    #[error("`track` has no effect on `{action}`")]
    UselessTrack {
        /// The action.
        action: Action,
    },
    /// Only guarded rules need an inspector.
    #[error("`when_down` has no effect on `{action}`")]
    UselessWhenDown {
        /// The action.
        action: Action,
    },
    /// Only guarded rules have an inspector.
    #[error("`resource` has no effect on `{action}`")]
    UselessResource {
        /// The action.
        action: Action,
    },
    /// A prefix that says nothing new.
    #[error("`{prefix}` is already in `{by}`")]
    CoveredPrefix {
        /// The prefix.
        prefix: IpNet,
        /// The prefix that contains it, or itself when it stands there twice.
        by: IpNet,
    },
    /// A service that says nothing new.
    #[error("`{service}` is already in `{by}`")]
    CoveredService {
        /// The service.
        service: Service,
        /// The service that contains it, or itself when it stands there twice.
        by: Service,
    },
    /// Nobody uses it.
    #[error("no rule uses the resource `{resource}`")]
    UnusedResource {
        /// The name.
        resource: String,
    },
}

impl FindingKind {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoCommonFamily
            | Self::GuardedService { .. }
            | Self::NoResource { action: Action::Inspect }
            | Self::UnknownResource { .. }
            | Self::UnknownInterface { .. } => Severity::Error,
            Self::NoResource { .. }
            | Self::Shadowed { .. }
            | Self::NoTerminalRule
            | Self::UntrackedSmtp { .. }
            | Self::UselessTrack { .. }
            | Self::UselessWhenDown { .. }
            | Self::UselessResource { .. }
            | Self::CoveredPrefix { .. }
            | Self::CoveredService { .. }
            | Self::UnusedResource { .. } => Severity::Warning,
        }
    }

    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::UnknownResource { suggestion, .. } | Self::UnknownInterface { suggestion, .. } => {
                suggestion.clone()
            }
            Self::UntrackedSmtp { .. } => Some("track = \"starttls\"".to_owned()),
            _ => None,
        }
    }
}

pub use single_rule::lint_rule;

/// Everything that is wrong or doubtful about a list of rules, in the order of the rules.
pub fn lint(rules: &PacketRules, context: &LintContext<'_>) -> Vec<Finding> {
    let shadowed = order::shadowed(rules);
    let mut findings = Vec::new();
    for (rule, shadow) in rules.iter().zip(shadowed) {
        findings.extend(lint_rule(rule, context));
        findings.extend(shadow);
    }
    findings.extend(order::no_terminal_rule(rules));
    for resource in context.resources.unwrap_or_default() {
        if !rules.iter().any(|rule| rule.resource.as_ref() == Some(resource)) {
            let kind = FindingKind::UnusedResource { resource: resource.clone() };
            findings.push(Finding { rules: Vec::new(), key: "resource", kind });
        }
    }
    findings
}

#[cfg(test)]
mod tests;
