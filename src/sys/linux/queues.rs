//! The kernel's queues: how many connections and datagrams are queued for a program, and how many
//! were dropped.

use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, getsockopt, recvmsg, setsockopt, sockopt};
use nix::{cmsg_space, getsockopt_impl, setsockopt_impl, sockopt_impl};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

/// Whether the system reports its queues.
pub(crate) const REPORTS_QUEUES: bool = true;

sockopt_impl!(
    /// `TCP_SYNCNT`: number of SYN retransmissions (tcp(7)). nix lacks this option.
    SynCount, SetOnly, libc::IPPROTO_TCP, libc::TCP_SYNCNT, libc::c_int
);

sockopt_impl!(
    /// `TCP_INFO`: the first fields of the state of a connection or listener (tcp(7)).
    TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, BeginOfTcpInfo
);

/// First words of `struct tcp_info`. Newer kernels append fields, so an old kernel returns less
/// than libc's complete struct, which would make nix panic. Every kernel can return these first
/// words.
type BeginOfTcpInfo = [u32; 7];

/// Index of `tcpi_unacked`.
const TCPI_UNACKED: usize = 6;

/// Sets the number of SYN retransmissions for a socket (`TCP_SYNCNT`). This number replaces
/// `net.ipv4.tcp_syn_retries`.
pub(crate) fn set_syn_retries(socket: &impl AsFd, retries: u8) -> io::Result<()> {
    Ok(setsockopt(socket, SynCount, &libc::c_int::from(retries))?)
}

/// Returns the number of connections that are queued for `accept(2)`. For a listener, `TCP_INFO`
/// holds this number in the field `tcpi_unacked`.
pub(crate) fn accept_queue(listener: &impl AsFd) -> Option<u32> {
    getsockopt(listener, TcpInfo).ok().map(|info| info[TCPI_UNACKED])
}

/// Makes each received datagram report how many datagrams the socket has dropped (`SO_RXQ_OVFL`,
/// socket(7)).
pub(crate) fn count_drops(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::RxqOvfl, &1)?)
}

/// Makes an unconnected datagram socket report ICMP errors (`IP_RECVERR`, ip(7)).
pub(crate) fn report_errors(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::Ipv4RecvErr, &true)?)
}

/// Receives a datagram. Returns its length in octets, and the number of datagrams that the socket
/// had dropped before. The number is `None` if the socket has dropped none.
pub(crate) fn receive_counted(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<u32>)> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut control = cmsg_space!(u32);
    let flags = MsgFlags::empty();
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let dropped = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::RxqOvfl(dropped) => Some(dropped),
        _ => None,
    });
    Ok((received.bytes, dropped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::GetSockOpt;
    use std::mem::offset_of;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn no_more_of_tcp_info_is_read_than_the_oldest_kernel_has() {
        // Size in octets of the struct in Linux 2.6 (tcp(7)).
        let oldest = offset_of!(libc::tcp_info, tcpi_total_retrans) + size_of::<u32>();
        assert_eq!(oldest, 104);
        assert!(size_of::<<TcpInfo as GetSockOpt>::Val>() <= oldest);
        let theirs = offset_of!(libc::tcp_info, tcpi_unacked);
        assert_eq!(TCPI_UNACKED * size_of::<u32>(), theirs);
    }

    #[test]
    fn a_listener_reports_its_waiting_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        assert_eq!(accept_queue(&listener), Some(0));
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        // Waits until the last segment of the handshake has arrived.
        while accept_queue(&listener) == Some(0) {}
        assert_eq!(accept_queue(&listener), Some(1));
        set_syn_retries(&client, 1).expect("set");
    }

    #[test]
    fn a_datagram_reports_how_many_were_dropped_before_it() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        count_drops(&socket).expect("set");
        let client = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        client.connect(socket.local_addr().expect("bound")).expect("connected");
        for _ in 0..5000 {
            client.send(&[]).expect("sent");
        }
        socket.set_nonblocking(true).expect("set");
        let mut kept = 0;
        while receive_counted(&socket, &mut [0; 8]).is_ok() {
            kept += 1;
        }
        socket.set_nonblocking(false).expect("set");
        client.send(b"last").expect("sent");
        let (octets, dropped) = receive_counted(&socket, &mut [0; 8]).expect("it came");
        assert_eq!((octets, dropped.map(|dropped| dropped + kept)), (4, Some(5000)));
        assert!(kept < 5000, "nothing was dropped");
    }
}
