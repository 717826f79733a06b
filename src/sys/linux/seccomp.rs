//! System calls that the running service may make. The list states the reason for each call that
//! the filter of seccomp(2) allows.
//!
//! Every other call fails with EPERM and has no effect. Another version of a C library or allocator
//! may try a call that is not in the list, and must cope with the refusal, as in any container.
//! Killing the process instead would stop the service. Killing the process would not protect better
//! either, because the call fails in both cases.

use super::super::Links;
use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;

/// Condition on one argument; arguments are numbered from 0. The filter sees numbers but not
/// memory, so it cannot check the address in a `sockaddr`.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// The argument equals this number.
    Is(u8, i32),
    /// The argument has none of these bits.
    Without(u8, i32),
    /// The argument is the ID of this process.
    Itself(u8),
    /// The argument is a descriptor between the service's first and last UDP socket, inclusive.
    UdpSocket(u8),
}
use Check::{Is, Itself, UdpSocket, Without};

/// Alternatives that allow a call. Each alternative is a list of conditions, which must all hold.
type Alternatives = &'static [&'static [Check]];

const ANY: Alternatives = &[];
const NOTHING_EXECUTABLE: Alternatives = &[&[Without(2, libc::PROT_EXEC)]];

/// Request numbers of `ioctl(2)`. libc's constants are not used, because their type differs between
/// C libraries.
const TCGETS: i32 = 0x5401;
const TIOCGWINSZ: i32 = 0x5413;

/// Calls that exist on every architecture. If a new part of the service makes other calls, add them
/// with the reason.
///
/// The allowed flags of `shutdown` and of the send calls are exactly those that the service uses.
/// `MSG_FASTOPEN` would connect a TCP socket. `SHUT_RD` would turn a listener into a socket that
/// can connect. Only UDP sockets may send to an address or with control messages. Otherwise the
/// notification socket could reach any Unix datagram socket and pass descriptors to it.
const COMMON_CALLS: &[(c_long, Alternatives)] = &[
    // The event loop: mio waits for events, connections open and close, and a waker (eventfd) is
    // read and written.
    (libc::SYS_epoll_pwait, ANY),  // epoll_wait of some C libraries
    (libc::SYS_epoll_pwait2, ANY), // epoll_wait with a timeout in nanoseconds
    (libc::SYS_epoll_ctl, ANY),
    (libc::SYS_accept4, ANY),
    (libc::SYS_getsockname, ANY), // reads the local address of a socket
    (libc::SYS_getpeername, ANY),
    (libc::SYS_getsockopt, &[&[Is(1, libc::SOL_SOCKET)]]), // reads SO_ERROR and SO_MEMINFO
    (libc::SYS_shutdown, &[&[Is(1, libc::SHUT_WR)]]),
    (libc::SYS_close, ANY),
    // In debug builds, std checks a descriptor before closing it.
    (libc::SYS_fcntl, &[&[Is(1, libc::F_GETFD)]]),
    // glibc and musl check whether a descriptor is a terminal.
    (libc::SYS_ioctl, &[&[Is(1, TCGETS)], &[Is(1, TIOCGWINSZ)]]),
    // Reading and writing: streams, single datagrams, batches of datagrams, the log, and the pipe
    // of the signal handler.
    (libc::SYS_read, ANY),
    (libc::SYS_write, ANY),
    (libc::SYS_writev, ANY), // The C library writes a message before it aborts.
    // No flag of these calls or of accept4 can reach another process, so they have no conditions.
    // For a call without conditions, the kernel decides only once. For other calls, it runs the
    // filter each time. Two filter runs per single datagram would take 3 to 4 % of an exchange.
    (libc::SYS_recvfrom, ANY),
    (libc::SYS_recvmmsg, ANY),
    (
        libc::SYS_sendto,
        &[
            // This is the most frequent alternative, so it comes first.
            &[Is(3, libc::MSG_DONTWAIT), UdpSocket(0)],
            &[Is(3, libc::MSG_MORE), Is(5, 0)], // flags for a reply, which is followed by the FIN
            &[Is(3, libc::MSG_NOSIGNAL), Is(5, 0)], // flags for the metrics endpoint's answers
            &[Is(3, libc::MSG_DONTWAIT), Is(5, 0)], // flags of the signal handler, which sends to its pipe
        ],
    ),
    // musl implements sendmmsg with this call
    (libc::SYS_sendmsg, &[&[Is(2, libc::MSG_DONTWAIT), UdpSocket(0)]]),
    (libc::SYS_sendmmsg, &[&[Is(3, libc::MSG_DONTWAIT), UdpSocket(0)]]),
    // Some C libraries use this call for poll, in the thread that waits for signals.
    (libc::SYS_ppoll, ANY),
    // Time: hosts whose vDSO cannot read the clock need a system call. adjtimex and clock_adjtime
    // show whether the clock is synchronised. These calls can only read, because the process has
    // given up CAP_SYS_TIME.
    (libc::SYS_clock_gettime, &[&[Is(0, libc::CLOCK_REALTIME)], &[Is(0, libc::CLOCK_MONOTONIC)]]),
    (libc::SYS_gettimeofday, ANY),
    (libc::SYS_adjtimex, ANY),
    // glibc implements adjtimex with this call
    (libc::SYS_clock_adjtime, &[&[Is(0, libc::CLOCK_REALTIME)]]),
    (libc::SYS_clock_nanosleep, ANY), // std panics if a sleep is refused
    (libc::SYS_nanosleep, ANY),
    // Memory: these calls cannot make memory executable.
    (libc::SYS_brk, ANY),
    (libc::SYS_mmap, NOTHING_EXECUTABLE),
    (libc::SYS_mprotect, NOTHING_EXECUTABLE),
    (libc::SYS_munmap, ANY),
    (libc::SYS_mremap, ANY),
    (libc::SYS_madvise, ANY),
    // Locks, channels, and the random keys of hash maps. std panics without random keys.
    (libc::SYS_futex, ANY),
    (libc::SYS_sched_yield, ANY),
    (libc::SYS_getrandom, ANY),
    // Threads: a thread that has just started may still be initialising, and each thread ends once.
    // New threads are impossible, because clone(2) is not in the list.
    (libc::SYS_set_robust_list, ANY),
    (libc::SYS_rseq, ANY),
    (libc::SYS_sched_getaffinity, ANY), // glibc calls this to find the stack of a thread
    (libc::SYS_prctl, &[&[Is(0, libc::PR_SET_NAME)]]),
    (libc::SYS_sigaltstack, ANY),
    (libc::SYS_exit, ANY),
    (libc::SYS_exit_group, ANY),
    // Signals: handlers return, interrupted calls restart, and a panic that is not caught aborts
    // the process.
    (libc::SYS_rt_sigaction, ANY),
    (libc::SYS_rt_sigprocmask, ANY),
    (libc::SYS_rt_sigreturn, ANY),
    (libc::SYS_restart_syscall, ANY),
    (libc::SYS_getpid, ANY),
    (libc::SYS_gettid, ANY),
    (libc::SYS_tgkill, &[&[Itself(0)]]),
];

