//! What runs goes, the rest stays, and the walk over content finds nothing that runs in a copy.

mod archives;
mod documents;
mod markup;
mod properties;

use super::{ExtractError, Extracted, Weeds, extract, is_extractable};
use crate::content::container::{Subject, Terms, walk};
use crate::content::{ContentLimits, Finding, Kind, Trait};

/// Octets that may be unpacked in tests.
const ROOM: u64 = 16 << 20;

fn copy(kind: Kind, octets: &[u8]) -> Extracted {
    extract(kind, octets, &Weeds::default(), ROOM).unwrap().unwrap()
}

fn error(kind: Kind, octets: &[u8]) -> ExtractError {
    extract(kind, octets, &Weeds::default(), ROOM).unwrap_err()
}

/// What the walk over content says of octets.
fn traits(octets: &[u8]) -> Vec<Trait> {
    let limits = ContentLimits::default();
    let terms = Terms { limits: &limits, passwords: &[], has_time: &|| true };
    let subject = Subject { part: "1", media_type: "application/octet-stream", octets };
    let findings = walk(subject, terms, &mut |_| {}).findings;
    findings
        .into_iter()
        .filter_map(|(finding, _)| match finding {
            Finding::Trait(has) => Some(has),
            Finding::Unsupported(why) => panic!("the copy is not whole: {}", why.name()),
            _ => None,
        })
        .collect()
}

#[test]
fn no_copy_is_made_of_kinds_that_nobody_weeds() {
    assert!(!is_extractable(Kind::Pe) && is_extractable(Kind::Pdf));
    assert_eq!(error(Kind::Zip, b"PK"), ExtractError::Kind(Kind::Zip));
}
