//! What to try after an error.

use super::args::MAX_LIMIT;
use crate::bench::BenchError;
use crate::client::{Answer, AskError, Attempt, AttemptFailure, Interruption};
use crate::compare::CompareError;
use crate::listen::{ListenError, Unavailable};
use crate::reply::Printable;
use crate::report::chain;
use crate::server::{ConfineError, ServeError};
use crate::sys;
use crate::transport::{PORT, Transport};
use crate::wire::capture::CaptureError;
use crate::wire::read::ReadError;
use nix::errno::Errno;
use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What to try, if anything is known to help.
pub(super) type Hint = Option<Cow<'static, str>>;

#[expect(clippy::unnecessary_wraps, reason = "a hint among errors that have none")]
fn hint(text: impl Into<Cow<'static, str>>) -> Hint {
    Some(text.into())
}

/// An error that a command may end with.
pub(super) trait Hints: Error + Sized + 'static {
    fn hint(&self) -> Hint;

    /// What failed and why.
    fn message(&self) -> String {
        chain(self)
    }
}

impl Hints for AskError {
    fn hint(&self) -> Hint {
        match self {
            Self::NoAnswer { transport, attempts, .. } => attempts_hint(*transport, attempts),
            Self::Unresolved { cause, .. } if cause.kind() == io::ErrorKind::TimedOut => {
                hint("a longer --timeout may help")
            }
            Self::UnknownHost { host, .. } | Self::Unresolved { host, .. }
                if host.contains(':') =>
            {
                hint("an IPv6 address with a port goes in brackets: [::1]:9999")
            }
            Self::UnknownHost { .. } | Self::Unresolved { .. } => {
                hint("is the name right, and is there a resolver?")
            }
            Self::NoAddress { .. } => hint("try without -4 and -6"),
            Self::Incomplete { partial, cause } => incomplete_hint(partial, cause),
            _ => None,
        }
    }
}

fn attempts_hint(transport: Transport, attempts: &[Attempt]) -> Hint {
    let any = |wanted: fn(&Attempt) -> bool| attempts.iter().any(wanted);
    let refused = |it: &&Attempt| matches!(it.failure, AttemptFailure::Refused);
    if let Some(Attempt { peer, .. }) = attempts.iter().find(refused) {
        Some(refused_hint(transport, *peer))
    } else if any(|it| matches!(it.failure, AttemptFailure::Silent { questions: 0, .. })) {
        hint("a firewall may drop the question, or the host is down; a longer --timeout may help")
    } else if any(|it| matches!(it.failure, AttemptFailure::Silent { .. })) {
        hint(
            "UDP does not report whether the question or the answer was lost, or no server is \
             there; try --proto tcp",
        )
    } else if any(|it| ends_like_a_port(&it.peer)) {
        hint("is there a route? An IPv6 address with a port goes in brackets: [::1]:9999")
    } else if any(|it| it.peer.is_ipv6()) {
        hint("can this host reach it? `ip -6 address` and `ip -6 route` list what it has")
    } else {
        None
    }
}

/// Returns the hint for a refused connection. On loopback it names the command that starts a server.
pub(super) fn refused_hint(transport: Transport, peer: SocketAddr) -> Cow<'static, str> {
    let ip = peer.ip().to_canonical();
    if !ip.is_loopback() {
        let hint = match transport {
            Transport::Udp => {
                "is a server running there, and over UDP? Try --proto tcp, or another --port"
            }
            Transport::Tcp => "is a server running there? --port names another port",
        };
        return hint.into();
    }
    let privileged = peer.port() < 1024;
    let at = SocketAddr::new(ip, if privileged { 9999 } else { peer.port() });
    // Without --listen, serve listens on these two.
    let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&ip);
    let (option, host) = if localhost {
        (format!("--port {}", at.port()), format!("localhost:{}", at.port()))
    } else {
        (format!("--listen {at}"), at.to_string())
    };
    let start = format!("is a server running? `daytime serve {option}` starts one");
    if privileged { format!("{start}, `daytime query {host}` asks it") } else { start }.into()
}

/// Whether the end of an IPv6 address may have been meant as a port: `::1:9999` is an address, too.
fn ends_like_a_port(address: &SocketAddr) -> bool {
    let SocketAddr::V6(v6) = address else { return false };
    let last = format!("{:x}", v6.ip().segments()[7]);
    v6.port() == PORT && last.len() > 1 && last.bytes().all(|digit| digit.is_ascii_digit())
}

