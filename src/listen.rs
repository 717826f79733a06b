//! Opens the services' sockets, and reports the effective value of each socket option.

mod adopt;
mod error;
mod share;

pub use adopt::Inherited;
pub(crate) use adopt::{Kind, descriptor, no_socket, open_inherited};
pub use error::{ListenError, Unavailable};

use crate::sys;
use crate::transport::Transport;
use share::Place;
use socket2::{Domain, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

options! {
    /// Options for listening sockets. Each field names its system call or socket option.
    ///
    /// ```
    /// let listen = daytime::server::Listen::default().backlog(128).only_v6(true);
    /// assert_eq!((listen.backlog, listen.only_v6, listen.reuse_port), (128, true, true));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Listen {
        /// `SO_REUSEADDR` on TCP: allows binding while connections from the last run are in
        /// TIME-WAIT. The option is never set on UDP: UDP has no TIME-WAIT, and on Linux a second
        /// server could then take the first server's datagrams.
        pub reuse_address: bool,
        /// `SO_REUSEPORT`: each of several workers has its own sockets on the same port, and the
        /// kernel distributes the clients. With `false`, the server can have only one worker. A
        /// server with one worker never sets the option. In both cases, the server refuses a port
        /// that another process uses.
        pub reuse_port: bool,
        /// Maximum number of finished handshakes that wait for `accept(2)`. Linux caps this number
        /// at `net.core.somaxconn`.
        pub backlog: u16,
        /// `IPV6_V6ONLY`: with `true`, an IPv6 wildcard accepts only IPv6. With `false`, the wildcard also accepts
        /// IPv4.
        pub only_v6: bool,
        /// `SO_RCVBUF` in octets. Linux doubles the value and caps it at `net.core.rmem_max`. `None` requests
        /// [`Listen::UDP_RECEIVE_BUFFER`] on UDP, and keeps the system's default on TCP.
        pub receive_buffer: Option<u32>,
        /// `SO_SNDBUF` in octets. Linux doubles the value and caps it at `net.core.wmem_max`. `None` keeps the system's
        /// default.
        pub send_buffer: Option<u32>,
        /// `TCP_USER_TIMEOUT` on TCP, in whole milliseconds: the peer must acknowledge sent data
        /// within this time. Otherwise the kernel gives up on the connection (RFC 793, 3.8, "user
        /// timeout"). The limit also applies after the server has closed the connection.
        pub write_deadline: Duration,
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            reuse_address: true,
            reuse_port: true,
            backlog: 4096,
            only_v6: false,
            receive_buffer: None,
            send_buffer: None,
            write_deadline: Duration::from_secs(3),
        }
    }
}

/// Socket option: the requested value and the effective value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Setting {
    /// Name of the option, as the manual pages write it.
    pub name: &'static str,
    /// Requested value; `None` if nothing was requested and the system's default applies.
    pub asked: Option<u64>,
    /// Effective value; `None` if the system does not report it.
    pub effective: Option<u64>,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: Option<u64>, none: &str| value.map_or(none.into(), |it| it.to_string());
        let (asked, effective) = (value(self.asked, "nothing"), value(self.effective, "unknown"));
        write!(f, "{} asked {asked}, is {effective}", self.name)
    }
}

/// A socket on which the server serves clients.
///
/// ```
/// use daytime::{Config, Server, Transport};
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?;
/// let [tcp, udp] = server.bound() else { panic!("two sockets") };
/// assert_eq!((tcp.transport, udp.transport), (Transport::Tcp, Transport::Udp));
/// assert_eq!(tcp.to_string(), format!("tcp {}", tcp.address));
/// let reuse = tcp.settings.iter().find(|setting| setting.name == "SO_REUSEADDR");
/// assert_eq!(reuse.expect("it was set").asked, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bound {
    /// Transport of the socket.
    pub transport: Transport,
    /// Local address of the socket. If port 0 was requested, this holds the port that the kernel
    /// chose.
    pub address: SocketAddr,
    /// Name that the supervisor gave to the socket; `None` if no supervisor passed the socket.
    pub name: Option<String>,
    /// Options of the socket, each with its requested and effective value.
    pub settings: Vec<Setting>,
}

/// Writes `tcp 127.0.0.1:13`, and the name of the socket if it has one.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.address)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

/// Bound socket. A TCP socket also listens.
#[derive(Debug)]
pub(crate) struct Opened {
    pub bound: Bound,
    pub socket: Socket,
}

/// Maximum number of attempts to find a port that is free for all transports and addresses.
const SHARED_PORT_ATTEMPTS: usize = 32;