/// Calls that exist only on older architectures.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(c_long, Alternatives)] =
    &[(libc::SYS_epoll_wait, ANY), (libc::SYS_poll, ANY), (libc::SYS_time, ANY)];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(c_long, Alternatives)] = &[];

/// Calls that read symbolic links, so that this host's new time zone can be found after SIGHUP. The
/// filter cannot check paths, so these calls also reveal which paths exist.
#[cfg(target_arch = "x86_64")]
const LINK_CALLS: &[(c_long, Alternatives)] =
    &[(libc::SYS_readlinkat, ANY), (libc::SYS_readlink, ANY)];
#[cfg(not(target_arch = "x86_64"))]
const LINK_CALLS: &[(c_long, Alternatives)] = &[(libc::SYS_readlinkat, ANY)];

/// Range of descriptors, including both ends.
type Descriptors = RangeInclusive<RawFd>;

/// Restricts every thread to the system calls that the running service needs, and returns the
/// number of allowed calls. Sends to an address are allowed only on descriptors in `udp_range`. If
/// `udp_range` is `None`, such sends are never allowed.
pub(crate) fn restrict_calls(
    udp_range: Option<&Descriptors>,
    links: Links,
) -> Result<usize, String> {
    let more = if links == Links::Readable { LINK_CALLS } else { &[] };
    let (program, calls) = filter(udp_range, more)?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())?;
    Ok(calls)
}

/// Returns the filter for this processor, and the number of calls that it allows.
fn filter(
    udp_range: Option<&Descriptors>,
    more: &[(c_long, Alternatives)],
) -> Result<(BpfProgram, usize), String> {
    let wrong = |error: BackendError| format!("cannot build the filter: {error}");
    let arch = TargetArch::try_from(ARCH).map_err(wrong)?;
    let rules = rules(udp_range, more).map_err(wrong)?;
    let calls = rules.len();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(wrong)?;
    Ok((filter.try_into().map_err(wrong)?, calls))
}

/// Returns the alternatives of each call. An empty list would allow the call with any arguments. So
/// a call is omitted if none of its alternatives can apply.
fn rules(
    udp_range: Option<&Descriptors>,
    more: &[(c_long, Alternatives)],
) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules = BTreeMap::new();
    for &(call, with) in COMMON_CALLS.iter().chain(OLD_CALLS).chain(more) {
        let alternatives = with.iter().filter_map(|checks| conditions(checks, udp_range));
        let alternatives = alternatives
            .map(|conditions| SeccompRule::new(conditions?))
            .collect::<Result<Vec<_>, _>>()?;
        if with.is_empty() || !alternatives.is_empty() {
            rules.insert(call, alternatives);
        }
    }
    Ok(rules)
}

