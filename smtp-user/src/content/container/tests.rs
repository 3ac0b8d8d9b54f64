//! Every container with the test string, a program and a text in it; lies; bombs.

mod bombs;
mod formats;
mod heuristics;
mod hostile;
mod messages;
mod objects;
mod seeds;
mod sound;
mod texts;
mod zips;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::content::container::{Contents, Member, MemberContent, Subject, Terms, walk};
use crate::content::finding::{Finding, Trait};
use crate::content::kind::Kind;
use crate::content::limits::ContentLimits;

/// A member, kept.
#[derive(Clone, Debug)]
struct Seen {
    part: String,
    names: Vec<String>,
    kinds: Vec<Kind>,
    octets: Option<Vec<u8>>,
}

/// What a walk over octets came to.
#[derive(Debug)]
struct Walked {
    contents: Contents,
    members: Vec<Seen>,
}

impl Walked {
    /// Whether something within is exactly these octets.
    fn has(&self, octets: &[u8]) -> bool {
        self.members.iter().any(|member| member.octets.as_deref() == Some(octets))
    }

    /// Findings from which something follows.
    fn findings(&self) -> Vec<Finding> {
        let findings = self.contents.findings.iter().map(|(finding, _)| *finding);
        findings.filter(|finding| !matches!(finding, Finding::Trait(_))).collect()
    }

    fn has_trait(&self, what: Trait) -> bool {
        self.contents.findings.iter().any(|(finding, _)| *finding == Finding::Trait(what))
    }

    fn parts(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.part.as_str()).collect()
    }
}

fn walk_with(octets: &[u8], limits: &ContentLimits, passwords: &[&str]) -> Walked {
    let members = RefCell::new(Vec::new());
    let start = Instant::now();
    let passwords: Vec<String> = passwords.iter().map(|text| (*text).to_owned()).collect();
    let has_time = || start.elapsed() < limits.deadline;
    let terms = Terms { limits, passwords: &passwords, has_time: &has_time };
    let subject = Subject { part: "2", media_type: "application/octet-stream", octets };
    let contents = walk(subject, terms, &mut |member: Member<'_>| {
        members.borrow_mut().push(Seen {
            part: member.part.to_owned(),
            names: member.names.to_vec(),
            kinds: member.kinds.to_vec(),
            octets: match member.content {
                MemberContent::Whole(octets) | MemberContent::Cut(octets, _) => Some(octets.to_vec()),
                MemberContent::Unread(_) => None,
            },
        });
    });
    // What a worker process would send.
    let text = serde_json::to_string(&contents).unwrap();
    assert_eq!(serde_json::from_str::<Contents>(&text).unwrap(), contents);
    Walked { contents, members: members.into_inner() }
}

fn walked(octets: &[u8]) -> Walked {
    walk_with(octets, &ContentLimits { deadline: Duration::from_mins(5), ..ContentLimits::default() }, &[])
}