fn incomplete_hint(partial: &Answer, cause: &Interruption) -> Hint {
    match cause {
        Interruption::Timeout { .. } if !partial.truncated => {
            hint("the line is whole, but RFC 867 has the server close the connection after it")
        }
        Interruption::Timeout { .. } => hint("a longer --timeout may help"),
        Interruption::Limit { limit } if *limit < MAX_LIMIT as usize => {
            hint("--limit takes more of it, up to 65535 octets")
        }
        _ => None,
    }
}

impl Hints for CompareError {
    fn hint(&self) -> Hint {
        match self {
            Self::Ask(cause) => cause.hint(),
            Self::Public { .. } => hint(
                "leave HOST out, and compare starts a local server; or add --impolite, if the \
                 server is yours",
            ),
            Self::NoAnswer { .. } => hint(
                "is a server running? Try a longer --timeout; without HOST, compare starts a local \
                 server",
            ),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoAnswer { tcp, udp, .. } => {
                format!("{self}; tcp: {}; udp: {}", chain(tcp), chain(udp))
            }
            _ => chain(self),
        }
    }
}

impl Hints for BenchError {
    fn hint(&self) -> Hint {
        match self {
            Self::Ask(cause) => cause.hint(),
            Self::Descriptors { .. } => {
                hint("lower --concurrency, or raise the hard limit (`ulimit -Hn`)")
            }
            Self::Ports { .. } => {
                hint("lower --concurrency, or widen net.ipv4.ip_local_port_range")
            }
            Self::Public { .. } => hint("add --impolite, if the server is yours"),
            _ => None,
        }
    }
}

impl Hints for ServeError {
    fn hint(&self) -> Hint {
        let own_hint = match self {
            Self::Listen(error) => error.hint(),
            Self::ClockUnknown(_) => hint(
                "--require-sync needs that call: allow adjtimex and clock_adjtime in the filter of \
                 system calls (under systemd without ProtectClock=), or leave --require-sync out",
            ),
            _ => None,
        };
        own_hint.or_else(|| descriptor_hint(self))
    }
}

/// Returns the hint for an endpoint that cannot be served.
pub(super) fn metrics_hint(error: &ServeError) -> Hint {
    match error {
        ServeError::Listen(ListenError::Open { why: Unavailable::InUse, .. }) => hint(
            "is another program there? `ss -lntp` shows which; or choose another port for --metrics",
        ),
        ServeError::Listen(ListenError::Open { why: Unavailable::NotPermitted, .. }) => {
            hint("ports below 1024 need a privilege: choose another for --metrics")
        }
        _ => error.hint(),
    }
}

pub(super) const RAISE_LIMIT: &str = "with `ulimit -n` or LimitNOFILE= in a systemd unit";

