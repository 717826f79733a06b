//! Sockets that are already open: from systemd for a socket unit, from inetd, or from the program itself.

use super::{Bound, Listen, ListenError, Opened, settings};
use crate::sys;
use crate::transport::Transport;
use nix::sys::socket::{getsockopt, sockopt};
use socket2::{Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// A socket that a supervisor or this program has already opened, and on which the server serves clients.
///
/// ```
/// use daytime::server::{Inherited, ListenError};
/// use daytime::{Config, ServeError, Server};
/// let config = Config::default().address("127.0.0.1:0".parse()?);
/// let server = match Server::adopt(Inherited::from_environment()?, config.clone()) {
///     // No supervisor passed a socket, so the server opens its own.
///     Err(ServeError::Listen(ListenError::Nowhere)) => Server::bind(config)?,
///     adopted => adopted?,
/// };
/// assert!(server.bound().iter().all(|bound| bound.name.is_none()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Inherited {
    pub(crate) socket: OwnedFd,
    /// Number of the socket's descriptor.
    pub(crate) number: i32,
    /// Name that the supervisor gave to the socket.
    pub(crate) name: Option<String>,
}

impl Inherited {
    /// Wraps a socket that this program opened itself: a bound [`UdpSocket`](std::net::UdpSocket),
    /// a [`TcpListener`](std::net::TcpListener), or a connection.
    ///
    /// ```
    /// use daytime::server::{Config, Inherited, Server};
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let server = Server::adopt(vec![Inherited::new(listener)], Config::default())?;
    /// assert_eq!(server.bound()[0].address, address);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(socket: impl Into<OwnedFd>) -> Self {
        let socket = socket.into();
        Self { number: socket.as_raw_fd(), socket, name: None }
    }

    /// Returns the name that the supervisor gave to the socket.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// Describes a descriptor: its number, and its name if it has one.
pub(crate) fn descriptor(number: i32, name: Option<&str>) -> String {
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    format!("descriptor {number}{name}")
}

/// Configures an inherited socket like one that [`Listen`](super::Listen) opens. Options that only
/// the program that opened the socket can choose stay unchanged.
pub(crate) fn open_inherited(
    inherited: Inherited,
    write_deadline: Duration,
) -> Result<(Kind, Opened), ListenError> {
    let descriptor = descriptor(inherited.number, inherited.name.as_deref());
    let Inherited { socket, number, name } = inherited;
    let socket = Socket::from(socket);
    let (kind, address) = match recognise(&socket, number) {
        Ok(recognised) => recognised,
        Err(found) => return Err(ListenError::NotServable { descriptor, found }),
    };
    let transport = if kind == Kind::Datagrams { Transport::Udp } else { Transport::Tcp };
    configure(&socket, transport, address, write_deadline)
        .map_err(|source| ListenError::Inherited { descriptor, source })?;
    let settings = settings(None, &socket, transport, address, write_deadline);
    Ok((kind, Opened { bound: Bound { transport, address, name, settings }, socket }))
}

fn configure(
    socket: &Socket,
    transport: Transport,
    address: SocketAddr,
    write_deadline: Duration,
) -> io::Result<()> {
    if transport == Transport::Tcp {
        sys::set_user_timeout(socket, write_deadline)?;
    }
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    if transport == Transport::Udp {
        if address.ip().is_unspecified() {
            sys::ask_for_destination(socket, address.ip())?;
        }
        let wanted = Listen::UDP_RECEIVE_BUFFER;
        if socket.recv_buffer_size()? < wanted as usize {
            socket.set_recv_buffer_size(wanted as usize)?;
        }
    }
    Ok(())
}

/// The kind of a socket on which the server can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Listening TCP socket.
    Listener,
    /// One TCP connection, such as inetd passes to a `stream nowait` service.
    Connection,
    /// Bound UDP socket.
    Datagrams,
}

/// Returns the kind and the address of a socket. If the server cannot serve on the descriptor, the error says what kind
/// of descriptor it is.
fn recognise(socket: &Socket, number: i32) -> Result<(Kind, SocketAddr), String> {
    let Ok(local) = socket.local_addr() else { return Err(no_socket(number)) };
    let kind = socket.r#type().map_err(|error| format!("a socket without a type: {error}"))?;
    let Some(address) = local.as_socket() else {
        let family = if local.is_unix() { "Unix" } else { "non-IP" };
        return Err(format!("a {family} {}", kind_name(kind)));
    };
    match kind {
        Type::STREAM if !sys::is_tcp(socket) => {
            Err("a stream socket whose protocol is not TCP".to_owned())
        }
        Type::STREAM if getsockopt(socket, sockopt::AcceptConn).unwrap_or(false) => {
            Ok((Kind::Listener, address))
        }
        Type::STREAM if socket.peer_addr().is_ok() => Ok((Kind::Connection, address)),
        Type::STREAM => Err("a TCP socket that is neither listening nor connected".to_owned()),
        Type::DGRAM if !sys::is_udp(socket) => {
            Err("a datagram socket whose protocol is not UDP".to_owned())
        }
        Type::DGRAM if address.port() == 0 => Err("a UDP socket without a port".to_owned()),
        Type::DGRAM => Ok((Kind::Datagrams, address)),
        _ => Err(format!("an IP {}", kind_name(kind))),
    }
}

