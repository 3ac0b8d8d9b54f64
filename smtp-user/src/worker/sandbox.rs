//! What a worker gives away before it sees its first octet: files, network, other processes, and most of the kernel.

use std::collections::BTreeMap;
use std::io;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr};
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chdir, setgid, setgroups, setuid};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

/// Octets of address space: what the largest part may unpack to, several times over.
const ADDRESS_SPACE: u64 = 4 << 30;
/// `nobody` and `nogroup`, which own nothing.
const NOBODY: u32 = 65_534;

/// What `prctl(2)` is asked to do that gives memory a name.
const PR_SET_VMA: u32 = libc::PR_SET_VMA.cast_unsigned();

/// System calls that decoding octets takes. Every other one ends the process.
const CALLS: [i64; 30] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_poll,
    libc::SYS_ppoll,
];

/// Gives everything away. What cannot be is an error: a worker with rights is none.
pub(super) fn enter() -> io::Result<()> {
    chdir("/")?;
    forbid_files_and_network()?;
    for (resource, bound) in [
        (Resource::RLIMIT_AS, ADDRESS_SPACE),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NOFILE, 3),
        (Resource::RLIMIT_NPROC, 0),
    ] {
        setrlimit(resource, bound, bound)?;
    }
    if Uid::effective().is_root() {
        setgroups(&[])?;
        setgid(Gid::from_raw(NOBODY))?;
        setuid(Uid::from_raw(NOBODY))?;
    }
    // Behind the change of the user, which takes it back. One that hangs does not notice that nobody asks any more.
    set_pdeathsig(Signal::SIGKILL)?;
    forbid_calls()
}

/// As far as the kernel knows how (Landlock, since 5.13); the filter of calls holds in any case.
fn forbid_files_and_network() -> io::Result<()> {
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let rules = rules.handle_access(AccessFs::from_all(ABI::V5)).map_err(io::Error::other)?;
    let rules = rules.handle_access(AccessNet::from_all(ABI::V5)).map_err(io::Error::other)?;
    let rules = rules.create().map_err(io::Error::other)?;
    rules.restrict_self().map_err(io::Error::other)?;
    Ok(())
}

fn forbid_calls() -> io::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let mut rules: BTreeMap<i64, _> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // The allocator gives its memory a name, and nothing else may be asked of that call.
    let what = u64::from(PR_SET_VMA);
    let names_memory = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, what)
        .and_then(|condition| SeccompRule::new(vec![condition]));
    rules.insert(libc::SYS_prctl, vec![names_memory.map_err(io::Error::other)?]);
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch);
    let program = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
    let program: seccompiler::BpfProgram = program;
    apply_filter(&program).map_err(io::Error::other)
}
