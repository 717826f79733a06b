//! Interface to the operating system. Only this module contains code for a particular system.
//!
//! `linux` and `portable` have the same functions, so the rest of the crate works with either of them. `portable` needs
//! only POSIX, and returns "unknown" where POSIX has no answer. Build with `--cfg daytime_portable` to use it on Linux.
//! Without the features `client` and `server`, `no_sockets` replaces both. The module `no_sockets` makes no system
//! calls, so it builds for every target.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[cfg(all(
    target_os = "linux",
    not(daytime_portable),
    any(feature = "client", feature = "server")
))]
mod linux;
#[cfg(all(
    target_os = "linux",
    not(daytime_portable),
    any(feature = "client", feature = "server")
))]
pub(crate) use linux::*;

#[cfg(all(
    any(not(target_os = "linux"), daytime_portable),
    any(feature = "client", feature = "server")
))]
mod portable;
#[cfg(all(
    any(not(target_os = "linux"), daytime_portable),
    any(feature = "client", feature = "server")
))]
pub(crate) use portable::*;

#[cfg(not(any(feature = "client", feature = "server")))]
mod no_sockets;
#[cfg(not(any(feature = "client", feature = "server")))]
pub(crate) use no_sockets::*;

/// Whether this system is Linux. The labs' predictions are based on measurements on Linux.
#[cfg(feature = "lab")]
pub(crate) const IS_LINUX: bool = cfg!(target_os = "linux");

/// Returns the name and release of the system, such as `Linux 6.18.5` (uname(2)); `None` if the
/// call fails.
#[cfg(all(feature = "lab", any(feature = "client", feature = "server")))]
pub(crate) fn release() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?;
    let words = [name.sysname(), name.release()].map(|word| word.to_string_lossy().into_owned());
    Some(words.join(" "))
}

/// Maximum number of datagrams per send or receive call.
pub(crate) const MAX_BATCH_DATAGRAMS: usize = 64;

/// Maximum number of octets of a datagram that a client keeps. The size is an odd number of cache lines, so the starts
/// of consecutive buffers are spread over all sets of the processor's cache.
const CLIENT_DATAGRAM_OCTETS: usize = 33 * 64;

/// State of the kernel's clock, as `adjtimex(2)` returns it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelClock {
    /// Seconds since 1970-01-01 00:00:00 UTC. During an inserted leap second, the previous second
    /// is repeated.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
    /// Leap second that is announced or in progress.
    pub leap: KernelLeap,
    /// Whether a program synchronises the clock (`STA_UNSYNC` is clear).
    pub synchronised: bool,
    /// Upper bound of the clock's error, in microseconds.
    pub max_error_us: u64,
}

/// The kernel's leap second state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), expect(dead_code))]
pub(crate) enum KernelLeap {
    /// No leap second is announced.
    None,
    /// A leap second (23:59:60) is inserted at the end of the UTC day (`STA_INS`).
    Insert,
    /// Second 59 is skipped at the end of the UTC day (`STA_DEL`).
    Delete,
    /// The clock is in the inserted leap second (`TIME_OOP`).
    Now,
}

/// Local address to which a datagram was sent, and from which the reply leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Destination address in the datagram's header. For a broadcast, the address of the receiving interface.
    pub address: IpAddr,
    /// Index of the receiving interface. A reply from a link-local address needs this index.
    pub interface: u32,
}

/// Maximum number of octets of a datagram's content that a server keeps. This number equals the maximum length of this
/// suite's replies (`Reply::MAX_OCTETS`). The kernel discards the rest.
pub(crate) const MAX_CONTENT_OCTETS: usize = 512;

/// Index of the loopback interface. Linux assigns it in each network namespace (`LOOPBACK_IFINDEX`,
/// include/net/flow.h). On other systems, this crate reports no interface in a [`Destination`].
pub(crate) const LOOPBACK_INTERFACE: u32 = 1;

/// Received datagram without its content, which stays in the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Address of the sender.
    pub peer: SocketAddr,
    /// Length of the whole datagram in octets, even if the batch keeps fewer octets.
    pub octets: usize,
    /// Whether the datagram was sent to a broadcast or multicast address, if the system reports it.
    pub sent_to_many: bool,
    /// Local address to which the datagram was sent, if the socket requested it and the system
    /// reports it.
    pub destination: Option<Destination>,
}

/// Number of IP packets and octets that this network namespace has sent since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Packets sent.
    pub packets: u64,
    /// Octets sent, including IP headers but not link headers.
    pub octets: u64,
}

/// One end of a TCP connection in TIME-WAIT. The connection has ended, but this host still stores
/// its state (RFC 793).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeWait {
    /// Address of the side that is in TIME-WAIT.
    pub local: SocketAddr,
    /// Address of the other side.
    pub remote: SocketAddr,
    /// Remaining time in TIME-WAIT.
    pub left: Duration,
}

