//! What went wrong, told once, with what to try.

use super::args::MAX_LIMIT;
use super::complain;
use crate::bench::{BenchError, Load};
use crate::client::{Answer, AskError, Attempt, Interruption};
use crate::compare::CompareError;
use crate::listen::{ListenError, Unavailable};
use crate::reply::Printable;
use crate::report::chain;
use crate::server::{ConfineError, ServeError};
use crate::transport::{PORT, Transport};
use crate::wire::capture::CaptureError;
use crate::wire::read::ReadError;
use nix::errno::Errno;
use std::error::Error;
use std::io;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Standard output was closed by its reader: no reason to complain, or to go on.
    NobodyReads,
    /// The arguments do not go together with each other or with what there is.
    Usage(String),
    /// Something to tell.
    Told {
        /// What failed and why.
        message: String,
        /// What to try.
        hint: Option<String>,
    },
}

impl Failure {
    pub(super) fn output(error: &io::Error) -> Self {
        Self::plain(format!("cannot write to standard output: {error}"))
    }

    pub(super) fn signals(error: &io::Error) -> Self {
        let message = format!("cannot wait for signals: {error}");
        Self::Told { message, hint: descriptor_hint(error) }
    }

    /// The limit of open files leaves too few for clients.
    pub(super) fn descriptors(limit: u64, missing: usize) -> Self {
        let enough = limit.saturating_add(missing as u64);
        let message = format!(
            "cannot serve with a limit of {limit} open files: too few are left for clients"
        );
        Self::Told { message, hint: Some(format!("raise it to {enough} at least, {RAISE_LIMIT}")) }
    }

    pub(super) fn plain(message: String) -> Self {
        Self::Told { message, hint: None }
    }

    /// What the process ends with.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            // Whoever read has seen enough, as `head` does.
            Self::NobodyReads => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Told { .. } => ExitCode::FAILURE,
        }
    }

    /// `daytime: what failed: why: what to try`, on standard error.
    pub(super) fn tell(&self) {
        if matches!(self, Self::NobodyReads) {
            return;
        }
        complain(&format!("daytime: {self}"));
    }

    /// What is wrong with an answer that came.
    pub(super) fn of_answer(
        Answer { peer, transport, truncated, octets, .. }: &Answer,
    ) -> Option<Self> {
        let fault = if *truncated {
            format!("the answer of {peer} is cut: it was longer than {} octets", octets.len())
        } else if octets.is_empty() {
            format!("{peer} answered over {transport} with nothing: it may not know the time")
        } else {
            return None;
        };
        Some(Self::plain(fault))
    }

    /// Why a load ended early.
    pub(super) fn of_load(load: &Load) -> Option<Self> {
        let Load { transport, peer, refused_at_once, .. } = load;
        refused_at_once.then(|| Self::Told {
            message: format!(
                "{peer} refused every attempt over {transport}, so the load ended early"
            ),
            hint: Some(refused_hint(*transport, *peer)),
        })
    }

    /// The endpoint for metrics cannot be served.
    pub(super) fn metrics(error: &ServeError) -> Self {
        let hint = match error {
            ServeError::Listen(ListenError::Open { why: Unavailable::InUse, .. }) => {
                let hint = "is another program there? `ss -lntp` shows which; or choose another \
                            port for --metrics";
                Some(hint.to_owned())
            }
            ServeError::Listen(ListenError::Open { why: Unavailable::NotPermitted, .. }) => {
                let hint = "ports below 1024 need a privilege: choose another for --metrics";
                Some(hint.to_owned())
            }
            ServeError::Listen(error) => listen_hint(error),
            _ => None,
        };
        let hint = hint.or_else(|| descriptor_hint(error));
        Self::Told { message: format!("no metrics: {}", chain(error)), hint }
    }

    /// A capture file cannot be read, or not to its end.
    pub(super) fn capture_file(name: &str, error: &ReadError) -> Self {
        let hint = match error {
            ReadError::Compressed(compression) => {
                let message = format!("cannot read {name}: {error}");
                let hint = format!("`{compression} -dc FILE | daytime wire --read -` unpacks it");
                return Self::Told { message, hint: Some(hint) };
            }
            ReadError::NotACapture | ReadError::Empty => {
                Some("`tcpdump -w` or `daytime wire --pcapng` write such files")
            }
            ReadError::LinkType(_) => Some("Wireshark may save it with another"),
            ReadError::Cut(..) => Some("what is shown is all that there is of it"),
            ReadError::Damaged(..) => Some("what is shown stands before that"),
            ReadError::Io(_) => None,
        };
        Self::Told {
            message: format!("cannot read {name}: {}", chain(error)),
            hint: hint.map(str::to_owned),
        }
    }

    fn new(error: &dyn Error, hint: Option<String>) -> Self {
        Self::Told { message: chain(error), hint }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NobodyReads => f.write_str("standard output is closed"),
            Self::Usage(message) | Self::Told { message, hint: None } => f.write_str(message),
            Self::Told { message, hint: Some(hint) } => write!(f, "{message}: {hint}"),
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let hint = match &error {
            ServeError::Listen(error) => listen_hint(error),
            ServeError::ClockUnknown(_) => Some(
                "--require-sync needs that call: allow adjtimex and clock_adjtime in the filter of \
                 system calls (under systemd without ProtectClock=), or leave --require-sync out"
                    .to_owned(),
            ),
            _ => None,
        };
        let hint = hint.or_else(|| descriptor_hint(&error));
        Self::new(&error, hint)
    }
}

