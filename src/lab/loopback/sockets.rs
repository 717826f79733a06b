//! Helpers for the loopback interface, local addresses, and sockets.

use crate::clock::Clock;
use crate::lab::Obstacle;
use crate::reply::Reply;
use crate::responder::Responder;
use crate::syntax::{Syntax, Zone};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockRef, Socket};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Length in octets of [`ctime_reply`].
pub(crate) const REPLY_OCTETS: usize = 26;

/// 127.0.0.1, with a port that the kernel chooses.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Waits until the socket is ready for one of these events or has failed, at most for `timeout`. Returns false if the
/// wait timed out.
pub(crate) fn wait_until_ready(
    socket: &Socket,
    events: PollFlags,
    timeout: Duration,
) -> io::Result<bool> {
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut sockets = [PollFd::new(socket.as_fd(), events)];
        match poll(&mut sockets, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
            Err(Errno::EINTR) => {} // another thread handles the signals that end the program
            ready => return Ok(ready? > 0),
        }
    }
}

/// Fails if the loopback interface is down, as in a new network namespace. Sending a datagram would be no test: an
/// interface that has been up before drops the datagram without an error.
pub(crate) fn require_loopback() -> Result<(), Obstacle> {
    let up = InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_UP;
    // If the system does not list its interfaces, the lab goes on; if the interface is down, a later call fails and
    // reports it.
    let is_up = getifaddrs().map_or(true, |mut all| all.any(|it| it.flags.contains(up)));
    if is_up {
        return Ok(());
    }
    Err(Obstacle::Missing("the loopback interface is down: ip link set lo up".into()))
}

/// Returns whether this host has the address.
pub(crate) fn is_local(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Returns a reply with the current time in the syntax `ctime`. The reply is [`REPLY_OCTETS`] octets long as long as
/// the year has four digits.
pub(crate) fn ctime_reply() -> Result<Reply, Obstacle> {
    let responder = Responder::new(Clock::System, Syntax::Ctime, Zone::UTC, false);
    responder
        .form()
        .ok_or_else(|| Obstacle::Missing("the clock shows no date that can be written".into()))
}

/// Retries a receive call that a signal interrupts, until the socket's timeout (`SO_RCVTIMEO`) has passed since the
/// first try. Simply calling again would restart the timeout at each interruption (signal(7)), so frequent signals would
/// make the call wait forever.
///
/// # Errors
/// The call's own errors, and `EAGAIN` after the timeout.
pub(crate) fn within_timeout<T>(
    socket: &impl AsFd,
    mut take: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let (started, socket) = (Instant::now(), SockRef::from(socket));
    let mut limit = None;
    let taken = loop {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            taken => break taken,
        }
        let Some(time) = limit.map_or_else(|| socket.read_timeout(), |it| Ok(Some(it)))? else {
            // A socket that has no timeout may wait forever, so the call is repeated without a limit.
            continue;
        };
        limit = Some(time);
        let left = time.saturating_sub(started.elapsed());
        if left.is_zero() {
            break Err(Errno::EAGAIN.into());
        }
        socket.set_read_timeout(Some(left))?;
    };
    if limit.is_some() {
        socket.set_read_timeout(limit)?;
    }
    taken
}

/// Receives once, into a buffer of `most` octets, and returns the octets received.
pub(crate) fn recv(socket: &Socket, most: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; most];
    let length = within_timeout(socket, || (&*socket).read(&mut buffer))?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Formats a number of octets: `26 octets`.
pub(crate) fn octets(number: usize) -> String {
    format!("{number} octet{}", if number == 1 { "" } else { "s" })
}

/// Formats the number of octets that a call received: `26 octets`.
#[expect(clippy::ptr_arg, reason = "as Recorder::call hands it over")]
pub(crate) fn octet_count(part: &Vec<u8>) -> String {
    octets(part.len())
}

#[cfg(test)]
mod tests {
    use super::super::PATIENCE;
    use super::*;
    use std::thread;

    #[test]
    fn a_call_that_is_always_interrupted_ends_after_its_timeout() {
        let socket = UdpSocket::bind(ANY_PORT).expect("a socket");
        let time = Duration::from_millis(20);
        socket.set_read_timeout(Some(time)).expect("set");
        let (started, mut tries) = (Instant::now(), 0);
        let ended = within_timeout(&socket, || {
            tries += 1;
            // Ends the loop of this test even if the timeout under test does not work.
            let is_over = started.elapsed() > PATIENCE;
            if is_over { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
        assert_eq!(ended.expect_err("nothing comes").raw_os_error(), Some(Errno::EAGAIN as i32));
        assert!(started.elapsed() >= time && tries > 1, "{tries}");
        assert_eq!(socket.read_timeout().expect("asked"), Some(time), "as it was");
    }

    #[test]
    fn a_call_that_is_interrupted_once_keeps_the_rest_of_its_timeout() {
        let socket = UdpSocket::bind(ANY_PORT).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let (started, mut tries) = (Instant::now(), 0);
        // This is longer than the kernel's timer tick. The kernel rounds timeouts to whole ticks.
        let passed = Duration::from_millis(50);
        let left = within_timeout(&socket, || {
            tries += 1;
            while started.elapsed() < passed {
                thread::yield_now();
            }
            if tries == 1 { Err(io::ErrorKind::Interrupted.into()) } else { socket.read_timeout() }
        });
        assert!(left.expect("taken").is_some_and(|left| left + passed / 2 <= PATIENCE));
        assert_eq!(socket.read_timeout().expect("asked"), Some(PATIENCE));
    }

    #[test]
    fn loopback_is_local_and_an_address_for_documentation_is_not() {
        require_loopback().expect("loopback");
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_local(Ipv4Addr::new(203, 0, 113, 1).into()));
    }

    #[test]
    fn a_line_has_26_octets() {
        assert_eq!(ctime_reply().expect("a time").octets().len(), REPLY_OCTETS);
    }

    #[test]
    fn one_octet_is_singular() {
        assert_eq!([1, 26].map(octets), ["1 octet", "26 octets"]);
    }
}
