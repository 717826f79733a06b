//! Generates the benchmark's load: batches of 64 exchanges, and connections that stay open. Every client address is an
//! IPv4 loopback address, of which there are 16 million.

use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};
use socket2::{Domain, Socket, Type};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

/// Number of exchanges per batch. It equals the maximum number of datagrams that the server receives with one call.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(1);
/// Number of connections that each source address keeps open. An address has only about 28 000 ephemeral ports.
const HELD_EACH: usize = 1_000;

/// A UDP client that sends queries from any number of source addresses through one socket (`IP_PKTINFO`).
pub(crate) struct Datagrams {
    socket: UdpSocket,
    server: SocketAddr,
    next: usize,
}

impl Datagrams {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { socket, server, next: 0 }
    }

    /// Runs `exchanges` exchanges, from `sources` source addresses in turn. Returns the number of lost exchanges.
    pub(crate) fn exchange(&mut self, exchanges: usize, sources: usize) -> usize {
        let (mut begun, mut lost, mut reply) = (0, 0, [0; 512]);
        while begun < exchanges {
            let now = AT_ONCE.min(exchanges - begun);
            (0..now).for_each(|_| self.ask(sources));
            lost += (0..now).filter(|_| self.socket.recv(&mut reply).is_err()).count();
            begun += now;
        }
        lost
    }

    fn ask(&mut self, sources: usize) {
        self.next = (self.next + 1) % sources;
        let number = u32::try_from(self.next).expect("few enough addresses");
        let source = Ipv4Addr::from_bits(0x7f10_0001 + number);
        let in_order = |address: Ipv4Addr| in_addr { s_addr: address.to_bits().to_be() };
        let any = in_order(Ipv4Addr::UNSPECIFIED);
        let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: in_order(source), ipi_addr: any };
        let SocketAddr::V4(server) = self.server else { unreachable!("IPv4 was asked for") };
        let (to, control) = (SockaddrIn::from(server), [ControlMessage::Ipv4PacketInfo(&info)]);
        let socket = self.socket.as_raw_fd();
        sendmsg(socket, &[], &control, MsgFlags::empty(), Some(&to)).expect("sent");
    }
}

/// Runs exchanges over TCP. Returns the number of lost exchanges.
pub(crate) fn exchange_streams(server: SocketAddr, exchanges: usize) -> usize {
    let (mut begun, mut lost, mut reply) = (0, 0, Vec::new());
    while begun < exchanges {
        let now = AT_ONCE.min(exchanges - begun);
        // Uses several client addresses, because each has only about 28 000 ports, and a closed connection keeps its
        // port occupied for a minute.
        let host = u8::try_from(begun / AT_ONCE % 250 + 1).unwrap_or(1);
        let streams = [(); AT_ONCE].map(|()| connect(Ipv4Addr::new(127, 0, 2, host), server));
        for mut stream in streams.into_iter().take(now) {
            reply.clear();
            let read = stream.read_to_end(&mut reply);
            lost += usize::from(read.is_err() || !reply.ends_with(b"\r\n"));
        }
        begun += now;
    }
    lost
}

/// Idle connections that stay open.
pub(crate) struct Held {
    server: SocketAddr,
    streams: Vec<TcpStream>,
}

impl Held {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, streams: Vec::new() }
    }

    /// Opens or closes connections until `connections` are open. Returns when `open` reports that the server has the
    /// same number of open connections.
    pub(crate) fn hold(&mut self, connections: usize, open: impl Fn() -> usize) {
        self.streams.truncate(connections);
        for number in self.streams.len()..connections {
            let host = u8::try_from(number / HELD_EACH + 1).expect("few enough addresses");
            self.streams.push(connect(Ipv4Addr::new(127, 0, 1, host), self.server));
        }
        let begun = Instant::now();
        while open() != connections {
            assert!(begun.elapsed() < 10 * PATIENCE, "{} are open, not {connections}", open());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("bound");
    socket.connect(&to.into()).expect("connected");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}