/// Returns what to do where descriptors have run out.
pub(super) fn descriptor_hint(error: &(dyn Error + 'static)) -> Hint {
    let is_emfile = |error: &(dyn Error + 'static)| {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.raw_os_error() == Some(Errno::EMFILE as i32))
    };
    let mut causes = iter::successors(Some(error), |error| (*error).source());
    causes.any(is_emfile).then(|| format!("raise the limit of open files {RAISE_LIMIT}").into())
}

impl Hints for ListenError {
    fn hint(&self) -> Hint {
        match self {
            Self::Open { address, why, .. } => unavailable_hint(*address, *why),
            Self::NotServable { descriptor, .. } if descriptor == "descriptor 0" => {
                hint("--inetd is for inetd and its kin, which put a socket there")
            }
            _ => None,
        }
    }
}

fn unavailable_hint(address: SocketAddr, why: Unavailable) -> Hint {
    match (why, address) {
        (Unavailable::InUse, _) if address.ip().is_unspecified() => hint(
            "is another server there? Choose another --port; and [::] takes IPv4 too, so do not \
             list 0.0.0.0 beside it, or add --only-v6",
        ),
        (Unavailable::InUse, _) => {
            hint("is another server there? `ss -lntup` shows who has it; or choose another --port")
        }
        (Unavailable::NotPermitted, _) => hint(
            "ports below 1024 need a privilege: use --port 9999, or as root \
             `setcap cap_net_bind_service=+ep` on the daytime binary",
        ),
        (Unavailable::NotThisHost, _) if ends_like_a_port(&address) => hint(
            "no interface of this host has that address; an IPv6 address with a port goes in \
             brackets: [::1]:9999",
        ),
        (Unavailable::NotThisHost, _) => {
            let family = if address.is_ipv6() { "-6" } else { "-4" };
            hint(format!(
                "no interface of this host has that address: `ip {family} address` lists those \
                 there are. For one that comes later, FreeBind=yes in a systemd socket unit"
            ))
        }
        (Unavailable::NoFamily, _) => {
            hint("this machine has no such address family; --listen another")
        }
        (Unavailable::Other, SocketAddr::V6(address))
            if address.ip().is_unicast_link_local() && address.scope_id() == 0 =>
        {
            hint("a link-local address needs its interface: fe80::1%eth0")
        }
        (Unavailable::Other, _) => None,
    }
}

impl Hints for ConfineError {
    fn hint(&self) -> Hint {
        match self {
            Self::UnknownUser { .. } => hint("`getent passwd` lists those there are"),
            Self::UnknownGroup { .. } => hint("`getent group` lists those there are"),
            Self::NoGroup { .. } => hint("name one with --group"),
            Self::Root { .. } => hint("name one without privileges, such as nobody"),
            Self::Become { source, .. } if source.kind() != io::ErrorKind::PermissionDenied => None,
            Self::Become { .. } if sys::is_root() => hint(
                "this root may not, as in some containers and user namespaces: grant it CAP_SETUID \
                 and CAP_SETGID, or leave --user out",
            ),
            Self::Become { .. } => hint("only root may; start it as root, or leave --user out"),
            Self::Incomplete { .. } => hint("--sandbox on goes on with what there is"),
            _ => None,
        }
    }
}

impl Hints for CaptureError {
    fn hint(&self) -> Hint {
        let printable = |name: &String| Printable(name.as_bytes()).to_string();
        match self {
            Self::NotPermitted(_) => hint(
                "that takes CAP_NET_RAW: run it as root, or as root once `setcap cap_net_raw+ep` on \
                 the daytime binary; `daytime wire --netns` shows an exchange without either",
            ),
            Self::NoInterface { existing, .. } => {
                let there: Vec<String> = existing.iter().map(printable).collect();
                hint(format!("there are {}; without one it is all of them", there.join(", ")))
            }
            Self::Down(name) => {
                hint(format!("`ip link set dev {} up` brings it up", printable(name)))
            }
            Self::WentDown(_) | Self::Failed(_) => None,
        }
    }
}

impl Hints for ReadError {
    fn hint(&self) -> Hint {
        match self {
            Self::Compressed(compression) => {
                hint(format!("`{compression} -dc FILE | daytime wire --read -` unpacks it"))
            }
            Self::NotACapture | Self::Empty => {
                hint("`tcpdump -w` or `daytime wire --pcapng` write such files")
            }
            Self::LinkType(_) => hint("Wireshark may save it with another"),
            Self::Cut(..) => hint("what is shown is all that there is of it"),
            Self::Damaged(..) => hint("the packets shown come before that"),
            Self::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Failure;
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn the_hint_for_a_refusal_on_loopback_starts_a_server_at_that_address() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let hint = |peer: &str| refused_hint(transport, peer.parse().expect("an address"));
            for (peer, option) in [
                ("127.0.0.1:9997", "--port 9997"),
                ("[::1]:9997", "--port 9997"),
                ("[::ffff:127.0.0.1]:9997", "--port 9997"),
                ("127.0.0.2:9997", "--listen 127.0.0.2:9997"),
                ("[::ffff:127.0.0.2]:9997", "--listen 127.0.0.2:9997"),
            ] {
                let start = format!("is a server running? `daytime serve {option}` starts one");
                assert_eq!(hint(peer), start, "{transport} {peer}");
            }
            let both = "is a server running? `daytime serve --listen 127.0.0.2:9999` starts one, \
                        `daytime query 127.0.0.2:9999` asks it";
            assert_eq!(hint("127.0.0.2:13"), both);
            assert!(!hint("192.0.2.1:9997").contains("daytime serve"));
        }
    }

    #[test]
    fn the_largest_limit_has_no_hint_for_a_larger_one() {
        let text = |limit| {
            let partial = super::super::query::tests::answered(b"");
            incomplete_hint(&partial, &Interruption::Limit { limit })
        };
        assert!(text(65534).is_some_and(|hint| hint.contains("--limit")));
        assert_eq!(text(65535), None);
    }

    #[test]
    fn the_whole_chain_is_printed_once_with_a_hint() {
        let address = "[::]:13".parse().expect("address");
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let (transport, why) = (Transport::Tcp, Unavailable::NotPermitted);
        let error = ServeError::from(ListenError::Open { transport, address, why, source: denied });
        assert_eq!(
            Failure::from(error).to_string(),
            "cannot listen on tcp [::]:13: permission denied: ports below 1024 need a privilege: \
             use --port 9999, or as root `setcap cap_net_bind_service=+ep` on the daytime binary"
        );
    }
}