/// Describes a descriptor that is not a socket, or a socket of an unknown family.
pub(crate) fn no_socket(number: i32) -> String {
    match sys::descriptor_path(number) {
        Some(path) if path.starts_with("socket:") => "a socket of an unknown family".to_owned(),
        Some(path) => format!("{path}, which is not a socket"),
        None => "not a socket".to_owned(),
    }
}

fn kind_name(kind: Type) -> &'static str {
    match kind {
        Type::STREAM => "stream socket",
        Type::DGRAM => "datagram socket",
        Type::SEQPACKET => "socket of sequenced packets",
        Type::RAW => "raw socket",
        _ => "socket of an unknown type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use socket2::Domain;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    fn handed_over(socket: impl Into<OwnedFd>) -> Inherited {
        Inherited { socket: socket.into(), number: 7, name: Some("web".into()) }
    }

    fn service(socket: impl Into<OwnedFd>) -> Opened {
        match open_inherited(handed_over(socket), Duration::from_secs(5)) {
            Ok((Kind::Listener | Kind::Datagrams, opened)) => opened,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(socket: impl Into<OwnedFd>) -> String {
        open_inherited(handed_over(socket), Duration::from_secs(5))
            .expect_err("not a servable socket")
            .to_string()
    }

    #[test]
    fn a_listener_and_a_datagram_socket_are_services_with_their_names() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let opened = service(listener);
        assert_eq!((opened.bound.transport, opened.bound.address), (Transport::Tcp, address));
        assert_eq!(opened.bound.name.as_deref(), Some("web"));
        let blocked = opened.socket.accept().expect_err("no client connects");
        assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);

        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = datagrams.local_addr().expect("bound");
        let opened = service(datagrams);
        assert_eq!((opened.bound.transport, opened.bound.address), (Transport::Udp, address));
    }

    #[test]
    fn an_inherited_socket_has_effective_but_no_requested_values() {
        let opened = service(TcpListener::bind("127.0.0.1:0").expect("loopback"));
        let names: Vec<&str> = opened.bound.settings.iter().map(|setting| setting.name).collect();
        assert_eq!(names, ["SO_REUSEADDR", "TCP_USER_TIMEOUT", "SO_RCVBUF", "SO_SNDBUF"]);
        // The server sets the write deadline even on an inherited socket.
        let asked = opened.bound.settings.iter().filter(|setting| setting.asked.is_some());
        assert!(asked.map(|setting| setting.name).eq(["TCP_USER_TIMEOUT"]));
    }

    #[test]
    fn an_inherited_connection_is_adopted_as_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let _client = TcpStream::connect(address).expect("connected");
        let (stream, _) = listener.accept().expect("accepted");
        let adopted =
            open_inherited(handed_over(stream), Duration::from_secs(5)).expect("a connection");
        assert!(matches!(adopted, (Kind::Connection, opened) if opened.bound.address == address));
    }

    #[test]
    fn a_descriptor_that_cannot_be_served_is_refused_with_number_name_and_description() {
        let advice = ["TCP listener", "TCP connection", "bound UDP socket"];
        let refused = |message: String, what: &str| {
            mentions(&message, &["descriptor 7", "web", what]);
            mentions(&message, &advice);
        };
        let folder = tempfile::TempDir::new().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("bound");
        refused(refusal(listener), "Unix stream socket");
        let (datagrams, _) = UnixDatagram::pair().expect("a pair");
        refused(refusal(datagrams), "Unix datagram socket");
        let unbound = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        refused(refusal(unbound), "UDP socket without a port");
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        refused(refusal(deaf), "neither listening nor connected");
        let file = tempfile::tempfile().expect("a file");
        let nowhere = Inherited { socket: file.into(), number: -1, name: None };
        let error = open_inherited(nowhere, Duration::from_secs(5)).expect_err("not a socket");
        mentions(&error, &["descriptor -1:", "not a socket"]);
        mentions(&error, &advice);
    }
}