/// Returns the conditions of one alternative. Returns `None` if the alternative needs a UDP socket
/// but the service has none.
fn conditions(
    checks: &[Check],
    udp_range: Option<&Descriptors>,
) -> Option<Result<Vec<SeccompCondition>, BackendError>> {
    // The kernel uses only the lower 32 bits of these arguments.
    let one = |argument, operator, value: i32| {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    let mut conditions = Vec::new();
    for &check in checks {
        match check {
            Is(argument, value) => conditions.push(one(argument, SeccompCmpOp::Eq, value)),
            Without(argument, bits) => {
                let masked = SeccompCmpOp::MaskedEq(u64::from(bits.cast_unsigned()));
                conditions.push(one(argument, masked, 0));
            }
            Itself(argument) => {
                let process = std::process::id().cast_signed();
                conditions.push(one(argument, SeccompCmpOp::Eq, process));
            }
            UdpSocket(argument) => {
                let sockets = udp_range?;
                conditions.push(one(argument, SeccompCmpOp::Ge, *sockets.start()));
                conditions.push(one(argument, SeccompCmpOp::Le, *sockets.end()));
            }
        }
    }
    Some(conditions.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_listed_twice_and_the_filter_compiles() {
        let (program, calls) = filter(Some(&(7..=9)), LINK_CALLS).expect("it compiles");
        assert_eq!(calls, COMMON_CALLS.len() + OLD_CALLS.len() + LINK_CALLS.len());
        assert!(program.len() < 4096, "BPF_MAXINSNS: {}", program.len());
    }

    /// Builds a rule from conditions on 32-bit arguments.
    fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> SeccompRule {
        let condition = |(argument, operator, value): &(u8, SeccompCmpOp, u64)| {
            let dword = SeccompCmpArgLen::Dword;
            SeccompCondition::new(*argument, dword, operator.clone(), *value).expect("right")
        };
        SeccompRule::new(conditions.iter().map(condition).collect()).expect("right")
    }

    #[test]
    fn arguments_are_checked_if_a_call_could_do_more_than_needed() {
        let rules = rules(None, &[]).expect("they compile");
        let no_code = rule(&[(2, SeccompCmpOp::MaskedEq(4), 0)]); // PROT_EXEC is not set
        assert_eq!(rules[&libc::SYS_mmap], std::slice::from_ref(&no_code));
        assert_eq!(rules[&libc::SYS_mprotect], [no_code]);
        for (call, argument, only) in [
            (libc::SYS_tgkill, 0, std::process::id().into()),
            (libc::SYS_prctl, 0, 15),        // PR_SET_NAME
            (libc::SYS_fcntl, 1, 1),         // F_GETFD
            (libc::SYS_shutdown, 1, 1),      // SHUT_WR
            (libc::SYS_clock_adjtime, 0, 0), // 0 is CLOCK_REALTIME
        ] {
            assert_eq!(rules[&call], [rule(&[(argument, SeccompCmpOp::Eq, only)])], "{call}");
        }
    }

    #[test]
    fn only_udp_sockets_send_to_an_address_or_with_control_messages() {
        const MORE: u64 = 0x8000;
        const NOSIGNAL: u64 = 0x4000;
        const DONTWAIT: u64 = 0x40;
        let connected = |flags| rule(&[(3, SeccompCmpOp::Eq, flags), (5, SeccompCmpOp::Eq, 0)]);
        let to_the_peer = [MORE, NOSIGNAL, DONTWAIT].map(connected);
        let without = rules(None, &[]).expect("they compile");
        assert_eq!(without[&libc::SYS_sendto], to_the_peer);
        assert!(!without.contains_key(&libc::SYS_sendmsg));
        assert!(!without.contains_key(&libc::SYS_sendmmsg));

        let with = rules(Some(&(7..=9)), &[]).expect("they compile");
        let on_udp = |flags| {
            let sockets = [(0, SeccompCmpOp::Ge, 7), (0, SeccompCmpOp::Le, 9)];
            rule(&[&[(flags, SeccompCmpOp::Eq, DONTWAIT)][..], &sockets].concat())
        };
        assert_eq!(with[&libc::SYS_sendto][..1], [on_udp(3)]);
        assert_eq!(with[&libc::SYS_sendto][1..], to_the_peer);
        assert_eq!(with[&libc::SYS_sendmsg], [on_udp(2)]);
        assert_eq!(with[&libc::SYS_sendmmsg], [on_udp(3)]);
    }

    #[test]
    fn no_call_that_opens_starts_or_reaches_into_another_process_is_allowed() {
        let listed = rules(Some(&(0..=1023)), LINK_CALLS).expect("they compile");
        assert!(!rules(None, &[]).expect("they compile").contains_key(&libc::SYS_readlinkat));
        for call in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_bind,
            libc::SYS_connect,
            libc::SYS_listen,
            libc::SYS_setsockopt,
            libc::SYS_recvmsg,
            libc::SYS_readv,
            libc::SYS_dup,
            libc::SYS_dup3,
            libc::SYS_pwrite64,
            libc::SYS_splice,
            libc::SYS_sendfile,
            libc::SYS_clock_settime,
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
