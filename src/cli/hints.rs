//! Hints on what a user can try after an error.

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

/// A hint's text, if there is one.
pub(super) type Hint = Option<Cow<'static, str>>;

#[expect(clippy::unnecessary_wraps, reason = "a hint among errors that have none")]
fn hint(text: impl Into<Cow<'static, str>>) -> Hint {
    Some(text.into())
}

/// An error that may end a command, with a hint for the user.
pub(super) trait Hints: Error + Sized + 'static {
    fn hint(&self) -> Hint;

    /// Returns the error's text with its causes.
    fn message(&self) -> String {
        chain(self)
    }
}

impl Hints for AskError {
    fn hint(&self) -> Hint {
        match self {
            Self::NoAnswer { transport, attempts, .. } => attempts_hint(*transport, attempts),
            Self::Unresolved { cause, .. } if cause.kind() == io::ErrorKind::TimedOut => {
                hint("try a longer --timeout")
            }
            Self::UnknownHost { host, .. } | Self::Unresolved { host, .. }
                if host.contains(':') =>
            {
                hint("write an IPv6 address with a port in brackets: [::1]:9999")
            }
            Self::UnknownHost { .. } | Self::Unresolved { .. } => {
                hint("check the name, and the resolver of this host")
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
        hint("a firewall may drop the question, or the host is down; try a longer --timeout")
    } else if any(|it| matches!(it.failure, AttemptFailure::Silent { .. })) {
        hint(
            "question or answer may be lost, or no server is running, and UDP does not report \
             which; try --proto tcp",
        )
    } else if any(|it| ends_like_a_port(&it.peer)) {
        hint("is there a route? Write an IPv6 address with a port in brackets: [::1]:9999")
    } else if any(|it| it.peer.is_ipv6()) {
        hint("does this host have IPv6? See `ip -6 address` and `ip -6 route`")
    } else {
        None
    }
}

/// Returns the hint for a refused query. For a loopback address, the hint shows the command that starts a server.
pub(super) fn refused_hint(transport: Transport, peer: SocketAddr) -> Cow<'static, str> {
    let ip = peer.ip().to_canonical();
    if !ip.is_loopback() {
        let hint = match transport {
            Transport::Udp => {
                "is a server running there, and over UDP? Try --proto tcp, or another --port"
            }
            Transport::Tcp => "is a server running there? Try another --port",
        };
        return hint.into();
    }
    let privileged = peer.port() < 1024;
    let at = SocketAddr::new(ip, if privileged { 9999 } else { peer.port() });
    // Without `--listen`, `serve` listens on these two addresses.
    let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&ip);
    let (option, host) = if localhost {
        (format!("--port {}", at.port()), format!("localhost:{}", at.port()))
    } else {
        (format!("--listen {at}"), at.to_string())
    };
    let start = format!("is a server running? `daytime serve {option}` starts one");
    if privileged { format!("{start}, `daytime query {host}` asks it") } else { start }.into()
}

/// Whether the user may have meant the end of an IPv6 address to be a port. For example, `::1:9999` is a valid address.
fn ends_like_a_port(address: &SocketAddr) -> bool {
    let SocketAddr::V6(v6) = address else { return false };
    let last = format!("{:x}", v6.ip().segments()[7]);
    v6.port() == PORT && last.len() > 1 && last.bytes().all(|digit| digit.is_ascii_digit())
}

fn incomplete_hint(partial: &Answer, cause: &Interruption) -> Hint {
    match cause {
        Interruption::Timeout { .. } if partial.octets.is_empty() => hint(
            "the port may serve another protocol, whose client speaks first, or the server is \
             slow; try a longer --timeout",
        ),
        Interruption::Timeout { .. } if !partial.truncated => {
            hint("the reply is whole, but by RFC 867 the server must close the connection after it")
        }
        Interruption::Timeout { .. } => hint("try a longer --timeout"),
        Interruption::Limit { limit } if *limit < MAX_LIMIT as usize => {
            hint("try a larger --limit, up to 65535 octets")
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
                "--require-sync needs this call: allow adjtimex and clock_adjtime in the filter of \
                 system calls (under systemd without ProtectClock=), or leave --require-sync out",
            ),
            _ => None,
        };
        own_hint.or_else(|| descriptor_hint(self))
    }
}

/// Returns the hint for metrics that cannot be served.
pub(super) fn metrics_hint(error: &ServeError) -> Hint {
    match error {
        ServeError::Listen(ListenError::Open { why: Unavailable::InUse, .. }) => hint(
            "does another program use the port? See `ss -lntp`, or try another port for --metrics",
        ),
        ServeError::Listen(ListenError::Open { why: Unavailable::NotPermitted, .. }) => {
            hint("ports below 1024 need a privilege: try another port for --metrics")
        }
        _ => error.hint(),
    }
}

pub(super) const RAISE_LIMIT: &str = "with `ulimit -n` or LimitNOFILE= in a systemd unit";

/// Returns the hint for an error caused by the limit on open files (`EMFILE`).
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
            Self::NotServable { descriptor, .. } if descriptor == "descriptor 0" => hint(
                "use --inetd only under inetd or xinetd, which start serve with a socket there",
            ),
            _ => None,
        }
    }
}

