//! What operating systems do differently: the only place that names one.
//!
//! `linux` and `portable` have the same functions; the rest of the crate cannot tell which it
//! uses. `portable` needs nothing but POSIX, and says "unknown" where POSIX has no answer. Build
//! with `--cfg daytime_portable` to use it on Linux. Without the features `client` and `server` there is
//! `no_sockets`, which makes no system call and so builds for every target.

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

/// Whether this is the system that predictions of the laboratory were measured on.
#[cfg(feature = "lab")]
pub(crate) const IS_LINUX: bool = cfg!(target_os = "linux");

/// The system and its release: `Linux 6.18.5` (uname(2)); `None` if it does not tell.
#[cfg(all(feature = "lab", any(feature = "client", feature = "server")))]
pub(crate) fn release() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?;
    let words = [name.sysname(), name.release()].map(|word| word.to_string_lossy().into_owned());
    Some(words.join(" "))
}

/// Maximum number of datagrams that are sent or received with one call.
pub(crate) const MAX_BATCH_DATAGRAMS: usize = 64;

/// Maximum octets that a client keeps of a datagram. An odd number of cache lines, so that their
/// beginnings do not all fall into the same few sets of the cache.
const CLIENT_DATAGRAM_OCTETS: usize = 33 * 64;

/// What the kernel says about its clock, as `adjtimex(2)` returns it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelClock {
    /// Seconds since 1970-01-01 00:00:00 UTC; an inserted leap second repeats the one before it.
    pub seconds: i64,
    /// Nanoseconds of that second.
    pub nanoseconds: u32,
    /// The leap second that is announced or under way.
    pub leap: KernelLeap,
    /// A program synchronises the clock (`STA_UNSYNC` is clear).
    pub synchronised: bool,
    /// Upper bound of the error, in microseconds.
    pub max_error_us: u64,
}

/// The kernel's leap second state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), expect(dead_code))]
pub(crate) enum KernelLeap {
    /// None announced.
    None,
    /// A second 60 comes at the end of the UTC day (`STA_INS`).
    Insert,
    /// Second 59 is left out at the end of the UTC day (`STA_DEL`).
    Delete,
    /// Second 60 is now (`TIME_OOP`).
    Now,
}

/// The address of this host that a datagram was sent to, kept to answer from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The address in the datagram's header, or for a broadcast the interface's own.
    pub address: IpAddr,
    /// The interface it came in on; needed to answer from a link-local address.
    pub interface: u32,
}

/// Maximum octets of a datagram's content that a server keeps: those of the longest reply of this suite
/// (`Reply::MAX_OCTETS`). The kernel throws the rest away.
pub(crate) const MAX_CONTENT_OCTETS: usize = 512;

/// The number of the loopback interface, which Linux gives to it in each network namespace
/// (`LOOPBACK_IFINDEX`, include/net/flow.h). Other systems name no interface in a [`Destination`] here.
pub(crate) const LOOPBACK_INTERFACE: u32 = 1;

/// One datagram. Its content stays in the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Who sent it.
    pub peer: SocketAddr,
    /// How many octets it holds, also where the batch keeps fewer.
    pub octets: usize,
    /// It was sent to a broadcast or multicast address, as far as the system can tell.
    pub sent_to_many: bool,
    /// Where it was sent to, if the socket was told to say so and the system can.
    pub destination: Option<Destination>,
}

/// IP packets and octets this network namespace has sent since it began, IP headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Packets sent.
    pub packets: u64,
    /// Octets sent, IP headers included, link headers not.
    pub octets: u64,
}

/// One end of a TCP connection that has ended but is remembered (RFC 793, "TIME-WAIT").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeWait {
    /// The address of the side that remembers.
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
    /// How long it is remembered from now on.
    pub left: Duration,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), allow(dead_code))]
pub(crate) struct Interface {
    pub name: String,
    pub index: u32,
    pub is_up: bool,
}

/// An IP packet of which a socket got a copy.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), allow(dead_code))]
pub(crate) struct SeenPacket {
    /// How many there are of it, from the IP header on.
    pub octets: usize,
    /// When, since 1970, as the kernel had it.
    pub at: Duration,
    /// The number of the interface.
    pub interface: u32,
    /// The kernel has not left it to the network card.
    pub has_checksum: bool,
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The user's number.
    pub id: u32,
    /// The primary group; `None` if the number has no entry in the database of users.
    pub group: Option<u32>,
}

/// Who a process is (credentials(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Real, effective and saved user.
    pub users: [u32; 3],
    /// Real, effective and saved group.
    pub groups: [u32; 3],
    /// Supplementary groups.
    pub supplementary: Vec<u32>,
}

/// Whether a confined process may ask where symbolic links lead (readlink(2)).
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
    fn a_batch_of_empty_datagrams_arrives_and_one_of_answers_is_taken() {
        let (client, server) = pair();
        let mut batch = ClientBatch::new();
        assert_eq!(batch.send_empty(&client, 3).expect("sent"), 3);
        for answer in ["first\n", "second\n", "third\n"] {
            assert_eq!(server.recv(&mut [0; 8]).expect("a question"), 0);
            server.send(answer.as_bytes()).expect("sent");
        }
        let mut taken = Vec::new();
        let mut take = |octets: &[u8]| taken.push(octets.to_vec());
        // On loopback they are there when send has returned.
        assert_eq!(batch.receive(&client, 2, &mut take).expect("received"), 2);
        assert_eq!(batch.receive(&client, 2, &mut take).expect("received"), 1);
        assert_eq!(taken, [&b"first\n"[..], b"second\n", b"third\n"]);
    }

    #[test]
    fn no_batch_is_larger_than_the_most() {
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
    fn where_nothing_is_a_batch_says_so_and_a_long_datagram_is_cut() {
        let (client, server) = pair();
        let mut batch = ClientBatch::new();
        client.set_nonblocking(true).expect("set");
        let nothing = batch.receive(&client, 1, |_| {}).expect_err("nothing is there");
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        server.send(&[b'x'; CLIENT_DATAGRAM_OCTETS + 1]).expect("sent");
        let mut octets = 0;
        assert_eq!(batch.receive(&client, 1, |it| octets = it.len()).expect("received"), 1);
        assert_eq!(octets, CLIENT_DATAGRAM_OCTETS);
    }

    #[test]
    fn an_alarm_ends_a_wait_not_much_before_its_time_and_again() {
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
    fn the_system_tells_its_name_and_release() {
        let release = release().expect("a release");
        let (name, number) = release.split_once(' ').expect("two words");
        assert_eq!(name == "Linux", IS_LINUX);
        assert!(number.starts_with(|it: char| it.is_ascii_digit()), "{release}");
    }

    #[test]
    fn where_the_system_tells_there_are_ports_for_clients() {
        assert!(ephemeral_ports().is_none_or(|ports| ports > 1000));
    }
}