impl Listen {
    /// Requested size of the UDP receive buffer, in octets. The usual default is 208 KiB, which
    /// holds about 280 empty datagrams. While the service answers earlier datagrams, bursts from
    /// many clients would overflow a buffer of that size.
    pub const UDP_RECEIVE_BUFFER: u32 = 1 << 20;

    /// Opens all sockets for `workers` workers, or keeps none of them open if one fails. All
    /// addresses with port 0 get the same free port. An address that appears twice in `wanted` is
    /// opened once.
    ///
    /// Skips an address whose family this host does not support, and logs a warning, provided that
    /// at least one other address can be opened.
    pub(crate) fn open_all(
        &self,
        wanted: &[(Transport, SocketAddr)],
        workers: NonZeroUsize,
    ) -> Result<Vec<Vec<Opened>>, ListenError> {
        let mut once: Vec<(Transport, SocketAddr)> = Vec::with_capacity(wanted.len());
        let broadcasts = sys::broadcasts();
        for &(transport, mut address) in wanted {
            address.set_ip(address.ip().to_canonical()); // an IPv4-mapped IPv6 address becomes IPv4
            if is_multicast_or_broadcast(address.ip(), &broadcasts) {
                return Err(ListenError::NotUnicast { transport, address });
            }
            if !once.contains(&(transport, address)) {
                once.push((transport, address));
            }
        }
        let workers = self.sharing(workers);
        let place = if workers.get() > 1 { Place::First } else { Place::Only };
        let first = self.open_first(&once, place)?;
        self.open_further(first, workers)
    }

    fn open_first(
        &self,
        wanted: &[(Transport, SocketAddr)],
        place: Place,
    ) -> Result<Vec<Opened>, ListenError> {
        for _ in 1..SHARED_PORT_ATTEMPTS {
            match self.open_with_one_port(wanted, place) {
                // Another socket uses the port that the kernel chose for the first socket, so let
                // the kernel choose again.
                Err(ListenError::Open { transport, address, why: Unavailable::InUse, .. })
                    if !wanted.contains(&(transport, address)) => {}
                opened => return opened,
            }
        }
        self.open_with_one_port(wanted, place)
    }

    fn open_with_one_port(
        &self,
        wanted: &[(Transport, SocketAddr)],
        place: Place,
    ) -> Result<Vec<Opened>, ListenError> {
        let mut opened: Vec<Opened> = Vec::with_capacity(wanted.len());
        let mut shared = None;
        let mut missing = Vec::new();
        for &(transport, mut address) in wanted {
            let is_free_choice = address.port() == 0;
            if is_free_choice {
                address.set_port(shared.unwrap_or(0));
            }
            match self.open(transport, address, place) {
                Ok(socket) => {
                    if is_free_choice {
                        shared = Some(socket.bound.address.port());
                    }
                    opened.push(socket);
                }
                Err(error @ ListenError::Open { why: Unavailable::NoFamily, .. }) => {
                    missing.push((address, error));
                }
                Err(error) => return Err(error),
            }
        }
        if opened.is_empty() {
            let first = missing.into_iter().next().map(|(_, error)| error);
            return Err(first.unwrap_or(ListenError::Nowhere));
        }
        // Logs one warning per address, although each transport reported the address.
        missing.dedup_by_key(|(address, _)| *address);
        for (address, _) in missing {
            log::warn!("not serving {address}: this host lacks the address family");
        }
        Ok(opened)
    }

    /// Opens one socket. If the requested port is 0, the result holds the port that the kernel
    /// chose.
    fn open(
        &self,
        transport: Transport,
        address: SocketAddr,
        place: Place,
    ) -> Result<Opened, ListenError> {
        let open = || {
            let kind = match transport {
                Transport::Tcp => Type::STREAM,
                Transport::Udp => Type::DGRAM,
            };
            let socket = sys::open(Domain::for_address(address), kind)?;
            self.configure(&socket, transport, address)?;
            if place == Place::Further {
                sys::set_reuse_port(&socket)?;
            }
            socket.bind(&address.into())?;
            if place == Place::First {
                sys::set_reuse_port(&socket)?;
            }
            if transport == Transport::Tcp {
                socket.listen(self.backlog.into())?;
            }
            let mut settings =
                settings(Some(self), &socket, transport, address, self.write_deadline);
            if place != Place::Only {
                let effective = sys::reuses_port(&socket).map(u64::from);
                settings.push(Setting { name: "SO_REUSEPORT", asked: Some(1), effective });
            }
            let address = socket.local_addr()?.as_socket().unwrap_or(address);
            Ok(Opened { bound: Bound { transport, address, name: None, settings }, socket })
        };
        open().map_err(|source| {
            let why = Unavailable::of(address.ip(), &source);
            ListenError::Open { transport, address, why, source }
        })
    }

