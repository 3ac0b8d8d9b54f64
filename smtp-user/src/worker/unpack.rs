//! What a worker does, as a plain function; also called in this process, where there are no workers.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::content::container::Terms;
use crate::content::{self, Member, MemberContent, Subject};
use crate::engine::eicar::EicarMatcher;
use crate::engine::hash_list::Digester;
use crate::wire::mime::second_reader;
use crate::worker::protocol::{Question, Seen, SeenMember, Unpacked};

/// Unpacks each way to read a part.
pub fn unpack<'o>(question: &Question, readings: impl IntoIterator<Item = &'o [u8]>) -> Vec<Unpacked> {
    let (start, worked, deadline) = (Instant::now(), time_of_this_thread(), question.limits.deadline);
    // It has not worked longer than by the clock, which costs no system call.
    let has_time = || start.elapsed() < deadline || time_of_this_thread().saturating_sub(worked) < deadline;
    let terms = Terms { limits: &question.limits, passwords: &question.passwords, has_time: &has_time };
    let unpack_one = |octets| {
        if question.structure_only {
            return Unpacked { parts: second_reader::read(octets), ..Unpacked::default() };
        }
        let subject = Subject { part: &question.part, media_type: &question.media_type, octets };
        let mut members = Vec::new();
        let contents = content::walk(subject, terms, &mut |member| members.push(seen(question, member)));
        Unpacked { contents, members, parts: None }
    };
    readings.into_iter().map(unpack_one).collect()
}

/// The time that it has worked: beside other mail it stands still now and then, which nothing is to be refused for.
fn time_of_this_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

fn seen(question: &Question, member: Member<'_>) -> SeenMember {
    let seen = match member.content {
        MemberContent::Whole(octets) | MemberContent::Cut(octets, _) => {
            let (mut digester, mut eicar) = (Digester::new(question.digests), EicarMatcher::default());
            digester.push(octets);
            eicar.push(octets);
            let (octets, digests) = (octets.len() as u64, digester.finish());
            Seen::Read { octets, digests, has_eicar: eicar.found() }
        }
        MemberContent::Unread(why) => Seen::Unread(why),
    };
    SeenMember {
        part: member.part.to_owned(),
        names: member.names.to_vec(),
        encoding: member.encoding.to_owned(),
        kinds: member.kinds.to_vec(),
        seen,
    }
}
