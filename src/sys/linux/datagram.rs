//! Socket options for datagrams, and the broadcast addresses of the interfaces. The options report
//! the destination (`IP_PKTINFO`, ip(7); `IPV6_PKTINFO`, ipv6(7), RFC 3542), forbid fragmentation,
//! and report drops.

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::libc;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{SockaddrStorage, getsockopt, setsockopt, sockopt};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

/// Makes the kernel report the destination address of each datagram.
pub(crate) fn ask_for_destination(socket: &impl AsFd, bound: IpAddr) -> io::Result<()> {
    // Sets the IPv4 option on IPv6 sockets too. For an IPv4 broadcast, the IPv6 option would report
    // only the broadcast address, and no reply can leave from that address.
    setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    if bound.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
}

sockopt_impl!(
    /// `IP_MTU_DISCOVER`: how the kernel handles datagrams that exceed the path MTU. nix lacks this
    /// option.
    MtuDiscover, Both, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::c_int
);

/// Prevents the kernel from fragmenting IPv4 datagrams (`IP_MTU_DISCOVER`), so that they need no
/// identification (RFC 6864, 4.1). The kernel would take identifications from a table of counters
/// that many destinations share, which is expensive with many clients.
pub(crate) fn never_fragment(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, MtuDiscover, &libc::IP_PMTUDISC_DO)?)
}

/// Values of `SO_MEMINFO` since Linux 4.12 (include/uapi/linux/sock_diag.h, `SK_MEMINFO_VARS`).
type MemoryNumbers = [u32; 9];

/// Index of the number of dropped packets in [`MemoryNumbers`].
const SK_MEMINFO_DROPS: usize = 8;

sockopt_impl!(
    /// `SO_MEMINFO`: memory use of a socket. nix lacks this option.
    MemoryInfo, GetOnly, libc::SOL_SOCKET, libc::SO_MEMINFO, MemoryNumbers
);

/// Returns the number of datagrams that the kernel dropped because this socket's receive buffer was
/// full. The count wraps around to 0 after its maximum. Returns `None` if the kernel does not
/// report the count.
pub(crate) fn receive_drops(socket: &impl AsFd) -> Option<u32> {
    getsockopt(socket, MemoryInfo).ok().map(|numbers| numbers[SK_MEMINFO_DROPS])
}

/// Returns the broadcast addresses of this host's interfaces: the configured addresses, and the
/// last address of each network. The last address is always a broadcast address, even if another
/// one is configured (RFC 922).
pub(crate) fn broadcasts() -> Vec<Ipv4Addr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    interfaces.flat_map(|interface| broadcasts_of(&interface)).collect()
}

fn broadcasts_of(interface: &InterfaceAddress) -> Vec<Ipv4Addr> {
    let v4 = |address: Option<SockaddrStorage>| Some(address?.as_sockaddr_in()?.ip());
    let Some(local) = v4(interface.address) else { return Vec::new() };
    let has_one = interface.flags.contains(InterfaceFlags::IFF_BROADCAST);
    let set = has_one.then(|| v4(interface.broadcast)).flatten();
    // Networks of length /31 and /32 are point-to-point links without a broadcast address (RFC
    // 3021).
    let mask = v4(interface.netmask).filter(|mask| mask.to_bits().count_zeros() > 1);
    let last = mask.map(|mask| Ipv4Addr::from_bits(local.to_bits() | !mask.to_bits()));
    // If no broadcast address is configured, getifaddrs(3) returns the interface's own address
    // instead.
    set.into_iter().chain(last).filter(|broadcast| *broadcast != local).collect()
}

#[cfg(test)]
mod tests {
    use super::super::batch::Batch;
    use super::*;
    use crate::sys::MAX_BATCH_DATAGRAMS;
    use std::net::{SocketAddr, UdpSocket};

    #[test]
    fn never_fragment_sets_the_option_on_ipv4_and_ipv6() {
        for address in ["127.0.0.1:0", "[::]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else { continue }; // This host has no IPv6.
            let before = getsockopt(&socket, MtuDiscover).expect("reported");
            assert_ne!(before, libc::IP_PMTUDISC_DO, "{address}");
            never_fragment(&socket).expect("set");
            let now = getsockopt(&socket, MtuDiscover).expect("reported");
            assert_eq!(now, libc::IP_PMTUDISC_DO, "{address}");
        }
    }

    #[test]
    fn every_datagram_is_either_received_or_counted_as_dropped() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let client = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        client.connect(socket.local_addr().expect("bound")).expect("connected");
        assert_eq!(receive_drops(&socket), Some(0));
        for _ in 0..5000 {
            client.send(&[]).expect("sent");
        }
        socket.set_nonblocking(true).expect("set");
        let received = std::iter::from_fn(|| socket.recv(&mut [0]).ok()).count();
        let dropped = receive_drops(&socket).expect("the kernel reports it") as usize;
        assert!(dropped > 0 && received + dropped == 5000, "{received} + {dropped}");
    }

    #[test]
    fn a_datagram_that_arrived_before_the_request_reports_its_destination_too() {
        for wildcard in ["0.0.0.0:0", "[::]:0"] {
            let Ok(socket) = UdpSocket::bind(wildcard) else { continue }; // This host has no IPv6.
            let local = socket.local_addr().expect("bound");
            let asked = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 5), local.port()));
            let client = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            client.send_to(b"early", asked).expect("sent");
            socket.peek_from(&mut [0]).expect("it is there");
            ask_for_destination(&socket, local.ip()).expect("asked");
            let mut batch = Batch::new();
            assert_eq!(batch.receive(&socket, MAX_BATCH_DATAGRAMS).expect("received"), 1);
            let received = batch.datagram(0).expect("it has a source");
            assert!(!received.sent_to_many, "{wildcard}");
            assert_eq!(received.destination.expect("reported").address, asked.ip(), "{wildcard}");
        }
    }
}