    /// Sets the options that must be set before the socket is bound.
    fn configure(
        &self,
        socket: &Socket,
        transport: Transport,
        address: SocketAddr,
    ) -> io::Result<()> {
        if transport == Transport::Tcp {
            socket.set_reuse_address(self.reuse_address)?;
            // Accepted sockets inherit this option.
            sys::set_user_timeout(socket, self.write_deadline)?;
        }
        if is_wildcard_v6(address) {
            socket.set_only_v6(self.only_v6)?;
        }
        if let Some(octets) = asked_receive_buffer(Some(self), transport) {
            socket.set_recv_buffer_size(octets as usize)?;
        }
        if let Some(octets) = self.send_buffer {
            socket.set_send_buffer_size(octets as usize)?;
        }
        if transport == Transport::Udp {
            // IPv6 sockets need this option too, because an IPv6 wildcard socket also sends IPv4
            // datagrams.
            sys::never_fragment(socket)?;
            if address.ip().is_unspecified() {
                sys::ask_for_destination(socket, address.ip())?;
            }
        }
        Ok(())
    }
}

/// Returns the options of a socket. `ours` holds the requested values. The argument is `None` for an inherited socket,
/// because this program did not request any options for that socket.
fn settings(
    ours: Option<&Listen>,
    socket: &Socket,
    transport: Transport,
    address: SocketAddr,
    write_deadline: Duration,
) -> Vec<Setting> {
    let setting = |name, asked, effective| Setting { name, asked, effective };
    let is_tcp = transport == Transport::Tcp;
    let tcp = ours.filter(|_| is_tcp);
    let reuse = tcp.map(|listen| listen.reuse_address.into());
    let mut settings = vec![setting("SO_REUSEADDR", reuse, number(socket.reuse_address()))];
    if address.is_ipv6() {
        let wildcard = ours.filter(|_| is_wildcard_v6(address));
        let only_v6 = wildcard.map(|listen| listen.only_v6.into());
        settings.push(setting("IPV6_V6ONLY", only_v6, number(socket.only_v6())));
    }
    if let Some(Listen { backlog, .. }) = tcp {
        let granted = sys::backlog_limit().map(|limit| limit.min((*backlog).into()).into());
        settings.push(setting("backlog", Some((*backlog).into()), granted));
    }
    if is_tcp {
        let asked = write_deadline.as_millis().try_into().ok();
        settings.push(setting("TCP_USER_TIMEOUT", asked, sys::user_timeout_ms(socket)));
    }
    let receive = asked_receive_buffer(ours, transport).map(u64::from);
    let send = ours.and_then(|listen| listen.send_buffer).map(u64::from);
    settings.push(setting("SO_RCVBUF", receive, number(socket.recv_buffer_size())));
    settings.push(setting("SO_SNDBUF", send, number(socket.send_buffer_size())));
    settings
}

/// Returns the size of the receive buffer to request. An inherited UDP socket keeps its own size if
/// that size is larger.
fn asked_receive_buffer(ours: Option<&Listen>, transport: Transport) -> Option<u32> {
    let of_udp = (transport == Transport::Udp).then_some(Listen::UDP_RECEIVE_BUFFER);
    ours.and_then(|listen| listen.receive_buffer).or(of_udp)
}

/// Returns the value of an option, if the system reports it.
fn number(value: io::Result<impl TryInto<u64>>) -> Option<u64> {
    value.ok()?.try_into().ok()
}

fn is_multicast_or_broadcast(address: IpAddr, broadcasts: &[Ipv4Addr]) -> bool {
    let broadcast = |v4: Ipv4Addr| v4.is_broadcast() || broadcasts.contains(&v4);
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if broadcast(v4))
}