fn unavailable_hint(address: SocketAddr, why: Unavailable) -> Hint {
    match (why, address) {
        (Unavailable::InUse, _) if address.ip().is_unspecified() => hint(
            "does another server use the port? Try another --port. [::] takes IPv4 too: leave out \
             0.0.0.0, or add --only-v6",
        ),
        (Unavailable::InUse, _) => {
            hint("does another server use the port? See `ss -lntup`, or try another --port")
        }
        (Unavailable::NotPermitted, _) => hint(
            "ports below 1024 need a privilege: use --port 9999, or as root \
             `setcap cap_net_bind_service=+ep` on the daytime binary",
        ),
        (Unavailable::NotThisHost, _) if ends_like_a_port(&address) => hint(
            "no interface of this host has the address; write an IPv6 address with a port in \
             brackets: [::1]:9999",
        ),
        (Unavailable::NotThisHost, _) => {
            let family = if address.is_ipv6() { "-6" } else { "-4" };
            hint(format!(
                "no interface of this host has the address; see `ip {family} address`. For an \
                 address that is added later, use FreeBind=yes in a systemd socket unit"
            ))
        }
        (Unavailable::NoFamily, _) => {
            hint("this host does not have this address family; --listen on another address")
        }
        (Unavailable::Other, SocketAddr::V6(address))
            if address.ip().is_unicast_link_local() && address.scope_id() == 0 =>
        {
            hint("add the interface to a link-local address: fe80::1%eth0")
        }
        (Unavailable::Other, _) => None,
    }
}

impl Hints for ConfineError {
    fn hint(&self) -> Hint {
        match self {
            Self::UnknownUser { .. } => hint("see `getent passwd` for all users"),
            Self::UnknownGroup { .. } => hint("see `getent group` for all groups"),
            Self::NoGroup { .. } => hint("add --group"),
            Self::Root { .. } => hint("name a user without privileges, such as nobody"),
            Self::Become { source, .. } if source.kind() != io::ErrorKind::PermissionDenied => None,
            Self::Become { .. } if sys::is_root() => hint(
                "root has no such right here, as in some containers and user namespaces: grant \
                 CAP_SETUID and CAP_SETGID, or leave --user out",
            ),
            Self::Become { .. } => hint("start serve as root, or leave --user out"),
            Self::Incomplete { .. } => hint("try --sandbox on, which uses the available layers"),
            _ => None,
        }
    }
}

impl Hints for CaptureError {
    fn hint(&self) -> Hint {
        let printable = |name: &String| Printable(name.as_bytes()).to_string();
        match self {
            Self::NotPermitted(_) => hint(
                "a capture needs CAP_NET_RAW: run wire as root, or run `setcap cap_net_raw+ep` once \
                 on the daytime binary; or try `daytime wire --netns`, which needs no right",
            ),
            Self::NoInterface { existing, .. } => {
                let there: Vec<String> = existing.iter().map(printable).collect();
                hint(format!("try {}; or no name, for all interfaces", there.join(", ")))
            }
            Self::Down(name) => hint(format!("try `ip link set dev {} up`", printable(name))),
            Self::WentDown(_) | Self::Failed(_) => None,
        }
    }
}

impl Hints for ReadError {
    fn hint(&self) -> Hint {
        match self {
            Self::Compressed(compression) => {
                hint(format!("try `{compression} -dc FILE | daytime wire --read -`"))
            }
            Self::NotACapture | Self::Empty => {
                hint("capture files come from `tcpdump -w` or `daytime wire --pcapng`")
            }
            Self::LinkType(_) => hint("Wireshark may save the capture with another link type"),
            Self::Cut(..) => hint("all packets before the cut are shown"),
            Self::Damaged(..) => hint("all packets before the damage are shown"),
            Self::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Failure;
    use super::*;
    use crate::mentions::mentions;
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
                mentions(&hint(peer), &["server running", &format!("`daytime serve {option}`")]);
            }
            let serve = "`daytime serve --listen 127.0.0.2:9999`";
            mentions(&hint("127.0.0.2:13"), &[serve, "`daytime query 127.0.0.2:9999`"]);
            assert!(!hint("192.0.2.1:9997").contains("daytime serve"));
        }
    }

    #[test]
    fn the_maximum_of_limit_gets_no_hint_to_raise_it() {
        let text = |limit| {
            let partial = super::super::query::tests::answered(b"");
            incomplete_hint(&partial, &Interruption::Limit { limit })
        };
        assert!(text(65534).is_some_and(|hint| hint.contains("--limit")));
        assert_eq!(text(65535), None);
    }

    #[test]
    fn a_failure_has_each_cause_once_and_a_hint() {
        let address = "[::]:13".parse().expect("address");
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let (transport, why) = (Transport::Tcp, Unavailable::NotPermitted);
        let error = ServeError::from(ListenError::Open { transport, address, why, source: denied });
        let message = Failure::from(error).to_string();
        mentions(&message, &["cannot listen", "tcp [::]:13", "permission denied"]);
        let advice = ["--port 9999", "root", "`setcap cap_net_bind_service=+ep`", "daytime binary"];
        mentions(&message, &["below 1024"]);
        mentions(&message, &advice);
        assert_eq!(message.matches("permission denied").count(), 1, "{message}");
    }
}