impl From<ConfineError> for Failure {
    fn from(error: ConfineError) -> Self {
        Self::new(&error, confine_hint(&error).map(str::to_owned))
    }
}

impl From<&AskError> for Failure {
    fn from(error: &AskError) -> Self {
        Self::new(error, ask_hint(error))
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::from(&error)
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Self {
        match &error {
            CompareError::Ask(cause) => Self::new(&error, ask_hint(cause)),
            CompareError::Public { .. } => {
                let hint = "without HOST, compare starts a server of its own; --impolite asks \
                            this one all the same, if it is yours";
                Self::new(&error, Some(hint.to_owned()))
            }
            CompareError::NoAnswer { tcp, udp, .. } => {
                let hint = "is a server running, or is --timeout too short? Without HOST, compare \
                            starts one";
                let message = format!("{error}; tcp: {}; udp: {}", chain(tcp), chain(udp));
                Self::Told { message, hint: Some(hint.to_owned()) }
            }
            _ => Self::new(&error, None),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        let hint = match &error {
            BenchError::Ask(cause) => return Self::new(&error, ask_hint(cause)),
            BenchError::Descriptors { .. } => {
                "choose a smaller --concurrency, or raise the hard limit (`ulimit -Hn`)"
            }
            BenchError::Ports { .. } => {
                "choose a smaller --concurrency, or widen net.ipv4.ip_local_port_range"
            }
            BenchError::Public { .. } => "--impolite asks it all the same, if it is yours",
            _ => return Self::new(&error, None),
        };
        Self::new(&error, Some(hint.to_owned()))
    }
}

const RAISE_LIMIT: &str = "with `ulimit -n` or LimitNOFILE= in a systemd unit";

/// What to do where descriptors have run out.
fn descriptor_hint(error: &(dyn Error + 'static)) -> Option<String> {
    let is_emfile = |error: &(dyn Error + 'static)| {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.raw_os_error() == Some(Errno::EMFILE as i32))
    };
    let mut causes = iter::successors(Some(error), |error| (*error).source());
    causes.any(is_emfile).then(|| format!("raise the limit of open files {RAISE_LIMIT}"))
}

fn listen_hint(error: &ListenError) -> Option<String> {
    let hint = match error {
        ListenError::Open { address, why, .. } => return unavailable_hint(*address, *why),
        ListenError::NotServable { descriptor, .. } if descriptor == "descriptor 0" => {
            "--inetd is for inetd and its kin, which put a socket there"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn unavailable_hint(address: SocketAddr, why: Unavailable) -> Option<String> {
    let hint = match (why, address) {
        (Unavailable::InUse, _) if address.ip().is_unspecified() => {
            "is another server there? Choose another --port; and [::] takes IPv4 too, so do not \
             list 0.0.0.0 beside it, or add --only-v6"
        }
        (Unavailable::InUse, _) => {
            "is another server there? `ss -lntup` shows who has it; or choose another --port"
        }
        (Unavailable::NotPermitted, _) => {
            "ports below 1024 need a privilege: use --port 9999, or as root \
             `setcap cap_net_bind_service=+ep` on the daytime binary"
        }
        (Unavailable::NotThisHost, _) if ends_like_a_port(&address) => {
            "no interface of this host has that address; an IPv6 address with a port goes in \
             brackets: [::1]:9999"
        }
        (Unavailable::NotThisHost, _) => {
            let family = if address.is_ipv6() { "-6" } else { "-4" };
            return Some(format!(
                "no interface of this host has that address: `ip {family} address` lists those there \
                 are. For one that comes later, FreeBind=yes in a systemd socket unit"
            ));
        }
        (Unavailable::NoFamily, _) => "this machine has no such address family; --listen another",
        (Unavailable::Other, SocketAddr::V6(address))
            if address.ip().is_unicast_link_local() && address.scope_id() == 0 =>
        {
            "a link-local address needs its interface: fe80::1%eth0"
        }
        (Unavailable::Other, _) => return None,
    };
    Some(hint.to_owned())
}

fn confine_hint(error: &ConfineError) -> Option<&'static str> {
    match error {
        ConfineError::UnknownUser(_) => Some("`getent passwd` lists those there are"),
        ConfineError::UnknownGroup(_) => Some("`getent group` lists those there are"),
        ConfineError::NoGroup(_) => Some("name one with --group"),
        ConfineError::Root(_) => Some("name one without privileges, such as nobody"),
        ConfineError::Become { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Some("only root may; start it as root, or leave --user out")
        }
        ConfineError::Incomplete { .. } => Some("--sandbox on goes on with what there is"),
        _ => None,
    }
}

fn ask_hint(error: &AskError) -> Option<String> {
    let (transport, attempts) = match error {
        AskError::NoAnswer { transport, attempts, .. } => (*transport, attempts),
        AskError::Unresolved { cause, .. } if cause.kind() == io::ErrorKind::TimedOut => {
            return Some("a longer --timeout may help".to_owned());
        }
        AskError::Unresolved { host, .. } if host.contains(':') => {
            return Some("an IPv6 address with a port goes in brackets: [::1]:9999".to_owned());
        }
        AskError::Unresolved { .. } => {
            return Some("is the name right, and is there a resolver?".to_owned());
        }
        AskError::NoAddress { .. } => return Some("try without -4 and -6".to_owned()),
        AskError::Incomplete { partial, cause } => {
            return incomplete_hint(partial, cause).map(str::to_owned);
        }
        _ => return None,
    };
    let any = |wanted: fn(&(SocketAddr, Attempt)) -> bool| attempts.iter().any(wanted);
    let refused = attempts.iter().find(|(_, attempt)| matches!(attempt, Attempt::Refused));
    if let Some((peer, _)) = refused {
        return Some(refused_hint(transport, *peer));
    }
    let hint = if any(|(_, attempt)| matches!(attempt, Attempt::Silent { questions: 0, .. })) {
        "a firewall may drop the question, or the host is down; a longer --timeout may help"
    } else if any(|(_, attempt)| matches!(attempt, Attempt::Silent { .. })) {
        "over UDP nobody tells whether the question was lost, the answer was lost, or nobody is \
         there; try --proto tcp"
    } else if any(|(peer, _)| ends_like_a_port(peer)) {
        "is there a route? An IPv6 address with a port goes in brackets: [::1]:9999"
    } else if any(|(peer, _)| peer.is_ipv6()) {
        "can this host reach it? `ip -6 address` and `ip -6 route` list what it has"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// Returns the hint for a refused connection. On loopback it names the command that starts a server.
fn refused_hint(transport: Transport, peer: SocketAddr) -> String {
    let ip = peer.ip().to_canonical();
    if !ip.is_loopback() {
        let hint = match transport {
            Transport::Udp => {
                "is a server running there, and over UDP? Try --proto tcp, or another --port"
            }
            Transport::Tcp => "is a server running there? --port names another port",
        };
        return hint.to_owned();
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
    if privileged { format!("{start}, `daytime query {host}` asks it") } else { start }
}

/// Whether the end of an IPv6 address may have been meant as a port: `::1:9999` is an address, too.
fn ends_like_a_port(address: &SocketAddr) -> bool {
    let SocketAddr::V6(v6) = address else { return false };
    let last = format!("{:x}", v6.ip().segments()[7]);
    v6.port() == PORT && last.len() > 1 && last.bytes().all(|digit| digit.is_ascii_digit())
}

fn incomplete_hint(partial: &Answer, cause: &Interruption) -> Option<&'static str> {
    match cause {
        Interruption::Timeout { .. } if !partial.truncated => {
            Some("the line is whole, but RFC 867 has the server close the connection after it")
        }
        Interruption::Timeout { .. } => Some("a longer --timeout may help"),
        Interruption::Limit { limit } if *limit < MAX_LIMIT as usize => {
            Some("--limit takes more of it, up to 65535 octets")
        }
        _ => None,
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        let hint = match &error {
            CaptureError::NotPermitted(_) => Some(
                "that takes CAP_NET_RAW: run it as root, or as root once `setcap cap_net_raw+ep` on \
                 the daytime binary; `daytime wire --netns` shows an exchange without either"
                    .to_owned(),
            ),
            CaptureError::NoInterface { there, .. } => {
                let there: Vec<String> =
                    there.iter().map(|name| Printable(name.as_bytes()).to_string()).collect();
                Some(format!("there are {}; without one it is all of them", there.join(", ")))
            }
            CaptureError::Down(name) => {
                let name = Printable(name.as_bytes());
                Some(format!("`ip link set dev {name} up` brings it up"))
            }
            CaptureError::WentDown(_) | CaptureError::Failed(_) => None,
        };
        Self::new(&error, hint)
    }
}

#[cfg(test)]
mod tests {
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
    fn the_whole_chain_is_told_once_with_what_to_try() {
        let address = "[::]:13".parse().expect("address");
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let (transport, why) = (Transport::Tcp, Unavailable::NotPermitted);
        let error = ListenError::Open { transport, address, why, source: denied };
        let error = ServeError::from(error);
        assert_eq!(
            Failure::from(error).to_string(),
            "cannot listen on tcp [::]:13: permission denied: ports below 1024 need a privilege: \
             use --port 9999, or as root `setcap cap_net_bind_service=+ep` on the daytime binary"
        );
    }
}