/// Whether `IPV6_V6ONLY` has an effect on a socket with this address. Only a socket on the IPv6
/// wildcard can accept IPv4, so the option has no effect on others.
fn is_wildcard_v6(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use std::net::Ipv6Addr;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    const LOOPBACK_6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

    fn open(wanted: &[(Transport, SocketAddr)]) -> Result<Vec<Opened>, ListenError> {
        let opened = Listen::default().open_all(wanted, NonZeroUsize::MIN)?;
        assert_eq!(opened.len(), 1, "one worker");
        Ok(opened.into_iter().flatten().collect())
    }

    fn effective(opened: &Opened, name: &str) -> Option<u64> {
        let setting = opened.bound.settings.iter().find(|setting| setting.name == name);
        setting.unwrap_or_else(|| panic!("no {name}")).effective
    }

    #[test]
    fn port_0_is_one_free_number_for_both_transports_and_both_families() {
        let wanted = [
            (Transport::Tcp, LOOPBACK),
            (Transport::Udp, LOOPBACK),
            (Transport::Tcp, LOOPBACK_6),
            (Transport::Udp, LOOPBACK_6),
        ];
        let opened = open(&wanted).expect("loopback");
        assert_eq!(opened.len(), 4);
        let port = opened[0].bound.address.port();
        assert_ne!(port, 0);
        assert!(opened.iter().all(|opened| opened.bound.address.port() == port));
    }

    #[test]
    fn a_duplicate_address_is_opened_once() {
        let wanted = [(Transport::Tcp, LOOPBACK), (Transport::Udp, LOOPBACK)].repeat(2);
        let opened = open(&wanted).expect("loopback");
        assert_eq!(opened.len(), 2);
    }

    #[test]
    fn a_taken_port_is_refused_on_both_transports() {
        for transport in Transport::BOTH {
            let first = open(&[(transport, LOOPBACK)]).expect("free");
            let second = open(&[(transport, first[0].bound.address)]);
            assert!(
                matches!(second, Err(ListenError::Open { why: Unavailable::InUse, .. })),
                "{transport}: {second:?}"
            );
        }
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        // No host has this address (TEST-NET-1, RFC 5737).
        let foreign = "192.0.2.1:0".parse().expect("address");
        let opened = open(&[(Transport::Tcp, foreign)]);
        assert!(
            matches!(opened, Err(ListenError::Open { why: Unavailable::NotThisHost, .. })),
            "{opened:?}"
        );
    }

    #[test]
    fn a_multicast_or_broadcast_address_is_refused() {
        for many in ["224.0.0.1:0", "255.255.255.255:0", "127.255.255.255:0", "[ff02::1]:0"] {
            let opened = open(&[(Transport::Udp, many.parse().expect("address"))]);
            // A system that does not report its backlog limit does not list its interfaces either,
            // so the server cannot know the broadcast address of loopback there.
            let known = sys::backlog_limit().is_some();
            let refused = matches!(opened, Err(ListenError::NotUnicast { .. }));
            assert!(refused || (!known && many.starts_with("127")), "{many}: {opened:?}");
        }
    }

    #[test]
    fn an_ipv4_mapped_address_is_opened_as_ipv4() {
        let mapped = "[::ffff:127.0.0.1]:0".parse().expect("address");
        let opened = open(&[(Transport::Udp, mapped)]).expect("loopback");
        assert!(opened[0].bound.address.is_ipv4(), "{opened:?}");
    }

    #[test]
    fn requested_and_effective_values_are_reported() {
        let listen = Listen { receive_buffer: Some(20_000), backlog: 7, ..Listen::default() };
        let wildcard = "[::]:0".parse().expect("address");
        let wanted = [(Transport::Tcp, wildcard)];
        let opened = listen.open_all(&wanted, NonZeroUsize::MIN).expect("bound").remove(0);
        let buffer = opened[0].bound.settings.iter().find(|setting| setting.name == "SO_RCVBUF");
        assert_eq!(buffer.expect("SO_RCVBUF").asked, Some(20_000));
        assert!(effective(&opened[0], "SO_RCVBUF") >= Some(20_000));
        assert_eq!(effective(&opened[0], "SO_REUSEADDR"), Some(1));
        assert_eq!(effective(&opened[0], "IPV6_V6ONLY"), Some(0));
        if sys::backlog_limit().is_some() {
            assert_eq!(effective(&opened[0], "backlog"), Some(7));
        }
    }

    #[test]
    fn udp_never_shares_its_port() {
        let opened = open(&[(Transport::Udp, LOOPBACK)]).expect("loopback");
        assert_eq!(effective(&opened[0], "SO_REUSEADDR"), Some(0));
    }

    #[test]
    fn a_setting_reads_as_a_sentence() {
        let setting = Setting { name: "SO_RCVBUF", asked: Some(1000), effective: Some(2304) };
        mentions(&setting, &["SO_RCVBUF", "asked 1000", "is 2304"]);
        let setting = Setting { name: "SO_RCVBUF", asked: None, effective: None };
        mentions(&setting, &["SO_RCVBUF", "asked nothing", "unknown"]);
    }
}
