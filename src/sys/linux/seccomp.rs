//! The system calls of the running service: what the filter of seccomp(2) lets pass, each with its reason.
//!
//! All else fails with EPERM and does no harm: a C library or an allocator of another version may try a
//! call that is not here, and has to live with a refusal in any container; a time service that is
//! killed for it serves nobody. Killing would not protect better: the call does not happen either way.

use super::super::Links;
use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::env::consts::ARCH;

/// With which arguments a call passes. Only numbers can be looked at, not what a pointer leads to.
#[derive(Clone, Copy, Debug)]
enum With {
    Any,
    /// One of these numbers as argument so-and-so, counted from 0.
    OneOf(u8, &'static [i32]),
    /// None of these bits in argument so-and-so.
    Without(u8, i32),
    /// The process itself as the first argument.
    Itself,
}
use With::{Any, Itself, OneOf, Without};

/// `ioctl(2)` numbers, whose type differs between C libraries.
const TCGETS: i32 = 0x5401;
const TIOCGWINSZ: i32 = 0x5413;
const FIONBIO: i32 = 0x5421;

/// On every architecture. Add what a new part of the service needs, with its reason.
const EVERYWHERE: &[(c_long, With)] = &[
    // The loop: mio waits, connections come and go, a waker (eventfd) is read and written.
    (libc::SYS_epoll_pwait, Any),  // epoll_wait of some C libraries
    (libc::SYS_epoll_pwait2, Any), // with nanoseconds
    (libc::SYS_epoll_ctl, Any),
    (libc::SYS_accept4, Any),
    (libc::SYS_getsockname, Any), // which address was asked
    (libc::SYS_getpeername, Any),
    (libc::SYS_getsockopt, OneOf(1, &[libc::SOL_SOCKET])), // SO_ERROR
    (libc::SYS_shutdown, Any),
    (libc::SYS_close, Any),
    (libc::SYS_fcntl, OneOf(1, &[libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL])),
    (libc::SYS_ioctl, OneOf(1, &[TCGETS, TIOCGWINSZ, FIONBIO])), // is it a terminal (glibc, musl)
    // Octets: streams, datagrams one by one and in batches, the log, the signals' own pipe.
    (libc::SYS_read, Any),
    (libc::SYS_readv, Any),
    (libc::SYS_write, Any),
    (libc::SYS_writev, Any),
    (libc::SYS_recvfrom, Any),
    (libc::SYS_recvmsg, Any),
    (libc::SYS_recvmmsg, Any),
    (libc::SYS_sendto, Any),
    (libc::SYS_sendmsg, Any),
    (libc::SYS_sendmmsg, Any),
    (libc::SYS_ppoll, Any), // poll of some C libraries: the thread that waits for signals
    // Time: where the vDSO cannot answer; whether the clock is synchronised. Without CAP_SYS_TIME, which
    // is gone by now, the latter two can only read.
    (libc::SYS_clock_gettime, Any),
    (libc::SYS_gettimeofday, Any),
    (libc::SYS_adjtimex, Any),
    (libc::SYS_clock_adjtime, Any),
    (libc::SYS_clock_nanosleep, Any), // std panics if a pause is refused
    (libc::SYS_nanosleep, Any),
    // Memory, but none that code can be written into and run from.
    (libc::SYS_brk, Any),
    (libc::SYS_mmap, Without(2, libc::PROT_EXEC)),
    (libc::SYS_mprotect, Without(2, libc::PROT_EXEC)),
    (libc::SYS_munmap, Any),
    (libc::SYS_mremap, Any),
    (libc::SYS_madvise, Any),
    // Locks, channels, and the keys of hash maps, without which std panics.
    (libc::SYS_futex, Any),
    (libc::SYS_sched_yield, Any),
    (libc::SYS_getrandom, Any),
    // Threads: one that was started before may still be setting itself up, and each ends once. None is
    // started any more: clone(2) is not here.
    (libc::SYS_set_robust_list, Any),
    (libc::SYS_rseq, Any),
    (libc::SYS_sched_getaffinity, Any), // glibc, to learn a thread's stack
    (libc::SYS_prctl, OneOf(0, &[libc::PR_SET_NAME])),
    (libc::SYS_sigaltstack, Any),
    (libc::SYS_exit, Any),
    (libc::SYS_exit_group, Any),
    // Signals: handlers return, interrupted calls go on, a panic without an end aborts.
    (libc::SYS_rt_sigaction, Any),
    (libc::SYS_rt_sigprocmask, Any),
    (libc::SYS_rt_sigreturn, Any),
    (libc::SYS_restart_syscall, Any),
    (libc::SYS_getpid, Any),
    (libc::SYS_gettid, Any),
    (libc::SYS_tgkill, Itself),
];

/// Calls that newer architectures never had.
#[cfg(target_arch = "x86_64")]
const HERE: &[(c_long, With)] =
    &[(libc::SYS_epoll_wait, Any), (libc::SYS_poll, Any), (libc::SYS_time, Any)];
#[cfg(not(target_arch = "x86_64"))]
const HERE: &[(c_long, With)] = &[];

/// Where symbolic links lead: for the zone of this host, after SIGHUP. No path can be looked at here, so this
/// also reveals which paths exist.
#[cfg(target_arch = "x86_64")]
const LINKS: &[(c_long, With)] = &[(libc::SYS_readlinkat, Any), (libc::SYS_readlink, Any)];
#[cfg(not(target_arch = "x86_64"))]
const LINKS: &[(c_long, With)] = &[(libc::SYS_readlinkat, Any)];

/// Allows only the system calls of the running service; how many those are. Of every thread.
pub(crate) fn restrict_calls(links: Links) -> Result<usize, String> {
    let (program, calls) = filter(if links == Links::Readable { LINKS } else { &[] })?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())?;
    Ok(calls)
}