/// Network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), allow(dead_code))]
pub(crate) struct Interface {
    pub name: String,
    pub index: u32,
    pub is_up: bool,
}

/// Metadata of an IP packet that a packet socket received.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), allow(dead_code))]
pub(crate) struct SeenPacket {
    /// Length of the packet in octets, including the IP header.
    pub octets: usize,
    /// Time at which the kernel saw the packet, counted from 1970-01-01 00:00:00 UTC.
    pub at: Duration,
    /// Index of the interface.
    pub interface: u32,
    /// Whether the checksum is complete. If not, the kernel has left the checksum to the network card.
    pub has_checksum: bool,
}

/// A user account on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// ID of the user.
    pub id: u32,
    /// ID of the primary group; `None` if the user has no entry in the user database.
    pub group: Option<u32>,
}

/// User and group IDs of a process (credentials(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Real, effective and saved user ID.
    pub users: [u32; 3],
    /// Real, effective and saved group ID.
    pub groups: [u32; 3],
    /// IDs of the supplementary groups.
    pub supplementary: Vec<u32>,
}

/// Whether a confined process may read symbolic links (readlink(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Hidden,
    Readable,
}

#[cfg(test)]
#[cfg(all(feature = "client", feature = "server"))]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Instant;

    fn pair() -> (UdpSocket, UdpSocket) {
        let [one, other] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        one.connect(other.local_addr().expect("bound")).expect("connected");
        other.connect(one.local_addr().expect("bound")).expect("connected");
        for socket in [&one, &other] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        }
        (one, other)
    }

    #[test]
    fn a_batch_of_empty_datagrams_arrives_and_a_batch_of_replies_is_received() {
        let (client, server) = pair();
        let mut batch = ClientBatch::new();
        assert_eq!(batch.send_empty(&client, 3).expect("sent"), 3);
        for answer in ["first\n", "second\n", "third\n"] {
            assert_eq!(server.recv(&mut [0; 8]).expect("a question"), 0);
            server.send(answer.as_bytes()).expect("sent");
        }
        let mut taken = Vec::new();
        let mut take = |octets: &[u8]| taken.push(octets.to_vec());
        // On loopback, each datagram has arrived when `send` returns.
        assert_eq!(batch.receive(&client, 2, &mut take).expect("received"), 2);
        assert_eq!(batch.receive(&client, 2, &mut take).expect("received"), 1);
        assert_eq!(taken, [&b"first\n"[..], b"second\n", b"third\n"]);
    }

    #[test]
    fn a_batch_has_at_most_64_datagrams() {
        let (client, server) = pair();
        let mut batch = ClientBatch::new();
        assert_eq!(
            batch.send_empty(&client, MAX_BATCH_DATAGRAMS + 1).expect("sent"),
            MAX_BATCH_DATAGRAMS
        );
        assert_eq!(
            batch.receive(&server, MAX_BATCH_DATAGRAMS + 1, |_| {}).expect("received"),
            MAX_BATCH_DATAGRAMS
        );
    }

    #[test]
    fn an_empty_queue_gives_would_block_and_a_long_datagram_is_truncated() {
        let (client, server) = pair();
        let mut batch = ClientBatch::new();
        client.set_nonblocking(true).expect("set");
        let nothing = batch.receive(&client, 1, |_| {}).expect_err("an empty queue");
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        server.send(&[b'x'; CLIENT_DATAGRAM_OCTETS + 1]).expect("sent");
        let mut octets = 0;
        assert_eq!(batch.receive(&client, 1, |it| octets = it.len()).expect("received"), 1);
        assert_eq!(octets, CLIENT_DATAGRAM_OCTETS);
    }

    #[test]
    fn an_alarm_ends_a_wait_at_its_time_and_can_be_set_again() {
        let mut poll = mio::Poll::new().expect("a poll");
        let mut events = mio::Events::with_capacity(1);
        let alarm = Alarm::new(poll.registry(), mio::Token(7)).expect("a timer");
        for _ in 0..2 {
            let (after, started) = (Duration::from_micros(2500), Instant::now());
            alarm.set(after).expect("set");
            poll.poll(&mut events, alarm.or_wait(after)).expect("waited");
            assert!(started.elapsed() >= after, "{:?}", started.elapsed());
        }
    }

    #[cfg(feature = "lab")]
    #[test]
    fn the_release_holds_a_name_and_a_number() {
        let release = release().expect("a release");
        let (name, number) = release.split_once(' ').expect("two words");
        assert_eq!(name == "Linux", IS_LINUX);
        assert!(number.starts_with(|it: char| it.is_ascii_digit()), "{release}");
    }

    #[test]
    fn a_reported_range_of_ephemeral_ports_is_large() {
        assert!(ephemeral_ports().is_none_or(|ports| ports > 1000));
    }
}
