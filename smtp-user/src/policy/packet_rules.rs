//! The ordered list of packet rules. Names and ids are unique in it, and it is never too long.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use smtp_common::abi::{MAX_RULE_IDS, MAX_RULES};

use crate::policy::packet_rule::{NameError, PacketRule, check_name};
use crate::policy::suggest;

/// Rules in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PacketRules(Vec<PacketRule>);

impl PacketRules {
    /// No rules.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A list of new rules: one whose name is in `previous` keeps the id it has there, any other gets the
    /// lowest id that neither list uses.
    pub fn with_ids_of(rules: Vec<PacketRule>, previous: &Self) -> Result<Self, RulesError> {
        let mut taken = previous.ids();
        let mut list = Self::new();
        for mut rule in rules {
            let known = previous.0.iter().find(|old| old.name == rule.name);
            rule.id = match known {
                Some(old) => old.id,
                None => lowest_free(&taken)?,
            };
            taken.insert(rule.id);
            list.check_new(&rule)?;
            list.0.push(rule);
        }
        Ok(list)
    }

    /// The same rules with the ids that they have, by name, in the policy loaded before.
    pub fn keep_ids(self, previous: &Self) -> Result<Self, RulesError> {
        Self::with_ids_of(self.0, previous)
    }

    /// A list of rules which have their ids.
    pub fn with_own_ids(rules: Vec<PacketRule>) -> Result<Self, RulesError> {
        let mut list = Self::new();
        let mut ids = BTreeSet::new();
        for rule in rules {
            list.check_new(&rule)?;
            if u32::from(rule.id) >= MAX_RULE_IDS {
                return Err(RulesError::IdTooLarge { name: rule.name, id: rule.id });
            }
            if !ids.insert(rule.id) {
                return Err(RulesError::DuplicateId { name: rule.name, id: rule.id });
            }
            list.0.push(rule);
        }
        Ok(list)
    }

    /// The rules, in order.
    pub fn as_slice(&self) -> &[PacketRule] {
        &self.0
    }

    /// The rules, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, PacketRule> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids in use.
    pub fn ids(&self) -> BTreeSet<u16> {
        self.0.iter().map(|rule| rule.id).collect()
    }

    /// Where a rule stands, counted from 0.
    pub fn position(&self, which: &RuleRef) -> Result<usize, RulesError> {
        match which {
            RuleRef::Position(number) => number
                .checked_sub(1)
                .filter(|position| *position < self.0.len())
                .ok_or(RulesError::NoSuchPosition { number: *number, rules: self.0.len() }),
            RuleRef::Name(name) => {
                self.0.iter().position(|rule| rule.name == *name).ok_or_else(|| RulesError::NoSuchRule {
                    name: name.clone(),
                    suggestion: suggest::closest(name, self.0.iter().map(|rule| rule.name.as_str()))
                        .map(str::to_owned),
                })
            }
        }
    }

    /// Puts a rule into the list, with the lowest id that neither the list nor `in_use` (what the policy
    /// before this one still counts under) has. Gives its position, counted from 0.
    pub fn add(
        &mut self,
        mut rule: PacketRule,
        place: &Place,
        in_use: &BTreeSet<u16>,
    ) -> Result<usize, RulesError> {
        self.check_new(&rule)?;
        let at = self.place(place)?;
        let mut taken = self.ids();
        taken.extend(in_use);
        rule.id = lowest_free(&taken)?;
        self.0.insert(at, rule);
        Ok(at)
    }

    /// Takes a rule out of the list.
    pub fn remove(&mut self, which: &RuleRef) -> Result<PacketRule, RulesError> {
        let position = self.position(which)?;
        Ok(self.0.remove(position))
    }

    /// Puts a rule elsewhere in the list; its id stays. Gives its new position, counted from 0.
    pub fn move_to(&mut self, which: &RuleRef, place: &Place) -> Result<usize, RulesError> {
        let from = self.position(which)?;
        let before = self.place(place)?;
        // A position is where the rule shall stand in the end, so it is counted without the rule itself.
        let at = match place {
            Place::Position(number) => number.saturating_sub(1).min(self.0.len() - 1),
            _ if before > from => before - 1,
            _ => before,
        };
        let rule = self.0.remove(from);
        self.0.insert(at, rule);
        Ok(at)
    }

    /// Index in front of which a rule put at `place` goes.
    fn place(&self, place: &Place) -> Result<usize, RulesError> {
        match place {
            Place::End => Ok(self.0.len()),
            Place::Before(which) => self.position(which),
            Place::After(which) => Ok(self.position(which)? + 1),
            Place::Position(number) => number
                .checked_sub(1)
                .filter(|position| *position <= self.0.len())
                .ok_or(RulesError::NoSuchPosition { number: *number, rules: self.0.len() }),
        }
    }

    fn check_new(&self, rule: &PacketRule) -> Result<(), RulesError> {
        check_name(&rule.name)?;
        if self.0.iter().any(|other| other.name == rule.name) {
            return Err(RulesError::DuplicateName { name: rule.name.clone() });
        }
        if self.0.len() >= MAX_RULES as usize {
            return Err(RulesError::TooMany);
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a PacketRules {
    type Item = &'a PacketRule;
    type IntoIter = std::slice::Iter<'a, PacketRule>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How a rule is named in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleRef {
    /// By its name.
    Name(String),
    /// By its position, counted from 1.
    Position(usize),
}

impl FromStr for RuleRef {
    type Err = Infallible;

    /// A number is a position, anything else a name: no rule may have a number for its name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Position))
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Position(number) => write!(f, "{number}"),
        }
    }
}

/// Where a rule is put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Behind all others.
    #[default]
    End,
    /// In front of a rule.
    Before(RuleRef),
    /// Behind a rule.
    After(RuleRef),
    /// So that it has this position, counted from 1.
    Position(usize),
}

/// Why a list of rules cannot be as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The name cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two rules would have one name.
    #[error("there is already a rule named `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Two rules would share counters; only a damaged rule text says so.
    #[error("rule `{name}` has id {id}, which another rule has")]
    DuplicateId {
        /// The second rule.
        name: String,
        /// The id.
        id: u16,
    },
    /// There are no counters for it; only a damaged rule text says so.
    #[error("rule `{name}` has id {id}, which is not below {MAX_RULE_IDS}")]
    IdTooLarge {
        /// The rule.
        name: String,
        /// The id.
        id: u16,
    },
    /// More rules than the kernel's tables hold.
    #[error("there are already {MAX_RULES} rules")]
    TooMany,
    /// All ids are in use, by this policy and others which still count.
    #[error("all {MAX_RULE_IDS} rule ids are in use")]
    NoFreeId,
    /// Usually a slip of the hand.
    #[error("there is no rule named `{name}`{}", did_you_mean(suggestion.as_deref()))]
    NoSuchRule {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// Positions are counted from 1.
    #[error("there is no position {number} in a list of {rules} rules")]
    NoSuchPosition {
        /// What was asked for.
        number: usize,
        /// Rules in the list.
        rules: usize,
    },
}

impl RulesError {
    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Name(error) => error.suggestion(),
            Self::NoSuchRule { suggestion, .. } => suggestion.clone(),
            _ => None,
        }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn lowest_free(taken: &BTreeSet<u16>) -> Result<u16, RulesError> {
    (0..MAX_RULE_IDS as u16).find(|id| !taken.contains(id)).ok_or(RulesError::NoFreeId)
}

#[cfg(test)]
mod tests;