/// The filter for this machine, and how many calls it lets pass.
fn filter(more: &[(c_long, With)]) -> Result<(BpfProgram, usize), String> {
    let wrong = |error: BackendError| format!("its filter is wrong: {error}");
    let arch = TargetArch::try_from(ARCH).map_err(wrong)?;
    let rules = rules(more).map_err(wrong)?;
    let calls = rules.len();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(wrong)?;
    Ok((filter.try_into().map_err(wrong)?, calls))
}

/// For each call the alternatives under which it passes; none means any.
fn rules(more: &[(c_long, With)]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    EVERYWHERE
        .iter()
        .chain(HERE)
        .chain(more)
        .map(|&(call, with)| Ok((call, alternatives(with)?)))
        .collect()
}

fn alternatives(with: With) -> Result<Vec<SeccompRule>, BackendError> {
    let one = |argument, operator, value| {
        let dword = SeccompCmpArgLen::Dword; // as the kernel takes these arguments: 32 bits
        let condition = SeccompCondition::new(argument, dword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    match with {
        Any => Ok(Vec::new()),
        OneOf(argument, values) => {
            let equal =
                |value: &i32| one(argument, SeccompCmpOp::Eq, u64::from(value.cast_unsigned()));
            values.iter().map(equal).collect()
        }
        Without(argument, bits) => {
            let masked = SeccompCmpOp::MaskedEq(u64::from(bits.cast_unsigned()));
            Ok(vec![one(argument, masked, 0)?])
        }
        Itself => Ok(vec![one(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_listed_twice_and_the_filter_compiles() {
        let (program, calls) = filter(LINKS).expect("it compiles");
        assert_eq!(calls, EVERYWHERE.len() + HERE.len() + LINKS.len());
        assert!(program.len() < 4096, "BPF_MAXINSNS: {}", program.len());
    }

    #[test]
    fn arguments_are_looked_at_where_a_call_can_do_more_than_is_needed() {
        let condition = |argument, operator, value| {
            let condition =
                SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
            SeccompRule::new(vec![condition.expect("right")]).expect("right")
        };
        let rules = rules(&[]).expect("they compile");
        let no_code = condition(2, SeccompCmpOp::MaskedEq(4), 0); // PROT_EXEC
        assert_eq!(rules[&libc::SYS_mmap], std::slice::from_ref(&no_code));
        assert_eq!(rules[&libc::SYS_mprotect], [no_code]);
        let own = condition(0, SeccompCmpOp::Eq, std::process::id().into());
        assert_eq!(rules[&libc::SYS_tgkill], [own]);
        assert_eq!(rules[&libc::SYS_fcntl].len(), 4);
        let name = condition(0, SeccompCmpOp::Eq, 15); // PR_SET_NAME
        assert_eq!(rules[&libc::SYS_prctl], [name]);
    }

    #[test]
    fn nothing_that_opens_starts_or_reaches_into_another_process_is_let_pass() {
        let listed = rules(LINKS).expect("they compile");
        assert!(!rules(&[]).expect("they compile").contains_key(&libc::SYS_readlinkat));
        for call in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_bind,
            libc::SYS_connect,
            libc::SYS_listen,
            libc::SYS_setsockopt,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_process_vm_writev,
            libc::SYS_kill,
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
            libc::SYS_memfd_create,
            libc::SYS_mount,
            libc::SYS_unshare,
        ] {
            assert!(!listed.contains_key(&call), "{call}");
        }
    }
}
